package federation

import (
	"context"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

// Bounds of identities.
const (
	// LinkFor is how long a sign-in elsewhere waits for the proof of the account
	// here.
	LinkFor = time.Hour
	// maxIdentities bounds those of one person.
	maxIdentities = 20
	// maxIDToken bounds the ID token that is kept as a hint for the logout.
	maxIDToken = 16 << 10
)

// Link ties a sign-in elsewhere to the account of the person, who has just
// proven that it is theirs. Linking what is theirs already changes nothing.
// Faults: Gone when the sign-in is too old, its provider is no more, or the
// person may not sign in; Conflict, code CodeLinked, when somebody else has it,
// and when the person has too many.
func (s *Service) Link(ctx context.Context, l *flow.Link) error {
	if age := clock.Since(l.At); age > LinkFor || age < -time.Minute {
		return fault.New(fault.Gone, "link_over", "Signing in with the other service took too long. Please do it again.").
			Under("a sign-in elsewhere waits for an hour")
	}
	p, err := s.active(ctx, l.Upstream.Provider)
	if fault.Is(err, fault.NotFound) {
		return fault.Hide(err, fault.Gone, "link_over", "This way to sign in is no more.")
	} else if err != nil {
		return err
	}
	fresh := false
	_, err = s.Users.Change(ctx, l.UserID, func(ctx context.Context, u *user.User) error {
		if u.Disabled {
			return fault.New(fault.Gone, "link_over", "This account is disabled.").Under("the person is enabled")
		}
		if fresh, err = s.tie(ctx, p, l); err != nil || !fresh {
			return err
		}
		return s.tell(ctx, u, letterLinked, p, l.Label)
	})
	if fault.Is(err, fault.NotFound) {
		return fault.Hide(err, fault.Gone, "link_over", "This account is no more.")
	} else if err != nil {
		return err
	}
	if fresh {
		s.linked(ctx, l.UserID, p.ID, "")
	}
	return nil
}

// tie writes the identity, unless the person has it. Nobody else changes the
// person meanwhile.
func (s *Service) tie(ctx context.Context, p *Provider, l *flow.Link) (fresh bool, err error) {
	have, err := s.Store.Identity(ctx, l.Upstream.Issuer, l.Upstream.Subject)
	switch {
	case err == nil && have.UserID == l.UserID:
		return false, nil
	case err == nil:
		return false, taken()
	case !fault.Is(err, fault.NotFound):
		return false, err
	}
	all, err := s.Store.IdentitiesOf(ctx, l.UserID)
	if err != nil {
		return false, err
	}
	if len(all) >= maxIdentities {
		return false, fault.New(fault.Conflict, "too_many_identities", "You have connected too many accounts. Remove one first.").
			Under("security §0.4 a person has a bounded number of identities")
	}
	err = s.Store.Link(ctx, Identity{
		ID: secret.ID(), Issuer: l.Upstream.Issuer, Subject: l.Upstream.Subject, Provider: p.ID, UserID: l.UserID,
		Label: label(&Person{Label: l.Label}), LinkedAt: now(), UsedAt: now(),
	})
	if fault.Is(err, fault.Conflict) {
		return false, taken()
	}
	return err == nil, err
}

func taken() *fault.Error {
	return fault.New(fault.Conflict, CodeLinked, "Somebody else here has connected this account.").
		Under("security §11.10 a subject of an issuer is tied to one person")
}

// Connect ties a checked sign-in at the provider to the account of the person
// who is signed in and asked for it. Faults as for Link, and Denied when the
// provider lets people of this address not in.
func (s *Service) Connect(ctx context.Context, p *Provider, who *Person, userID string) error {
	if why := mayCome(p, who); why != nil {
		s.refused(ctx, p, &Outcome{User: &user.User{ID: userID}, Refusal: why})
		return why
	}
	return s.Link(ctx, &flow.Link{UserID: userID, Label: label(who), At: clock.Now(), Upstream: *upstreamOf(p, who)})
}

func (s *Service) linked(ctx context.Context, userID, provider, sessionID string) {
	s.Audit.Record(ctx, audit.Event{
		Name: audit.IdentityLinked, Actor: userID, UserID: userID, SessionID: sessionID, Data: map[string]string{"provider": provider},
	})
}

// Identities returns those of a person in the order of linking.
func (s *Service) Identities(ctx context.Context, userID string) ([]Identity, error) {
	return s.Store.IdentitiesOf(ctx, userID)
}

// Unlinking says which identity goes.
type Unlinking struct {
	UserID, ID string
	// Actor is who does it: the person, or "shell".
	Actor string
	// SessionID is in which session it is done, and stays; empty: in none.
	SessionID string
}

// Unlink unties an identity of the person, takes the roles that it gave, and
// ends the other sessions that came from it. Faults: NotFound when it is not
// theirs; Conflict, code CodeLastWay, when they would have no way in.
func (s *Service) Unlink(ctx context.Context, un Unlinking) error {
	var gone Identity
	_, err := s.Users.Change(ctx, un.UserID, func(ctx context.Context, u *user.User) error {
		all, err := s.Store.IdentitiesOf(ctx, u.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(i Identity) bool { return i.ID == un.ID })
		if i < 0 {
			return fault.New(fault.NotFound, "not_found", "There is no such connection.").Under("security §11.10 people untie what is theirs")
		}
		gone = all[i]
		if err := s.another(ctx, u, len(all)-1); err != nil {
			return err
		}
		u.Roles, _ = mix(u.Roles, nil, gone.ID, all)
		if err := s.Store.Unlink(ctx, u.ID, gone.ID); err != nil {
			return err
		}
		p, err := s.Get(ctx, gone.Provider)
		if fault.Is(err, fault.NotFound) {
			p, err = &Provider{Name: gone.Provider}, nil
		}
		if err != nil {
			return err
		}
		return s.tell(ctx, u, letterUnlinked, p, gone.Label)
	})
	if err != nil {
		return err
	}
	s.Audit.Record(ctx, audit.Event{
		Name: audit.IdentityUnlinked, Actor: un.Actor, UserID: un.UserID, SessionID: un.SessionID, Data: map[string]string{"provider": gone.Provider},
	})
	return s.endFrom(ctx, gone.Issuer, gone.Subject, "", un.SessionID, "identity unlinked")
}

// another refuses when the person has no other way in.
func (s *Service) another(ctx context.Context, u *user.User, left int) error {
	if left > 0 || slices.Contains(u.Factors, string(assurance.Passkey)) {
		return nil
	}
	has, err := s.Passwords.Has(ctx, u.ID)
	if err != nil || has {
		return err
	}
	return fault.New(fault.Conflict, CodeLastWay, "This is your only way to sign in. Set a password or add a passkey first.").
		Under("the last way in stays").Compare("other ways in", "at least one", "none")
}

// endFrom ends the sessions that came from a subject, or a session, there.
func (s *Service) endFrom(ctx context.Context, issuer, subject, sid, except, why string) error {
	ids, err := s.Store.OriginsFrom(ctx, issuer, subject, sid, clock.Now())
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id == except {
			continue
		}
		if err := s.Sessions.End(ctx, id, why); err != nil {
			return err
		}
	}
	return nil
}

