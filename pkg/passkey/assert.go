package passkey

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/mail/notice"
	ours "github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Why a passkey did not count: for the operator alone. The person always reads
// the same.
const (
	reasonUnknown   = "nobody has this passkey"
	reasonHandle    = "it names another person than it is of"
	reasonOther     = "it is of another person"
	reasonDisabled  = "person is disabled"
	reasonSuspended = "it is suspended"
	reasonCounter   = "its counter went back"
	reasonRaced     = "it was used at the same moment"
	reasonWay       = "the application allows no passkeys"
)

// now is the time as stores keep it.
func now() time.Time { return clock.Now().UTC().Truncate(time.Microsecond) }

// refused is the one answer about a passkey that did not pass.
func refused(clause string, cause error) *fault.Error {
	err := fault.New(fault.Unauthenticated, "passkey_refused", "This passkey did not work here.").Under(clause)
	if lib, ok := errors.AsType[*protocol.Error](cause); ok {
		err = err.Compare("passkey", "verified", saying(lib))
	}
	if cause != nil {
		err = err.Because(cause)
	}
	return err
}

// saying is what the library found, for the operator. What it compared is
// added where that is no challenge.
func saying(lib *protocol.Error) string {
	if lib.Type == protocol.ErrVerification.Type && strings.Contains(lib.Details, "authenticator response") {
		return lib.Details + ": " + strings.TrimSpace(lib.DevInfo)
	}
	return lib.Details
}

func because(reason string) *fault.Error {
	return refused("WebAuthn §7.2 the passkey is of this person, who is not disabled, and was not copied", nil).
		Compare("passkey", "accepted", reason)
}

// AskAny asks the browser for any passkey of this server, whosever it is: the
// first step of a sign-in. It must have verified its person.
func (s *Service) AskAny(ctx context.Context, browser, flow string) (*Asked, error) {
	options, session, err := s.web.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	return s.ask(ctx, place{purpose: toLogin, browser: browser, flow: flow}, options, session)
}

