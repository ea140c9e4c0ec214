package login

import (
	"net/http"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/user"
)

// Prove checks a password of the person outside of a sign-in, with the
// counters of one: a page that takes passwords elsewhere gives nobody more
// guesses. It signs nobody in. Faults: as a sign-in has them; the reasons of
// Unauthenticated are told to the operator alone.
func (h *Handler) Prove(r *http.Request, u *user.User, plain string) error {
	found, err := h.attempt(r.Context(), &visit.Visit{Flow: &flow.Flow{}}, h.device(r), loginOf(u), plain)
	if err != nil {
		return err
	}
	if got := found.id(); got != u.ID {
		return fault.New(fault.Unauthenticated, "login_failed", "That username and password do not match.").
			Under("OWASP ASVS 6.3.8 the person exists, is not disabled, and the password is right").
			Compare("person", u.ID, got)
	}
	return nil
}
