package ldap

import (
	"encoding/binary"
	"fmt"
)

// guidText writes the sixteen bytes of an objectGUID as everybody reads them.
// Active Directory keeps the first three fields with their lowest byte first
// (MS-DTYP §2.3.4), the other eight bytes in order.
func guidText(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:])
}
