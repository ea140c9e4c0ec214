package federation

import (
	"context"
	"slices"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// create makes an account for somebody who has none, tied to theirs at the
// provider: both or nothing. Nobody's word but the provider's stands for the
// address, so it makes none for an address that it does not vouch for: else
// somebody could take another's address and wait inside until they come.
func (s *Service) create(ctx context.Context, p *Provider, who *Person) (Outcome, error) {
	u := user.User{Roles: slices.Clone(s.cfg.Roles)}
	take(&u, p, who.Claims)
	if user.ValidEmail(who.Email) {
		if !who.EmailVerified {
			return Outcome{Refusal: refuse(CodeUnverified, "an account begins with a proven address",
				"The other service does not say that the e-mail address is yours. Create an account here first, and connect it there.").
				WithHint("if every address of this provider is known to be true: portico provider update %s --trust-email", p.ID)}, nil
		}
		u.Email, u.EmailVerified = who.Email, true
	}
	if err := s.dropTaken(ctx, &u); err != nil {
		return Outcome{}, err
	}
	if u.Email == "" && u.Username == "" {
		return Outcome{Refusal: refuse(CodeNoEmail, "an account has an address or a username",
			"The other service told us no e-mail address. Allow it there, or create an account here first.")}, nil
	}
	id := Identity{
		ID: secret.ID(), Issuer: who.Issuer, Subject: who.Subject, Provider: p.ID, Label: label(who), LinkedAt: now(), UsedAt: now(),
	}
	u.Roles, id.Roles = mix(u.Roles, who.Roles, "", nil)
	made, err := s.Users.Create(ctx, u, func(ctx context.Context, userID string) error {
		id.UserID = userID
		return s.Store.Link(ctx, id)
	})
	if fault.Is(err, fault.Conflict) {
		return Outcome{}, errRaced // the same person, or somebody who took address or username meanwhile
	} else if err != nil {
		return Outcome{}, err
	}
	s.linked(ctx, made.ID, p.ID, "")
	if made.EmailVerified {
		s.Audit.Record(ctx, audit.Event{Name: audit.EmailVerified, Actor: made.ID, UserID: made.ID, Data: map[string]string{"provider": p.ID}})
	}
	return Outcome{Decision: Created, User: made}, nil
}

// dropTaken lets go of a username that somebody has.
func (s *Service) dropTaken(ctx context.Context, u *user.User) error {
	if u.Username == "" {
		return nil
	}
	_, err := s.Users.ByIdentifier(ctx, u.Username)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	u.Username = ""
	return err
}
