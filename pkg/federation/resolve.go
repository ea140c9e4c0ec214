package federation

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/user"
)

// Decision is what becomes of a sign-in elsewhere.
type Decision int

// Decisions.
const (
	Refused Decision = iota // Outcome.Refusal says why
	Known                   // somebody here has the account there
	Created                 // an account was made for them just now
	Proof                   // they have to sign in here first, to show that the account of the address is theirs
)

// Outcome is what a sign-in elsewhere leads to.
type Outcome struct {
	Decision Decision
	// User is who signs in, or for Proof whose account has the address.
	User *user.User
	// Upstream is what the session remembers of the sign-in.
	Upstream *flow.Upstream
	// Link is what the flow keeps until the account is proven; for Proof.
	Link *flow.Link
	// Refusal is ready for a page: kind Denied, its code one of this package.
	Refusal *fault.Error
}

// attempts bounds how often a sign-in is looked at anew because another one of
// the same person was quicker.
const attempts = 4

// errRaced says that another sign-in was quicker.
var errRaced = errors.New("federation: another sign-in was quicker")

// Resolve decides what a checked sign-in at the provider does here: it finds
// whose it is, makes an account, asks for a proof, or refuses. The error says
// that it cannot be decided now; then nothing changed.
func (s *Service) Resolve(ctx context.Context, p *Provider, who *Person) (Outcome, error) {
	for range attempts {
		out, err := s.resolve(ctx, p, who)
		if errors.Is(err, errRaced) {
			continue
		} else if err != nil {
			return Outcome{}, err
		}
		out.Upstream = upstreamOf(p, who)
		if out.Refusal != nil {
			s.refused(ctx, p, &out)
		}
		return out, nil
	}
	return Outcome{}, fault.Hide(errRaced, fault.Unavailable, codeUnavailable, "Please try again.").
		Under("security §11.10 a subject of an issuer is tied to one person")
}

func (s *Service) resolve(ctx context.Context, p *Provider, who *Person) (Outcome, error) {
	if why := mayCome(p, who); why != nil {
		return Outcome{Refusal: why}, nil
	}
	id, err := s.Store.Identity(ctx, who.Issuer, who.Subject)
	if err == nil {
		return s.known(ctx, p, who, id)
	} else if !fault.Is(err, fault.NotFound) {
		return Outcome{}, err
	}
	local, err := s.local(ctx, who)
	if err != nil {
		return Outcome{}, err
	}
	if local != nil {
		// Their account may have been made since the first look, by another
		// sign-in of the same person: both rows come at once.
		if _, err := s.Store.Identity(ctx, who.Issuer, who.Subject); err == nil {
			return Outcome{}, errRaced
		} else if !fault.Is(err, fault.NotFound) {
			return Outcome{}, err
		}
		return tieable(p, who, local), nil
	}
	if !p.Settings.Create {
		return Outcome{Refusal: refuse(CodeNoAccount, "the provider makes accounts",
			"Nobody here has this account yet. Sign in the way you always do, and connect it in your account.").
			WithHint("portico provider update %s --create lets people in who have no account", p.ID)}, nil
	}
	return s.create(ctx, p, who)
}

func (s *Service) refused(ctx context.Context, p *Provider, out *Outcome) {
	e := audit.Event{Name: audit.IdentityRefused, Data: map[string]string{"provider": p.ID, "reason": out.Refusal.Code}}
	if out.User != nil {
		e.UserID = out.User.ID
	}
	s.Audit.Record(ctx, e)
}

// mayCome refuses addresses of other domains than those of the provider's
// settings. An address that nobody vouches for is of no domain.
func mayCome(p *Provider, who *Person) *fault.Error {
	if len(p.Settings.Domains) == 0 {
		return nil
	}
	_, domain, _ := strings.Cut(user.Normalise(who.Email), "@")
	if who.EmailVerified && user.ValidEmail(who.Email) && slices.Contains(p.Settings.Domains, domain) {
		return nil
	}
	return refuse(CodeDomain, "the address is of a domain that may come in", "People with this e-mail address cannot come in this way.").
		Compare("domain", strings.Join(p.Settings.Domains, " "), domain).Compare("email_verified", "true", yes(who.EmailVerified))
}

// known lets somebody in whose account there is tied to one here.
func (s *Service) known(ctx context.Context, p *Provider, who *Person, id Identity) (Outcome, error) {
	u, err := s.Users.Get(ctx, id.UserID)
	if fault.Is(err, fault.NotFound) { // they left this moment, and their identities with them
		return Outcome{}, errRaced
	} else if err != nil {
		return Outcome{}, err
	}
	if u.Disabled {
		return Outcome{User: u, Refusal: disabled()}, nil
	}
	if u, err = s.sync(ctx, u, id, who); err != nil {
		return Outcome{}, err
	}
	return Outcome{Decision: Known, User: u}, nil
}

func disabled() *fault.Error {
	return refuse(CodeDisabled, "the person is enabled", "This account is disabled.").WithHint("portico user enable lets them in again")
}

// local returns who has the address here; nil: nobody.
func (s *Service) local(ctx context.Context, who *Person) (*user.User, error) {
	if !user.ValidEmail(who.Email) {
		return nil, nil
	}
	u, err := s.Users.ByIdentifier(ctx, who.Email)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return u, err
}

// tieable decides about somebody whose address has an account here. An address
// alone ties nothing (security §11.10): both sides must have it proven, and
// then the person still has to sign in here.
func tieable(p *Provider, who *Person, local *user.User) Outcome {
	out := Outcome{User: local}
	switch {
	case !who.EmailVerified:
		out.Refusal = refuse(CodeUnverified, "security §11.10 the provider vouches for the address",
			"There is an account with this e-mail address, and the other service does not say that the address is yours. Sign in the way you always do, and connect it in your account.").
			WithHint("if every address of this provider is known to be true: portico provider update %s --trust-email", p.ID)
	case local.Disabled:
		out.Refusal = disabled()
	case !local.EmailVerified:
		out.Refusal = refuse(CodeLocalUnverified, "security §11.10 the address of the account here is proven",
			"There is an account with this e-mail address, and nobody has confirmed the address yet. Sign in the way you always do, confirm it, and connect the other service in your account.")
	default:
		out.Decision = Proof
		out.Link = &flow.Link{UserID: local.ID, Label: label(who), At: clock.Now(), Upstream: *upstreamOf(p, who)}
	}
	return out
}

func upstreamOf(p *Provider, who *Person) *flow.Upstream {
	return &flow.Upstream{Provider: p.ID, Issuer: who.Issuer, Subject: who.Subject, Session: who.Session, IDToken: who.IDToken}
}

// maxLabel bounds what an account elsewhere is called, in bytes.
const maxLabel = 200

// label is how people know the account there.
func label(who *Person) string {
	for _, s := range []string{who.Label, who.Email} {
		s = strings.TrimSpace(s)
		if s != "" && len(s) <= maxLabel && !strings.ContainsFunc(s, unreadable) && !user.Invisible(s) {
			return s
		}
	}
	return ""
}
