package passkey

import (
	"context"

	"github.com/portico-id/portico/pkg/factor"
)

// Verify implements factor.Method: the form holds ceremony and credential, an
// answer to AskOf. Only a passkey of the person counts. Both at once needs no
// verification of the person by the authenticator: the first factor was one.
func (s *Service) Verify(ctx context.Context, a *factor.Attempt) ([]string, error) {
	at := place{purpose: toProve, browser: a.Browser, user: a.User.ID, flow: a.Flow.ID}
	found, err := s.assert(ctx, at, a.Form["ceremony"], a.Form["credential"])
	if err != nil {
		return nil, err
	}
	return found.Passkey.AMR(), nil
}
