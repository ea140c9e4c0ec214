package limit

import (
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// mailbox is the kind under which an address is fingerprinted: counters hold
// none.
const mailbox secret.Kind = "mailbox"

// MailboxKey returns the key under which a mailbox is counted, the same for
// every spelling of its address and whoever has an account with it.
func MailboxKey(fp *secret.Fingerprinter, email string) string {
	return fp.Of(mailbox, user.Normalise(email))
}
