package client

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// origins is the cached answer of Store.Origins. One request asks the store,
// the others wait for it; a failure is remembered for a moment, so that a
// store that hangs does not make them queue.
type origins struct {
	last  atomic.Pointer[knownOrigins]
	loads singleflight.Group
}

type knownOrigins struct {
	set   map[string]struct{} // nil: could not be read
	until time.Time
}

func (o *origins) forget() {
	o.loads.Forget("")
	o.last.Store(nil)
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
	if last := s.origins.last.Load(); last != nil && time.Now().Before(last.until) {
		return last.set
	}
	done := s.origins.loads.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		before := s.epoch.n.Load()
		next := s.loadOrigins(ctx)
		if s.epoch.n.Load() == before {
			s.origins.last.Store(next)
		}
		return next, nil
	})
	select {
	case r := <-done:
		return r.Val.(*knownOrigins).set
	case <-ctx.Done():
		return nil
	}
}

func (s *Service) loadOrigins(ctx context.Context) *knownOrigins {
	list, err := s.store.Origins(ctx)
	if err != nil {
		return &knownOrigins{until: time.Now().Add(s.cfg.MissingTTL)}
	}
	set := make(map[string]struct{}, len(list))
	for _, o := range list {
		set[o] = struct{}{}
	}
	return &knownOrigins{set: set, until: time.Now().Add(s.cfg.TTL)}
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
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
