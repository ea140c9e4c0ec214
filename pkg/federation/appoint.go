package federation

import (
	"context"
	"strings"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/user"
)

// Appoint ties somebody of a directory to the account of a person by the word
// of an operator, who can see both: no proof is asked. Faults: Invalid when
// the provider is none whose people an operator can see, or the subject cannot
// be one; Conflict, code CodeLinked, when somebody else has it; NotFound.
func (s *Service) Appoint(ctx context.Context, userID, provider, subject, actor string) error {
	p, err := s.Get(ctx, provider)
	if err != nil {
		return err
	}
	if p.Interactive() {
		return invalid("kind", "people of this kind of provider connect their accounts themselves, after a proof", string(p.Kind))
	}
	if subject == "" || len(subject) > maxSubject || strings.ContainsFunc(subject, unreadable) {
		return invalid("subject", "a subject has 1 to 255 characters", fault.Clip(subject))
	}
	link := &flow.Link{UserID: userID, At: clock.Now(), Upstream: flow.Upstream{Provider: p.ID, Issuer: "ldap:" + p.ID, Subject: subject}}
	fresh := false
	_, err = s.Users.Change(ctx, userID, func(ctx context.Context, _ *user.User) error {
		fresh, err = s.tie(ctx, p, link)
		return err
	})
	if err != nil || !fresh {
		return err
	}
	s.Audit.Record(ctx, audit.Event{Name: audit.IdentityLinked, Actor: actor, UserID: userID, Data: map[string]string{"provider": p.ID}})
	return nil
}
