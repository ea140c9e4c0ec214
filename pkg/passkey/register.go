package passkey

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// AskNew asks the browser for a new passkey of the person: one that needs no
// name to be found, made by an authenticator that verifies them, and none that
// they have already. fault.Conflict, code "too_many", when they have as many
// as they may.
func (s *Service) AskNew(ctx context.Context, browser string, u *user.User) (*Asked, error) {
	keys, err := s.Store.OfUser(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	if len(keys) >= Most {
		return nil, tooMany(len(keys))
	}
	who := person{u, keys}
	options, session, err := s.web.BeginRegistration(who,
		webauthn.WithCredentialParameters(algorithms), webauthn.WithExclusions(who.descriptors()),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired}),
		webauthn.WithResidentKeyRequirement(protocol.ResidentKeyRequirementRequired))
	if err != nil {
		return nil, err
	}
	id, err := s.hold(ctx, place{purpose: toRegister, browser: browser, user: u.ID}, session)
	if err != nil {
		return nil, err
	}
	return &Asked{Ceremony: id, PublicKey: options.Response}, nil
}

func tooMany(n int) *fault.Error {
	return fault.New(fault.Conflict, "too_many", "There are as many passkeys as one account may have.").
		Under("security §0.4 a count limit").Compare("passkeys", "at most "+strconv.Itoa(Most), strconv.Itoa(n+1))
}

// Register adds the passkey that the browser made for the person. Faults: Gone
// when the ceremony is over or another's; Unauthenticated when the answer does
// not pass; Denied, code "passkey_model", when this server takes no such
// authenticators; Conflict, code "passkey_known", when it is somebody's
// already, and "too_many".
func (s *Service) Register(ctx context.Context, c factor.Change, browser string, u *user.User, ceremonyID, answer string) (*Passkey, error) {
	asked, err := s.claim(ctx, place{purpose: toRegister, browser: browser, user: u.ID}, ceremonyID)
	if err != nil {
		return nil, err
	}
	made, err := s.created(asked, u, answer)
	if err != nil {
		return nil, err
	}
	made.ID, made.UserID, made.Name = secret.ID(), u.ID, c.Name
	made.CreatedAt = now()
	c.Kind = assurance.Passkey
	err = s.Keeper.Add(ctx, c, func(ctx context.Context, u *user.User) error {
		keys, err := s.Store.OfUser(ctx, u.ID)
		if err != nil {
			return err
		}
		if len(keys) >= Most {
			return tooMany(len(keys))
		}
		err = s.Store.Create(ctx, *made)
		if fault.Is(err, fault.Conflict) {
			return fault.New(fault.Conflict, "passkey_known", "This passkey is in use already.").
				Under("WebAuthn §7.1 the credential id belongs to nobody yet").Because(err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// created checks an answer as WebAuthn §7.1 says and returns what it made.
func (s *Service) created(asked *ceremony, u *user.User, answer string) (*Passkey, error) {
	parsed, err := parseNew(answer)
	if err != nil {
		return nil, err
	}
	got, err := s.web.CreateCredential(person{user: u}, s.session(asked, []byte(u.ID)), parsed)
	if err != nil {
		return nil, refused("WebAuthn §7.1 the answer is ours, new, and of an authenticator that verified the person", err)
	}
	if len(got.ID) > maxID || len(got.PublicKey) > maxKey {
		return nil, refused("WebAuthn §7.1 a credential id has at most 1023 bytes, and a key is bounded", nil)
	}
	made := &Passkey{
		CredentialID: base64.RawURLEncoding.EncodeToString(got.ID), PublicKey: got.PublicKey, SignCount: got.Authenticator.SignCount,
		AAGUID: aaguid(got.Authenticator.AAGUID), Transports: transports(got.Transport),
		BackupEligible: got.Flags.BackupEligible, BackedUp: got.Flags.BackupState, UserVerified: got.Flags.UserVerified,
	}
	if !s.cfg.Attestation {
		return made, nil
	}
	if err := s.vouched(parsed, clock.Now()); err != nil {
		return nil, err
	}
	if len(s.cfg.AAGUIDs) > 0 && !slices.ContainsFunc(s.cfg.AAGUIDs, func(model string) bool { return strings.EqualFold(model, made.AAGUID) }) {
		return nil, model("WebAuthn §7.1 the model of the authenticator is one of those that may be added").
			Compare("aaguid", strings.Join(s.cfg.AAGUIDs, " "), made.AAGUID).WithHint("the setting is passkey_aaguids")
	}
	made.Attested = true
	return made, nil
}

// parseNew reads an answer to a registration. The library trusts what it is
// given to be read; a stranger sent this.
func parseNew(answer string) (*protocol.ParsedCredentialCreationData, error) {
	return parse(answer, protocol.ParseCredentialCreationResponseBytes)
}

func parse[T any](answer string, with func([]byte) (T, error)) (parsed T, err error) {
	if len(answer) > maxCredential {
		return parsed, refused("security §0.4 the answer of a browser is bounded", nil).
			Compare("bytes", "at most "+strconv.Itoa(maxCredential), strconv.Itoa(len(answer)))
	}
	if !utf8JSON(answer) {
		return parsed, refused("WebAuthn §5.1 the answer is the JSON of a credential", nil)
	}
	parsed, err = with([]byte(answer))
	if err != nil {
		return parsed, refused("WebAuthn §5.1 the answer is the JSON of a credential", err)
	}
	return parsed, nil
}

// utf8JSON refuses what cannot be the object that our script writes.
func utf8JSON(answer string) bool {
	return strings.HasPrefix(answer, "{") && bytes.IndexFunc([]byte(answer), func(r rune) bool { return r == unicode.ReplacementChar || r == 0 }) < 0
}

// aaguid writes the id of a model as people do: 8-4-4-4-12.
func aaguid(raw []byte) string {
	if len(raw) != 16 {
		return ""
	}
	s := hex.EncodeToString(raw)
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// transports keeps those of a browser's words that look like one.
func transports(said []protocol.AuthenticatorTransport) []string {
	kept := []string{}
	for _, one := range said {
		word := string(one)
		plain := word != "" && len(word) <= maxTransport && strings.IndexFunc(word, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' }) < 0
		if plain && len(kept) < maxTransports && !slices.Contains(kept, word) {
			kept = append(kept, word)
		}
	}
	return kept
}
