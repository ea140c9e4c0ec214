package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how many addresses of X-Forwarded-For are looked at.
const maxHops = 32

// remote returns the address of the client: the peer's, or, when the peer is a
// trusted proxy, the last address of X-Forwarded-For that is not one. The
// header is read from right to left, because only the right end was written
// by somebody we trust; what cannot be read ends the walk. The zero address
// means that the peer has none (a unix socket).
func (k *Kit) remote(r *http.Request) netip.Addr {
	addr := parseHop(r.RemoteAddr)
	hops := r.Header["X-Forwarded-For"]
	for i, seen := len(hops)-1, 0; i >= 0; i-- {
		list := strings.Split(hops[i], ",")
		for j := len(list) - 1; j >= 0; j-- {
			if !k.trusted(addr) || seen >= maxHops {
				return addr
			}
			seen++
			next := parseHop(list[j])
			if !next.IsValid() {
				return addr
			}
			addr = next
		}
	}
	return addr
}

func (k *Kit) trusted(addr netip.Addr) bool {
	if !addr.IsValid() {
		return false
	}
	for _, p := range k.cfg.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without port, as proxies write them.
func parseHop(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
