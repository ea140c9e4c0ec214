package limit

import "net/netip"

// AddressKey returns the key under which an address is counted: an IPv4
// address itself, for IPv6 the /64 that one subscriber has. An absent address
// (a unix socket) is a key of its own.
func AddressKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid():
		return "none"
	case addr.Is6():
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
	return addr.String()
}
