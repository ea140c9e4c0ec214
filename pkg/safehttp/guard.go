package safehttp

import (
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// control is net.Dialer.Control: it sees the address that is about to be
// connected to, after every lookup, so a name that changes its mind between
// check and use gains nothing.
type control func(network, address string, raw syscall.RawConn) error

// guard decides which addresses may be connected to.
type guard struct {
	allow  []netip.Prefix
	global *ssrf.Guardian
}

func newGuard(allow []netip.Prefix) *guard {
	var v4, v6 []netip.Prefix
	for _, p := range allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return &guard{
		allow: allow,
		global: ssrf.New(
			ssrf.WithAnyPort(), // key sets are served on many ports; the address is what counts
			ssrf.WithAllowedV4Prefixes(v4...),
			ssrf.WithAllowedV6Prefixes(v6...),
		),
	}
}

// public lets through what is public or allowed: for https.
func (g *guard) public(network, address string, raw syscall.RawConn) error {
	return g.global.Safe(network, address, raw)
}

// allowed lets through what is allowed: for plain http, whose answers anybody
// on the way could forge.
func (g *guard) allowed(network, address string, raw syscall.RawConn) error {
	if err := g.global.Safe(network, address, raw); err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address of the connection: %w", err)
	}
	for _, p := range g.allow {
		if p.Contains(target.Addr()) {
			return nil
		}
	}
	return fmt.Errorf("plain http is not spoken to %s", target.Addr())
}
