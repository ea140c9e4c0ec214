package session

import (
	"context"

	"github.com/portico-id/portico/pkg/secret"
)

// Rotate gives an open session a new cookie value, updates open, and returns
// the value; the old one is dead at once. Nothing is proven by it: when and
// how the person signed in stays as it is. fault.Conflict when the session has
// ended.
func (s *Service) Rotate(ctx context.Context, open *Session) (token string, err error) {
	token = secret.New(secret.SessionCookie)
	hash := s.fp.Of(secret.SessionCookie, token)
	if err := s.store.Renew(ctx, open.ID, hash, open.AuthTime, open.ACR, open.AMR); err != nil {
		return "", err
	}
	open.Hash = hash
	return token, nil
}
