package keyring

import (
	"github.com/portico-id/portico/pkg/clock"
)

// Trusts reports whether the key of the kid still verifies tokens of the
// purpose: it is published and was not revoked. Whoever remembers that a
// token was verified asks it again before every use.
func (r *Ring) Trusts(p Purpose, kid string) bool {
	k := r.state.Load().keys[kid]
	return k != nil && k.public != nil && k.row.Purpose == p && !k.over(clock.Now())
}
