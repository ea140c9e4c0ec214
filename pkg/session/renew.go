package session

import (
	"context"

	"github.com/portico-id/portico/pkg/secret"
)

// Renew notes that the person proved again who they are, updates open, and
// returns a new cookie value; the old one is dead at once. The absolute limit
// stays, and so does the wish to stay signed in. fault.Conflict when the
// session is over, or was renewed meanwhile. Not inside a transaction.
func (s *Service) Renew(ctx context.Context, open *Session, acr string, amr []string) (token string, err error) {
	return s.turn(ctx, open, Renewal{AuthTime: stamp(), ACR: acr, AMR: amr, Remembered: open.Remembered, Trusted: open.Trusted})
}

// StepUp notes that the person proved another factor besides those of the
// session, updates open, and returns a new cookie value; the old one is dead
// at once. The time of the sign-in stays: it is that of the oldest factor.
// fault.Conflict as with Renew. Not inside a transaction.
func (s *Service) StepUp(ctx context.Context, open *Session, acr string, amr []string) (token string, err error) {
	return s.turn(ctx, open, Renewal{AuthTime: open.AuthTime, ACR: acr, AMR: amr, Remembered: open.Remembered})
}

// Rotate gives an open session a new cookie value, updates open, and returns
// the value; the old one is dead at once. Nothing is proven by it: when and
// how the person signed in stays as it is. fault.Conflict as with Renew. Not
// inside a transaction.
func (s *Service) Rotate(ctx context.Context, open *Session) (token string, err error) {
	return s.turn(ctx, open, Renewal{AuthTime: open.AuthTime, ACR: open.ACR, AMR: open.AMR, Remembered: open.Remembered, Trusted: open.Trusted})
}

// turn gives an open session a new cookie and what next says. The copies of
// the old one are dropped before, so that a cache that is away stops the turn
// while the person still has a cookie, and after it as at every end.
func (s *Service) turn(ctx context.Context, open *Session, next Renewal) (token string, err error) {
	token = secret.New(secret.SessionCookie)
	next.ID, next.OldHash, next.Hash = open.ID, open.Hash, s.fp.Of(secret.SessionCookie, token)
	next.At = stamp()
	next.IdleExpiresAt = next.At.Add(s.idle(next.Remembered))
	if err := s.forget(ctx, next.OldHash); err != nil {
		return "", err
	}
	if err := s.store.Renew(ctx, next); err != nil {
		return "", err
	}
	if err := s.forget(ctx, next.OldHash); err != nil {
		return "", err
	}
	open.Hash, open.AuthTime, open.ACR, open.AMR = next.Hash, next.AuthTime, next.ACR, next.AMR
	open.LastSeenAt, open.IdleExpiresAt, open.Remembered = next.At, next.IdleExpiresAt, next.Remembered
	open.Trusted = next.Trusted
	s.keep(ctx, Copy{*open, next.At.Add(CopyLife)})
	return token, nil
}
