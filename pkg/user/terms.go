package user

import (
	"context"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
)

// AcceptTerms records that the person accepted the version of the terms of
// service, and when. Accepting the same version again changes nothing: the
// first time is the one that counts.
func (s *Service) AcceptTerms(ctx context.Context, id, version string) error {
	changed := false
	_, err := s.Change(ctx, id, func(_ context.Context, u *User) error {
		if changed = u.TermsVersion != version; changed {
			u.TermsVersion, u.TermsAcceptedAt = version, clock.Now()
		}
		return nil
	})
	if err == nil && changed {
		s.audit.Record(ctx, audit.Event{Name: audit.TermsAccepted, Actor: id, UserID: id, Data: map[string]string{"version": version}})
	}
	return err
}
