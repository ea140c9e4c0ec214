package ldap_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/federation/ldap"
)

type heard []audit.Event

func (h *heard) Record(_ context.Context, e audit.Event) { *h = append(*h, e) }

func all(string) bool { return true }

func TestDirectoriesAreAskedInTheirOrder(t *testing.T) {
	first, second := company(t), company(t)
	person(second, "cleo", "uid=cleo", "")
	var events heard
	list := []federation.Provider{
		{ID: "first", Kind: federation.LDAP, Settings: settings(first), Sealed: []byte(secret)},
		{ID: "web", Kind: federation.OIDC},
		{ID: "off", Kind: federation.LDAP, Settings: settings(second), Sealed: []byte(secret), Disabled: true},
		{ID: "second", Kind: federation.LDAP, Settings: settings(second), Sealed: []byte(secret)},
	}
	d := ldap.NewDirectories(ldap.Deps{
		Providers: func(context.Context) ([]federation.Provider, error) { return list, nil },
		Secret:    func(p federation.Provider) ([]byte, error) { return p.Sealed, nil },
		Audit:     &events,
	})
	ask := func(allows func(string) bool, name, password string) (string, error) {
		p, who, err := d.Authenticate(t.Context(), allows, name, password)
		if err == nil && (who == nil || who.Issuer != ldap.Issuer(p.ID)) {
			t.Errorf("%s of %s: %+v", name, p.ID, who)
		}
		return p.ID, err
	}
	check := func(what, got string, err error, want string, kind fault.Kind) {
		t.Helper()
		if got != want || fault.KindOf(err) != kind {
			t.Errorf("%s: %q, %v; want %q, kind %v", what, got, err, want, kind)
		}
	}
	got, err := ask(all, "ann", "right-ann")
	check("known to both", got, err, "first", fault.None)
	got, err = ask(all, "cleo", "right-cleo")
	check("known to the second", got, err, "second", fault.None)
	got, err = ask(all, "cleo", "wrong")
	check("wrong", got, err, "", fault.Unauthenticated)
	got, err = ask(func(way string) bool { return way == "first" }, "cleo", "right-cleo")
	check("not allowed", got, err, "", fault.Unauthenticated)
	for way, want := range map[string]bool{"first": true, "second": true, "off": false, "web": false, "local": false} {
		if any, err := d.Any(t.Context(), func(w string) bool { return w == way }); any != want || err != nil {
			t.Errorf("Any of %s = %v, %v; want %v", way, any, err, want)
		}
	}

	first.Kill()
	got, err = ask(all, "cleo", "right-cleo")
	check("the first is down, known to the second", got, err, "second", fault.None)
	if err := d.Down(t.Context(), all); err != nil {
		t.Errorf("down after one failure: %v", err)
	}
	got, err = ask(all, "ann", "wrong")
	check("the first is down, and may have known", got, err, "", fault.Unavailable)
	if n := len(events); n != 2 || events[0].Name != audit.ProviderFailed || events[0].Data["provider"] != "first" {
		t.Errorf("audit has %+v", events)
	}
	got, err = ask(all, "ann", "wrong")
	check("and is left alone", got, err, "", fault.Unavailable)
	if err := d.Down(t.Context(), all); !fault.Is(err, fault.Unavailable) || len(events) != 2 {
		t.Errorf("Down = %v, %d events", err, len(events))
	}
	if err := d.Lookup(t.Context(), all, "ann"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Lookup = %v", err)
	}

	// A change of the provider opens it anew.
	list[0].Settings, list[0].UpdatedAt = settings(second), time.Unix(5, 0)
	got, err = ask(all, "ann", "right-ann")
	check("after a change", got, err, "first", fault.None)
	list[0].UpdatedAt, list[0].Settings = time.Unix(6, 0), federation.Settings{}
	got, err = ask(all, "ann", "wrong")
	check("settings that make no sense", got, err, "", fault.Unavailable)
	d.Secret = func(federation.Provider) ([]byte, error) { return nil, errors.New("sealed by another key") }
	list[0].UpdatedAt, list[0].Settings = time.Unix(7, 0), settings(second)
	got, err = ask(all, "ann", "wrong")
	check("a secret that does not open", got, err, "", fault.Unavailable)
}
