package gormstore

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Origins implements client.Store.
func (s *Clients) Origins(ctx context.Context) ([]string, error) {
	seen := map[string]bool{}
	err := s.db.each(ctx, "clients.origins", "SELECT redirect_uris FROM clients WHERE NOT disabled", func(rows rower) error {
		var uris list
		if err := rows.Scan(&uris); err != nil {
			return err
		}
		for _, uri := range uris {
			if o := origin(uri); o != "" {
				seen[o] = true
			}
		}
		return nil
	})
	out := make([]string, 0, len(seen))
	for o := range seen {
		out = append(out, o)
	}
	slices.Sort(out)
	return out, err
}

// origin returns the origin of a web address as browsers write it (RFC 6454
// §6.2), or "" when it has none. A loopback one of plain http goes without
// its port, which is another at each start (RFC 8252 §7.3).
func origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if u.Scheme == "http" && (host == "localhost" || net.ParseIP(host).IsLoopback()) {
		port = ""
	}
	if (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}
