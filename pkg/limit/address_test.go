package limit

import (
	"net/netip"
	"testing"
)

func TestAddressKey(t *testing.T) {
	tests := map[string]struct {
		addr    netip.Addr
		want    string
		network string
	}{
		"IPv4":                               {netip.MustParseAddr("203.0.113.7"), "203.0.113.7", "203.0.113.0/24"},
		"IPv4 in IPv6 is the IPv4 address":   {netip.MustParseAddr("::ffff:203.0.113.7"), "203.0.113.7", "203.0.113.0/24"},
		"IPv6 is counted by subscriber":      {netip.MustParseAddr("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64", "2001:db8:1::/48"},
		"a neighbour in the /64 is the same": {netip.MustParseAddr("2001:db8:1:2:ffff::1"), "2001:db8:1:2::/64", "2001:db8:1::/48"},
		"a zone makes no new key":            {netip.MustParseAddr("fe80::1%eth0"), "fe80::/64", "fe80::/48"},
		"absent":                             {netip.Addr{}, "none", "none"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := AddressKey(tt.addr); got != tt.want {
				t.Errorf("AddressKey(%v) = %q, want %q", tt.addr, got, tt.want)
			}
			if got := NetworkKey(tt.addr); got != tt.network {
				t.Errorf("NetworkKey(%v) = %q, want %q", tt.addr, got, tt.network)
			}
		})
	}
}
