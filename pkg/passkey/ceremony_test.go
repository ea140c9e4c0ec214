package passkey

import (
	"bytes"
	"context"
	"net/url"
	"testing"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
)

// drawer keeps ceremonies.
type drawer map[string]url.Values

func (d drawer) Hold(_ context.Context, v url.Values) (string, error) {
	d["id"] = v
	return "id", nil
}

func (d drawer) Claim(_ context.Context, id string) (url.Values, error) { return d[id], nil }

// TestAChallengeIsAnsweredWhereItWasAsked: each of its ties holds by itself.
func TestAChallengeIsAnsweredWhereItWasAsked(t *testing.T) {
	kept := drawer{}
	s := &Service{Deps: Deps{Ceremonies: kept, Fingerprint: secret.NewFingerprinter(bytes.Repeat([]byte{1}, 32))}}
	asked := place{purpose: toProve, browser: "browser", user: "ann", flow: "flow"}
	if _, err := s.hold(t.Context(), asked, &webauthn.SessionData{Challenge: "challenge", UserVerification: "preferred"}); err != nil {
		t.Fatal(err)
	}
	if kept["id"].Get("browser") == "browser" {
		t.Error("the cookie of the browser is kept as it is")
	}
	if c, err := s.claim(t.Context(), asked, "id"); err != nil || c.challenge != "challenge" || c.verify != "preferred" {
		t.Fatalf("claim = %+v, %v", c, err)
	}
	for name, at := range map[string]place{
		"another purpose": {toLogin, "browser", "ann", "flow"},
		"a registration":  {toRegister, "browser", "ann", "flow"},
		"another browser": {toProve, "browser2", "ann", "flow"},
		"no browser":      {toProve, "", "ann", "flow"},
		"another person":  {toProve, "browser", "bob", "flow"},
		"nobody":          {toProve, "browser", "", "flow"},
		"another flow":    {toProve, "browser", "ann", "flow2"},
		"no flow":         {toProve, "browser", "ann", ""},
	} {
		if c, err := s.claim(t.Context(), at, "id"); !fault.Is(err, fault.Gone) || c != nil || fault.As(err).Rule == "" {
			t.Errorf("%s: %v, %v; want it gone", name, c, err)
		}
	}
}
