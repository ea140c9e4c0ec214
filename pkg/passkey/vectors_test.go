package passkey

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
)

// hexed is a byte string of the vectors.
type hexed []byte

func (h *hexed) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h hexed) b64() string { return base64.RawURLEncoding.EncodeToString(h) }

// vector is one of WebAuthn Level 3 §16: a registration and a sign-in with
// what it made.
type vector struct {
	Name         string
	Registration struct {
		Challenge, ClientDataJSON, AttestationObject hexed
		CredentialID                                 hexed `json:"credential_id"`
	}
	Authentication struct{ Challenge, AuthenticatorData, ClientDataJSON, Signature hexed }
}

// vectors are those that the specification publishes (testdata/vectors.json
// holds their values), with the certificate that vouches for them.
func vectors(t testing.TB) (root []byte, all []vector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Root    hexed
		Vectors []vector
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Root, file.Vectors
}

func (v *vector) made() string {
	r := v.Registration
	return `{"id":"` + r.CredentialID.b64() + `","rawId":"` + r.CredentialID.b64() + `","type":"public-key","response":{"clientDataJSON":"` +
		r.ClientDataJSON.b64() + `","attestationObject":"` + r.AttestationObject.b64() + `"}}`
}

func (v *vector) answered() string {
	a := v.Authentication
	return `{"id":"` + v.Registration.CredentialID.b64() + `","rawId":"` + v.Registration.CredentialID.b64() + `","type":"public-key","response":{"clientDataJSON":"` +
		a.ClientDataJSON.b64() + `","authenticatorData":"` + a.AuthenticatorData.b64() + `","signature":"` + a.Signature.b64() + `"}}`
}

// example is the service that the vectors are for.
func example(t testing.TB, change ...func(*Config)) *Service {
	t.Helper()
	cfg := Config{RPID: "example.org", RPName: "Example", Origins: []string{"https://example.org"}}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verified reports the flag of the person's verification in authenticator data.
func verified(data []byte) bool { return protocol.AuthenticatorFlags(data[32]).HasUserVerified() }

func TestWebAuthnVectors(t *testing.T) {
	root, all := vectors(t)
	ca, err := x509.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	ann := &user.User{ID: "ann"}
	type want struct {
		// refused is part of why the registration is; empty: it passes. Invented
		// makers of TPMs, and roots that are not Google's and Apple's, do not.
		refused string
		vouched bool // by the certificate of the vectors
	}
	wants := map[string]want{
		"ES256 Credential with No Attestation":                        {},
		"ES256 Credential with Self Attestation":                      {},
		`ES256 Credential with "crossOrigin": true in clientDataJSON`: {refused: "cross origin"},
		`ES256 Credential with "topOrigin" in clientDataJSON`:         {refused: "cross origin"},
		"ES256 Credential with very long credential ID":               {},
		"Packed Attestation with ES256 Credential":                    {vouched: true},
		"Packed Attestation with ES384 Credential":                    {refused: "attestation"}, // not asked for
		"Packed Attestation with ES512 Credential":                    {refused: "attestation"},
		"Packed Attestation with RS256 Credential":                    {vouched: true},
		"Packed Attestation with Ed25519 Credential":                  {vouched: true},
		"Packed Attestation with Ed448 Credential":                    {refused: "attestation"},
		"TPM Attestation with ES256 Credential":                       {refused: "tpm manufacturer"},
		"Android Key Attestation with ES256 Credential":               {refused: "cert chain"},
		"Apple Anonymous Attestation with ES256 Credential":           {refused: "cert chain"},
		"FIDO U2F Attestation with ES256 Credential":                  {vouched: true},
	}
	if len(all) != len(wants) {
		t.Fatalf("%d vectors, want %d", len(all), len(wants))
	}
	for _, v := range all {
		t.Run("WebAuthn §16 "+v.Name, func(t *testing.T) {
			want, known := wants[v.Name]
			if !known {
				t.Fatal("nobody said what comes of it")
			}
			s := example(t)
			challenge := func(c hexed, uv protocol.UserVerificationRequirement) *ceremony { return &ceremony{c.b64(), uv} }
			made, err := s.created(challenge(v.Registration.Challenge, protocol.VerificationPreferred), ann, v.made())
			if want.refused != "" {
				if !fault.Is(err, fault.Unauthenticated) || !strings.Contains(strings.ToLower(err.Error()+fault.As(err).Compared[0].Got), want.refused) {
					t.Errorf("registration = %v, want it refused for %q", err, want.refused)
				}
				return
			}
			if err != nil {
				t.Fatalf("registration: %v %v", err, fault.As(err).Compared)
			}
			if made.CredentialID != v.Registration.CredentialID.b64() || made.Attested {
				t.Errorf("made %+v", made)
			}
			if _, err := s.created(challenge(v.Registration.Challenge, protocol.VerificationRequired), ann, v.made()); (err == nil) != made.UserVerified {
				t.Errorf("registration that must verify the person: %v, verified %v", err, made.UserVerified)
			}
			if _, err := s.created(challenge(v.Authentication.Challenge, protocol.VerificationPreferred), ann, v.made()); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("registration for another challenge: %v", err)
			}
			v.signIn(t, s, ann, made)
			v.vouch(t, pool, want.vouched)
		})
	}
}

