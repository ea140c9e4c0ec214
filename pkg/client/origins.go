package client

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// origins is the cached answer of Store.Origins.
type origins struct {
	mu    sync.Mutex
	known map[string]struct{}
	until time.Time
}

func (o *origins) forget() {
	o.mu.Lock()
	o.until = time.Time{}
	o.mu.Unlock()
}

// OriginAllowed reports whether a browser page of the origin may read our
// answers: it is the origin of a redirect URI of an enabled client. A
// loopback origin matches on any port (RFC 8252 §7.3). When the store cannot
// be asked, the last known answer stands for its TTL and then it is no.
func (s *Service) OriginAllowed(ctx context.Context, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || len(origin) > 255 ||
		u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	known := s.knownOrigins(ctx)
	if _, ok := known[origin]; ok {
		return true
	}
	if u.Scheme == "http" && isLoopbackName(u.Hostname()) {
		_, ok := known[u.Scheme+"://"+bracket(u.Hostname())]
		return ok
	}
	return false
}

func (s *Service) knownOrigins(ctx context.Context) map[string]struct{} {
	s.origins.mu.Lock()
	defer s.origins.mu.Unlock()
	now := time.Now()
	if now.Before(s.origins.until) {
		return s.origins.known
	}
	list, err := s.store.Origins(ctx)
	if err != nil {
		return nil
	}
	known := make(map[string]struct{}, len(list))
	for _, o := range list {
		known[o] = struct{}{}
	}
	s.origins.known, s.origins.until = known, now.Add(s.cfg.TTL)
	return known
}

// isLoopbackName reports whether the host is a loopback IP literal or localhost.
func isLoopbackName(host string) bool {
	return host == "localhost" || isLoopbackIP(host)
}

// isLoopbackIP reports whether the host is a loopback IP literal.
func isLoopbackIP(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// bracket writes a host as a URL does.
func bracket(host string) string {
	if net.ParseIP(host) != nil && len(host) > 0 && containsColon(host) {
		return "[" + host + "]"
	}
	return host
}

func containsColon(s string) bool {
	for i := range len(s) {
		if s[i] == ':' {
			return true
		}
	}
	return false
}