// AskOf asks the browser for a passkey of the person: a second factor.
// fault.Conflict, code "no_passkey", when they have none that may be used.
func (s *Service) AskOf(ctx context.Context, browser, flow string, u *user.User) (*Asked, error) {
	keys, err := s.Store.OfUser(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	who := person{user: u}
	for _, k := range keys {
		if !k.Suspended() {
			who.keys = append(who.keys, k)
		}
	}
	if len(who.keys) == 0 {
		return nil, fault.New(fault.Conflict, "no_passkey", "There is no passkey that can be used here.").
			Under("WebAuthn §7.2 the person has a passkey that is not suspended")
	}
	options, session, err := s.web.BeginLogin(who, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return nil, err
	}
	return s.ask(ctx, place{purpose: toProve, browser: browser, user: u.ID, flow: flow}, options, session)
}

func (s *Service) ask(ctx context.Context, at place, options *protocol.CredentialAssertion, session *webauthn.SessionData) (*Asked, error) {
	id, err := s.hold(ctx, at, session)
	if err != nil {
		return nil, err
	}
	return &Asked{Ceremony: id, PublicKey: options.Response}, nil
}

// Found is who answered, and by what.
type Found struct {
	User    *user.User
	Passkey Passkey
	// Verified holds when the authenticator verified the person.
	Verified bool
}

// Identify returns whose passkey answered AskAny. Faults: Gone when the
// ceremony is over or another's; Unauthenticated for every reason of the
// passkey and of the person, so that nobody learns which.
func (s *Service) Identify(ctx context.Context, browser, flow, ceremonyID, answer string) (*Found, error) {
	return s.assert(ctx, place{purpose: toLogin, browser: browser, flow: flow}, ceremonyID, answer)
}

// assert spends the ceremony and checks an answer as WebAuthn §7.2 says.
func (s *Service) assert(ctx context.Context, at place, ceremonyID, answer string) (*Found, error) {
	asked, err := s.claim(ctx, at, ceremonyID)
	if err != nil {
		return nil, err
	}
	parsed, err := parse(answer, protocol.ParseCredentialRequestResponseBytes)
	if err != nil {
		return nil, err
	}
	found, err := s.whose(ctx, at, parsed)
	if err != nil {
		return found, err
	}
	if err := s.verify(asked, at, found, parsed); err != nil {
		return found, err
	}
	switch {
	case found.User.Disabled:
		return found, because(reasonDisabled)
	case found.Passkey.Suspended():
		return found, because(reasonSuspended)
	}
	return found, s.count(ctx, found, parsed)
}

// whose finds the passkey that answered, and its owner. What is not of the
// person that the place knows is nobody's.
func (s *Service) whose(ctx context.Context, at place, parsed *protocol.ParsedCredentialAssertionData) (*Found, error) {
	key, err := s.Store.ByCredential(ctx, base64.RawURLEncoding.EncodeToString(parsed.RawID))
	if fault.Is(err, fault.NotFound) {
		return nil, because(reasonUnknown)
	} else if err != nil {
		return nil, err
	}
	switch handle := parsed.Response.UserHandle; {
	case at.user != "" && key.UserID != at.user:
		return nil, because(reasonOther)
	case len(handle) == 0 && at.user == "", len(handle) > 0 && !bytes.Equal(handle, []byte(key.UserID)):
		return nil, because(reasonHandle)
	}
	u, err := s.People.Get(ctx, key.UserID)
	if fault.Is(err, fault.NotFound) {
		return nil, because(reasonUnknown)
	} else if err != nil {
		return nil, err
	}
	return &Found{User: u, Passkey: key, Verified: parsed.Response.AuthenticatorData.Flags.HasUserVerified()}, nil
}

// verify checks challenge, origin, relying party, presence and verification of
// the person, backup state and signature.
func (s *Service) verify(asked *ceremony, at place, found *Found, parsed *protocol.ParsedCredentialAssertionData) error {
	who := person{found.User, []Passkey{found.Passkey}}
	var err error
	if at.user != "" {
		_, err = s.web.ValidateLogin(who, s.session(asked, who.WebAuthnID()), parsed)
	} else {
		found := func(_, _ []byte) (webauthn.User, error) { return who, nil }
		_, err = s.web.ValidateDiscoverableLogin(found, s.session(asked, nil), parsed)
	}
	if err != nil {
		return refused("WebAuthn §7.2 the answer is to our challenge, for this site, and signed by the passkey", err)
	}
	return nil
}

// count notes the use. A counter that does not go up although there is one
// means that two authenticators answer as one (WebAuthn §6.1.1): then the
// passkey opens nothing any more.
func (s *Service) count(ctx context.Context, found *Found, parsed *protocol.ParsedCredentialAssertionData) error {
	key, data := &found.Passkey, &parsed.Response.AuthenticatorData
	old, count := key.SignCount, data.Counter
	if (old != 0 || count != 0) && count <= old {
		if err := s.suspend(ctx, found); err != nil {
			return err
		}
		return refused("WebAuthn §6.1.1 the counter of a passkey goes up", nil).
			Compare("counter", "above "+strconv.FormatUint(uint64(old), 10), strconv.FormatUint(uint64(count), 10)).
			Compare("passkey", "accepted", reasonCounter)
	}
	err := s.Store.Use(ctx, key.ID, old, count, data.Flags.HasBackupState(), now())
	if fault.Is(err, fault.Conflict) {
		return because(reasonRaced).Because(err)
	}
	return err
}

// suspend keeps a passkey from answering, and tells its owner once.
func (s *Service) suspend(ctx context.Context, found *Found) error {
	u := found.User
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.Store.Suspend(ctx, found.Passkey.ID, now()); err != nil {
			return err
		}
		if u.Email == "" {
			return nil
		}
		err := s.Letters.Queue(ctx, notice.Owner(u), templates.Letter{
			Key: "passkey_suspended", Name: u.Name, URL: s.URL(ours.PathAccountPasskeys),
			Facts: append([]templates.Fact{{Key: "factor", Value: fault.Clip(found.Passkey.Name)}}, notice.Circumstances(ctx)...),
		})
		if fault.CodeOf(err) == mail.CodeDisabled {
			return nil
		}
		return err
	})
	if fault.Is(err, fault.Conflict) {
		return nil // by another answer at the same moment
	} else if err != nil {
		return err
	}
	s.Audit.Record(ctx, audit.Event{
		Name: audit.PasskeySuspended, Actor: u.ID, UserID: u.ID, Data: map[string]string{"name": found.Passkey.Name},
	})
	return nil
}
