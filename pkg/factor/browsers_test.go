package factor_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

func TestARememberedBrowserIsTrusted(t *testing.T) {
	s := stage.New(t)
	ctx := trail.With(t.Context(), &trail.Trail{UserAgent: strings.Repeat("x", 5000)})
	token, life, err := s.Browsers.Trust(ctx, "ann")
	if err != nil || life != 30*24*time.Hour {
		t.Fatalf("Trust = %s, %v", life, err)
	}
	list, err := s.Browsers.List(ctx, "ann")
	if err != nil || len(list) != 1 || len(list[0].UserAgent) > 256 || strings.Contains(token, list[0].Hash) {
		t.Fatalf("List = %+v, %v", list, err)
	}
	for name, tt := range map[string]struct {
		user, token string
		want        bool
	}{
		"its person":           {"ann", token, true},
		"another person":       {"bob", token, false},
		"a cookie of no one":   {"ann", secret.New(secret.TrustedBrowser), false},
		"a cookie of a kind":   {"ann", secret.New(secret.SessionCookie), false},
		"a broken cookie":      {"ann", token[:len(token)-1], false},
		"a cookie with a tail": {"ann", token + "x", false},
		"no cookie":            {"ann", "", false},
	} {
		if got, err := s.Browsers.Trusted(ctx, tt.user, tt.token); got != tt.want || err != nil {
			t.Errorf("%s: Trusted = %v, %v, want %v", name, got, err, tt.want)
		}
	}
	if err := s.Browsers.Forget(ctx, "bob", list[0].ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("bob forgets ann's: %v", err)
	}
	if err := s.Browsers.Forget(ctx, "ann", list[0].ID); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Browsers.Trusted(ctx, "ann", token); got || err != nil {
		t.Errorf("a forgotten one: Trusted = %v, %v", got, err)
	}
}

func TestTrustEnds(t *testing.T) {
	s := stage.New(t)
	synctest.Test(t, func(t *testing.T) {
		b := factor.NewBrowsers(s.Durable.Browsers, s.Prints, s.Audit, factor.BrowsersConfig{For: 48 * time.Hour, Most: 2})
		token, _, err := b.Trust(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		trusted := func(b *factor.Browsers) bool {
			t.Helper()
			got, err := b.Trusted(t.Context(), "ann", token)
			if err != nil {
				t.Error(err)
			}
			return got
		}
		time.Sleep(48*time.Hour - time.Second)
		if !trusted(b) {
			t.Error("not trusted within its time")
		}
		shorter := factor.NewBrowsers(s.Durable.Browsers, s.Prints, s.Audit, factor.BrowsersConfig{For: time.Hour})
		if trusted(shorter) {
			t.Error("a shorter setting does not reach browsers that are remembered already")
		}
		if off := factor.NewBrowsers(s.Durable.Browsers, s.Prints, s.Audit, factor.BrowsersConfig{}); trusted(off) {
			t.Error("trusted although none is to be remembered")
		} else if token, life, err := off.Trust(t.Context(), "ann"); token != "" || life != 0 || err != nil {
			t.Errorf("Trust when it is off = %q, %s, %v", token, life, err)
		}
		time.Sleep(time.Second)
		if trusted(b) {
			t.Error("trusted after its time")
		}
	})
}

func TestOnlySoManyBrowsersAreRemembered(t *testing.T) {
	s := stage.New(t)
	b := factor.NewBrowsers(s.Durable.Browsers, s.Prints, s.Audit, factor.BrowsersConfig{For: time.Hour, Most: 3})
	var first string
	for i := range 5 {
		token, _, err := b.Trust(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = token
		}
	}
	list, err := b.List(t.Context(), "ann")
	if err != nil || len(list) != 3 {
		t.Errorf("%d are remembered, %v; want 3", len(list), err)
	}
	if got, _ := b.Trusted(t.Context(), "ann", first); got {
		t.Error("the oldest is still trusted")
	}
	if err := b.Forget(t.Context(), "ann", factor.AllBrowsers); err != nil {
		t.Fatal(err)
	}
	if list, _ := b.List(t.Context(), "ann"); len(list) != 0 {
		t.Errorf("%d are left", len(list))
	}
}