// signIn verifies the sign-in of a vector, and every byte of its signature.
func (v *vector) signIn(t *testing.T, s *Service, ann *user.User, made *Passkey) {
	t.Helper()
	at, found := place{user: ann.ID}, &Found{User: ann, Passkey: *made}
	try := func(uv protocol.UserVerificationRequirement, answer string) error {
		parsed, err := parse(answer, protocol.ParseCredentialRequestResponseBytes)
		if err != nil {
			return err
		}
		return s.verify(&ceremony{v.Authentication.Challenge.b64(), uv}, at, found, parsed)
	}
	if err := try(protocol.VerificationPreferred, v.answered()); err != nil {
		t.Errorf("sign-in: %v %v", err, fault.As(err).Compared)
	}
	if err, uv := try(protocol.VerificationRequired, v.answered()), verified(v.Authentication.AuthenticatorData); (err == nil) != uv {
		t.Errorf("sign-in that must verify the person: %v, verified %v", err, uv)
	}
	for i := range v.Authentication.Signature {
		altered := *v
		altered.Authentication.Signature = append(hexed(nil), v.Authentication.Signature...)
		altered.Authentication.Signature[i] ^= 1
		if err := try(protocol.VerificationPreferred, altered.answered()); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("byte %d of the signature altered: %v", i, err)
		}
	}
}

// vouch demands an attestation of the vector, by a certificate that vouches
// and by another one.
func (v *vector) vouch(t *testing.T, pool *x509.CertPool, vouched bool) {
	t.Helper()
	asked := &ceremony{v.Registration.Challenge.b64(), protocol.VerificationPreferred}
	strict := example(t, func(c *Config) { c.Attestation, c.Roots = true, pool })
	made, err := strict.created(asked, &user.User{ID: "ann"}, v.made())
	switch {
	case vouched && (err != nil || !made.Attested):
		t.Errorf("vouched for: %v", err)
	case !vouched && fault.CodeOf(err) != "passkey_model":
		t.Errorf("nobody vouches: %v, want passkey_model", err)
	}
	others := example(t, func(c *Config) { c.Attestation, c.Roots = true, x509.NewCertPool() })
	if _, err := others.created(asked, &user.User{ID: "ann"}, v.made()); fault.CodeOf(err) != "passkey_model" {
		t.Errorf("vouched for by a stranger: %v, want passkey_model", err)
	}
	if !vouched {
		return
	}
	models := func(list ...string) error {
		s := example(t, func(c *Config) { c.Attestation, c.Roots, c.AAGUIDs = true, pool, list })
		_, err := s.created(asked, &user.User{ID: "ann"}, v.made())
		return err
	}
	if err := models("00000000-0000-0000-0000-000000000001", strings.ToUpper(made.AAGUID)); err != nil {
		t.Errorf("a model of the list: %v", err)
	}
	if err := models("00000000-0000-0000-0000-000000000001"); fault.CodeOf(err) != "passkey_model" {
		t.Errorf("a model that is not of the list: %v, want passkey_model", err)
	}
	t.Cleanup(clock.Jump(-10 * 365 * 24 * time.Hour))
	if _, err := strict.created(asked, &user.User{ID: "ann"}, v.made()); fault.CodeOf(err) != "passkey_model" {
		t.Errorf("certificates that are not valid yet: %v, want passkey_model", err)
	}
}

func TestRefusesSettingsThatProtectNobody(t *testing.T) {
	for name, cfg := range map[string]Config{
		"attestation without roots":  {RPID: "example.org", RPName: "x", Origins: []string{"https://example.org"}, Attestation: true},
		"models without attestation": {RPID: "example.org", RPName: "x", Origins: []string{"https://example.org"}, AAGUIDs: []string{"00000000-0000-0000-0000-000000000001"}},
		"no origin":                  {RPID: "example.org", RPName: "x"},
		"an IP address":              {RPID: "127.0.0.1", RPName: "x", Origins: []string{"http://127.0.0.1"}},
	} {
		if _, err := New(cfg, Deps{}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := New(Config{RPID: "localhost", RPName: "x", Origins: []string{"http://localhost:8080"}}, Deps{}); err != nil {
		t.Errorf("localhost: %v", err)
	}
}

// FuzzCredential: whatever a browser sends, it is a refusal and no panic, and
// what passes is within the bounds of what is kept.
func FuzzCredential(f *testing.F) {
	_, all := vectors(f)
	for _, v := range all {
		f.Add(v.made())
		f.Add(v.answered())
	}
	f.Add(`{}`)
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`)
	s := example(f)
	asked := &ceremony{all[0].Registration.Challenge.b64(), protocol.VerificationPreferred}
	key := Passkey{UserID: "ann", PublicKey: []byte{0xa0}}
	f.Fuzz(func(t *testing.T, answer string) {
		made, err := s.created(asked, &user.User{ID: "ann"}, answer)
		if (made == nil) != (err != nil) {
			t.Fatalf("%v, %v", made, err)
		}
		if err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v", answer, err)
		}
		if made != nil && (len(made.CredentialID) > 1364 || len(made.PublicKey) > maxKey || len(made.Transports) > maxTransports) {
			t.Errorf("made %+v", made)
		}
		parsed, err := parse(answer, protocol.ParseCredentialRequestResponseBytes)
		if err != nil {
			return
		}
		key.CredentialID = base64.RawURLEncoding.EncodeToString(parsed.RawID)
		if err := s.verify(asked, place{user: "ann"}, &Found{User: &user.User{ID: "ann"}, Passkey: key}, parsed); err == nil {
			t.Errorf("%q was signed by nobody", answer)
		}
	})
}