// Started notes which session comes from the sign-in, and keeps the ID token
// sealed for the logout there.
func (s *Service) Started(ctx context.Context, started *session.Session, from *flow.Upstream) error {
	o := Origin{
		SessionID: started.ID, Provider: from.Provider, Issuer: from.Issuer, Subject: from.Subject, Session: from.Session,
		CreatedAt: now(), ExpiresAt: started.ExpiresAt,
	}
	if from.IDToken != "" && len(from.IDToken) <= maxIDToken {
		o.Sealed = s.Sealer.Seal(originPlace(started.ID), []byte(from.IDToken))
	}
	return s.Store.PutOrigin(ctx, o)
}

func originPlace(sessionID string) string { return "origin/" + sessionID }

// OriginOf returns where a session comes from, with the ID token of the
// sign-in, or fault.NotFound.
func (s *Service) OriginOf(ctx context.Context, sessionID string) (o Origin, idToken string, err error) {
	if o, err = s.Store.OriginOf(ctx, sessionID); err != nil || len(o.Sealed) == 0 {
		return o, "", err
	}
	plain, err := s.Sealer.Open(originPlace(sessionID), o.Sealed)
	if err != nil { // the key is no more: they sign out there by hand
		return o, "", nil
	}
	return o, string(plain), nil
}

// DeleteExpired removes at most limit origins of sessions that are over.
func (s *Service) DeleteExpired(ctx context.Context, limit int) (int, error) {
	return s.Store.DeleteExpiredOrigins(ctx, clock.Now(), limit)
}
