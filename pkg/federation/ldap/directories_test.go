package ldap_test

import (
	"context"
	"testing"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/federation/ldap"
)

type heard []audit.Event

func (h *heard) Record(_ context.Context, e audit.Event) { *h = append(*h, e) }

// book opens every provider anew when it was changed, as the service does.
type book struct {
	list   []*federation.Provider
	opened map[string]*ldap.Directory
}

func (b *book) Active(context.Context) ([]*federation.Provider, error) { return b.list, nil }

func (b *book) Authenticator(_ context.Context, id string) (federation.Authenticator, *federation.Provider, error) {
	for _, p := range b.list {
		if p.ID != id {
			continue
		}
		if b.opened[id] == nil {
			d, err := ldap.New(p, string(p.Sealed))
			if err != nil {
				return nil, nil, err
			}
			b.opened[id] = d
		}
		return b.opened[id], p, nil
	}
	return nil, nil, fault.New(fault.NotFound, "provider_not_found", "")
}

func all(string) bool { return true }

func TestDirectoriesAreAskedInTheirOrder(t *testing.T) {
	first, second := company(t), company(t)
	person(second, "cleo", "uid=cleo", "")
	var events heard
	known := &book{opened: map[string]*ldap.Directory{}, list: []*federation.Provider{
		{ID: "first", Kind: federation.LDAP, Settings: settings(first), Sealed: []byte(secret)},
		{ID: "web", Kind: federation.OIDC},
		{ID: "second", Kind: federation.LDAP, Settings: settings(second), Sealed: []byte(secret)},
	}}
	d := ldap.NewDirectories(known, &events)
	ask := func(allows func(string) bool, name, password string) (string, error) {
		p, who, err := d.Authenticate(t.Context(), allows, name, password)
		if err != nil {
			return "", err
		}
		if who == nil || who.Issuer != ldap.Issuer(p.ID) {
			t.Errorf("%s of %s: %+v", name, p.ID, who)
		}
		return p.ID, nil
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
	for way, want := range map[string]bool{"first": true, "second": true, "web": false, "local": false} {
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

	known.list[0].Settings = federation.Settings{}
	delete(known.opened, "first")
	got, err = ask(all, "ann", "wrong")
	check("settings that make no sense", got, err, "", fault.Unavailable)
	if f := fault.As(err); f.Code != "directory_unavailable" || f.Hint == "" {
		t.Errorf("settings that make no sense: %+v", f)
	}
}
