package passkey

import (
	"context"
	"encoding/base64"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// purpose is what a challenge was given out for: it answers nothing else.
type purpose string

const (
	toRegister purpose = "register" // a new passkey
	toLogin    purpose = "login"    // who is there at all
	toProve    purpose = "second"   // a second factor
)

// place is where a challenge was given out, and where alone its answer counts.
type place struct {
	purpose purpose
	browser string // its cookie
	user    string // the id; empty: nobody is known yet
	flow    string // the id; empty: in none
}

// ceremony is a challenge that waits for its answer.
type ceremony struct {
	challenge string
	verify    protocol.UserVerificationRequirement
}

// Asked is what a browser is told to ask for.
type Asked struct {
	Ceremony  string `json:"ceremony"`
	PublicKey any    `json:"publicKey"`
}

var errOver = fault.New(fault.Gone, "passkey_over", "This took too long, or it was answered already. Please try again.")

// hold keeps a ceremony and returns its id.
func (s *Service) hold(ctx context.Context, at place, c *webauthn.SessionData) (string, error) {
	return s.Ceremonies.Hold(ctx, url.Values{
		"purpose": {string(at.purpose)}, "browser": {s.Fingerprint.Of(secret.BrowserCookie, at.browser)},
		"user": {at.user}, "flow": {at.flow}, "challenge": {c.Challenge}, "verify": {string(c.UserVerification)},
	})
}

// claim takes the ceremony of an id, before anything of the answer is looked
// at: whatever comes of it, it is spent. fault.Gone when there is none, or not
// at this place.
func (s *Service) claim(ctx context.Context, at place, id string) (*ceremony, error) {
	of, err := s.Ceremonies.Claim(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, errOver.Under("WebAuthn §13.4.3 a challenge is ours, lasts five minutes and is answered once").Because(err)
	} else if err != nil {
		return nil, err
	}
	foreign := func(name, want, got string) error {
		return errOver.Under("WebAuthn §13.4.3 a challenge is answered where it was asked").Compare(name, want, got)
	}
	switch {
	case of.Get("purpose") != string(at.purpose):
		return nil, foreign("purpose", string(at.purpose), of.Get("purpose"))
	case at.browser == "" || !secret.Equal(of.Get("browser"), s.Fingerprint.Of(secret.BrowserCookie, at.browser)):
		return nil, foreign("browser", "the one that asked", "another one")
	case of.Get("user") != at.user:
		return nil, foreign("person", at.user, of.Get("user"))
	case of.Get("flow") != at.flow:
		return nil, foreign("request", "the one that asked", "another one")
	}
	return &ceremony{challenge: of.Get("challenge"), verify: protocol.UserVerificationRequirement(of.Get("verify"))}, nil
}

// session returns the ceremony as the library wants it. Nothing of it lasts
// longer than what was kept, so it has no time of its own.
func (s *Service) session(c *ceremony, handle []byte) webauthn.SessionData {
	return webauthn.SessionData{
		Challenge: c.challenge, RelyingPartyID: s.cfg.RPID, UserID: handle, UserVerification: c.verify, CredParams: algorithms,
	}
}

// person is somebody as the library wants them. Their handle is the id of the
// account: random, and worthless outside of here (WebAuthn §14.6.1).
type person struct {
	user *user.User
	keys []Passkey
}

// WebAuthnID implements webauthn.User.
func (p person) WebAuthnID() []byte { return []byte(p.user.ID) }

// WebAuthnName implements webauthn.User: what the person would type.
func (p person) WebAuthnName() string {
	switch {
	case p.user.Email != "":
		return p.user.Email
	case p.user.Username != "":
		return p.user.Username
	}
	return p.user.ID
}

// WebAuthnDisplayName implements webauthn.User.
func (p person) WebAuthnDisplayName() string {
	if p.user.Name != "" {
		return p.user.Name
	}
	return p.WebAuthnName()
}

// WebAuthnCredentials implements webauthn.User.
func (p person) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, 0, len(p.keys))
	for i := range p.keys {
		k := &p.keys[i]
		id, err := base64.RawURLEncoding.DecodeString(k.CredentialID)
		if err != nil {
			continue // not one that was added here
		}
		c := webauthn.Credential{
			ID: id, PublicKey: k.PublicKey, Authenticator: webauthn.Authenticator{SignCount: k.SignCount},
			Flags: webauthn.CredentialFlags{BackupEligible: k.BackupEligible, BackupState: k.BackedUp, UserVerified: k.UserVerified},
		}
		for _, t := range k.Transports {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		all = append(all, c)
	}
	return all
}

// descriptors name passkeys to a browser.
func (p person) descriptors() []protocol.CredentialDescriptor {
	return webauthn.Credentials(p.WebAuthnCredentials()).CredentialDescriptors()
}
