package limit

import "net/netip"

// AddressKey returns the key under which an address is counted: an IPv4
// address itself, for IPv6 the /64 that one subscriber has. An absent address
// (a unix socket) is a key of its own.
func AddressKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	return around(addr, 64)
}

// NetworkKey returns the key of the network that an address belongs to: the
// /24 of an IPv4 address, the /48 of an IPv6 one, which is what one site has.
func NetworkKey(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return around(addr, 24)
	}
	return around(addr, 48)
}

func around(addr netip.Addr, bits int) string {
	if !addr.IsValid() {
		return "none"
	}
	return netip.PrefixFrom(addr, bits).Masked().String()
}
