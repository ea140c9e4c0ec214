package storagetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
)

const issuer = "https://elsewhere.test"

// newIdentity ties a subject of the issuer to a person.
func newIdentity(id, userID, subject string) federation.Identity {
	return federation.Identity{ID: id, Issuer: issuer, Subject: subject, Provider: "elsewhere", UserID: userID, LinkedAt: epoch}
}

// newOrigin is that of a session which lives for an hour.
func newOrigin(sessionID, subject, sid string) federation.Origin {
	return federation.Origin{
		SessionID: sessionID, Provider: "elsewhere", Issuer: issuer, Subject: subject, Session: sid,
		CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour),
	}
}

// Federation checks a federation.Store.
func Federation(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) { everyFederatedField(t, open(t).Federation) })
	t.Run("providers", func(t *testing.T) { providers(t, open(t).Federation) })
	t.Run("identities", func(t *testing.T) { identities(t, open(t).Federation) })
	t.Run("one of many links a subject", func(t *testing.T) {
		s := open(t).Federation
		if won := race(t, fault.Conflict, func(n int) error {
			return s.Link(t.Context(), newIdentity(fmt.Sprint(n), fmt.Sprint("person ", n), "sub"))
		}); won != 1 {
			t.Errorf("%d linked it, want 1", won)
		}
	})
	t.Run("one of many unlinks", func(t *testing.T) {
		s := open(t).Federation
		must(t, s.Link(t.Context(), newIdentity("a", "alice", "sub")))
		if won := race(t, fault.NotFound, func(int) error { return s.Unlink(t.Context(), "alice", "a") }); won != 1 {
			t.Errorf("%d unlinked it, want 1", won)
		}
	})
	t.Run("a conflict leaves the transaction usable", func(t *testing.T) {
		d := open(t)
		must(t, d.Federation.Link(t.Context(), newIdentity("a", "alice", "sub")))
		must(t, d.InTx(t.Context(), func(ctx context.Context) error {
			wantKind(t, "a taken subject", d.Federation.Link(ctx, newIdentity("b", "bob", "sub")), fault.Conflict)
			return d.Federation.Link(ctx, newIdentity("b", "bob", "another"))
		}))
	})
	t.Run("origins", func(t *testing.T) { originsOfSessions(t, open(t).Federation) })
	t.Run("removal", func(t *testing.T) { removeOrigins(t, open(t).Federation) })
	t.Run("refusals", func(t *testing.T) { refuseFederated(t, open(t).Federation) })
}

func everyFederatedField(t *testing.T, s federation.Store) {
	var p federation.Provider
	fill(t, &p)
	must(t, s.PutProvider(t.Context(), p))
	all, err := s.Providers(t.Context())
	must(t, err)
	same(t, "Providers", all, []federation.Provider{p})
	var i federation.Identity
	fill(t, &i)
	must(t, s.Link(t.Context(), i))
	got, err := s.Identity(t.Context(), i.Issuer, i.Subject)
	must(t, err)
	same(t, "Identity", got, i)
	of, err := s.IdentitiesOf(t.Context(), i.UserID)
	must(t, err)
	same(t, "IdentitiesOf", of, []federation.Identity{i})
	var o federation.Origin
	fill(t, &o)
	must(t, s.PutOrigin(t.Context(), o))
	origin, err := s.OriginOf(t.Context(), o.SessionID)
	must(t, err)
	same(t, "OriginOf", origin, o)
}

func providers(t *testing.T, s federation.Store) {
	for id, position := range map[string]int{"last": 9, "b": 1, "a": 1, "first": 0} {
		must(t, s.PutProvider(t.Context(), federation.Provider{ID: id, Kind: federation.OIDC, Position: position, CreatedAt: epoch}))
	}
	changed := federation.Provider{ID: "first", Kind: federation.GitHub, Name: "GitHub", Position: 5, Disabled: true, Sealed: []byte("sealed"), CreatedAt: epoch.Add(time.Hour), UpdatedAt: epoch.Add(time.Hour)}
	must(t, s.PutProvider(t.Context(), changed))
	all, err := s.Providers(t.Context())
	must(t, err)
	var ids []string
	for _, p := range all {
		ids = append(ids, p.ID)
	}
	if want := []string{"a", "b", "first", "last"}; !slices.Equal(ids, want) {
		t.Fatalf("the order is %v, want %v", ids, want)
	}
	changed.CreatedAt = epoch // it was made then
	same(t, "what was put twice", all[2], changed)

	must(t, s.Link(t.Context(), newIdentity("hers", "alice", "sub")))
	other := newIdentity("his", "bob", "other")
	other.Provider = "a"
	must(t, s.Link(t.Context(), other))
	must(t, s.PutOrigin(t.Context(), newOrigin("session", "sub", "")))
	wantKind(t, "removing an unknown one", s.DeleteProvider(t.Context(), "elsewhere"), fault.NotFound)
	if left, err := s.IdentitiesOf(t.Context(), "alice"); err != nil || len(left) != 1 {
		t.Errorf("a removal that found nothing took %v, %v", left, err)
	}
	must(t, s.PutProvider(t.Context(), federation.Provider{ID: "elsewhere", Kind: federation.OIDC}))
	must(t, s.DeleteProvider(t.Context(), "elsewhere"))
	_, err = s.Identity(t.Context(), issuer, "sub")
	wantKind(t, "an identity of a removed provider", err, fault.NotFound)
	_, err = s.OriginOf(t.Context(), "session")
	wantKind(t, "an origin of a removed provider", err, fault.NotFound)
	_, err = s.Identity(t.Context(), issuer, "other")
	wantKind(t, "an identity of another provider", err, fault.None)
}

func identities(t *testing.T, s federation.Store) {
	late := newIdentity("a", "alice", "late")
	late.LinkedAt = epoch.Add(time.Minute)
	for _, i := range []federation.Identity{late, newIdentity("b", "alice", "early"), newIdentity("c", "bob", "EARLY")} {
		must(t, s.Link(t.Context(), i))
	}
	of := func(user string) string {
		list, err := s.IdentitiesOf(t.Context(), user)
		must(t, err)
		var ids []string
		for _, i := range list {
			ids = append(ids, i.ID)
		}
		return strings.Join(ids, " ")
	}
	for user, want := range map[string]string{"alice": "b a", "bob": "c", "carol": ""} {
		if got := of(user); got != want {
			t.Errorf("%s has %q, want %q", user, got, want)
		}
	}
	for _, tt := range []struct {
		provider, after string
		limit           int
		want            string
	}{
		{"elsewhere", "", 10, "a b c"},
		{"elsewhere", "", 2, "a b"},
		{"elsewhere", "b", 10, "c"},
		{"elsewhere", "c", 10, ""},
		{"elsewhere", "", 0, ""},
		{"nowhere", "", 10, ""},
		{"\x00", "", 10, ""},
		{"elsewhere", "\xff", 10, ""},
	} {
		list, err := s.IdentitiesAt(t.Context(), tt.provider, tt.after, tt.limit)
		must(t, err)
		ids := []string{}
		for _, i := range list {
			ids = append(ids, i.ID)
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("IdentitiesAt(%q, %q, %d) = %q, want %q", tt.provider, tt.after, tt.limit, got, tt.want)
		}
	}
	elsewhere := newIdentity("d", "bob", "early")
	wantKind(t, "a subject that somebody has", s.Link(t.Context(), elsewhere), fault.Conflict)
	elsewhere.Issuer = issuer + "/"
	must(t, s.Link(t.Context(), elsewhere)) // another issuer, byte for byte
	taken := newIdentity("a", "bob", "new")
	wantKind(t, "a taken id", s.Link(t.Context(), taken), fault.Conflict)

	must(t, s.Used(t.Context(), "b", "alice@example.com", []string{"staff"}, epoch.Add(time.Hour)))
	got, err := s.Identity(t.Context(), issuer, "early")
	must(t, err)
	want := newIdentity("b", "alice", "early")
	want.Label, want.Roles, want.UsedAt = "alice@example.com", []string{"staff"}, epoch.Add(time.Hour)
	same(t, "a used one", got, want)
	wantKind(t, "Used of nobody's", s.Used(t.Context(), "nobody's", "", nil, epoch), fault.NotFound)

	wantKind(t, "unlinking somebody else's", s.Unlink(t.Context(), "bob", "b"), fault.NotFound)
	must(t, s.Unlink(t.Context(), "alice", "b"))
	if got := of("alice"); got != "a" {
		t.Errorf("alice has %q after the unlinking, want a", got)
	}
}

func originsOfSessions(t *testing.T, s federation.Store) {
	for _, o := range []federation.Origin{
		newOrigin("1", "sub", "sid-1"), newOrigin("2", "sub", "sid-2"), newOrigin("3", "sub", ""), newOrigin("4", "other", "sid-4"),
	} {
		must(t, s.PutOrigin(t.Context(), o))
	}
	foreign := newOrigin("5", "sub", "sid-1")
	foreign.Issuer = "https://another.test"
	must(t, s.PutOrigin(t.Context(), foreign))
	over := newOrigin("6", "sub", "sid-1")
	over.ExpiresAt = epoch
	must(t, s.PutOrigin(t.Context(), over))
	for _, tt := range []struct {
		subject, sid string
		want         []string
	}{
		{"sub", "", []string{"1", "2", "3"}},
		{"sub", "sid-1", []string{"1"}},
		{"", "sid-1", []string{"1"}},
		{"", "sid-4", []string{"4"}},
		{"sub", "sid-4", nil},
		{"SUB", "", nil},
		{"", "", nil},
		{"a\x00", "", nil},
		{"", "\xff", nil},
	} {
		got, err := s.OriginsFrom(t.Context(), issuer, tt.subject, tt.sid, epoch)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("OriginsFrom(%q, %q) = %v, %v; want %v", tt.subject, tt.sid, got, err, tt.want)
		}
	}
	newer := newOrigin("1", "newer", "sid-9")
	newer.Sealed = []byte("token")
	must(t, s.PutOrigin(t.Context(), newer))
	got, err := s.OriginOf(t.Context(), "1")
	must(t, err)
	same(t, "the newest origin of a session", got, newer)
}

func removeOrigins(t *testing.T, s federation.Store) {
	for n := range 5 {
		o := newOrigin(fmt.Sprint(n), "sub", "")
		o.ExpiresAt = epoch.Add(time.Duration(n) * time.Minute)
		must(t, s.PutOrigin(t.Context(), o))
	}
	for _, step := range []struct{ limit, want int }{{2, 2}, {10, 1}, {10, 0}, {0, 0}} {
		n, err := s.DeleteExpiredOrigins(t.Context(), epoch.Add(2*time.Minute), step.limit)
		if err != nil || n != step.want {
			t.Errorf("DeleteExpiredOrigins of at most %d = %d, %v; want %d", step.limit, n, err, step.want)
		}
	}
}

func refuseFederated(t *testing.T, s federation.Store) {
	must(t, s.Link(t.Context(), newIdentity("a", "alice", "sub")))
	for name, i := range map[string]federation.Identity{
		"no id":            newIdentity("", "bob", "new"),
		"no person":        newIdentity("new", "", "new"),
		"no subject":       newIdentity("new", "bob", ""),
		"a NUL in the sub": newIdentity("new", "bob", "a\x00"),
		"broken UTF-8":     newIdentity("new", "bob", "a\xff"),
	} {
		wantKind(t, name, s.Link(t.Context(), i), fault.Invalid)
	}
	wantKind(t, "a provider without id", s.PutProvider(t.Context(), federation.Provider{Kind: federation.OIDC}), fault.Invalid)
	wantKind(t, "an origin without session", s.PutOrigin(t.Context(), newOrigin("", "sub", "")), fault.Invalid)
	for name, key := range strangeKeys {
		_, err := s.Identity(t.Context(), issuer, key)
		wantKind(t, "Identity of "+name, err, fault.NotFound)
		_, err = s.OriginOf(t.Context(), key)
		wantKind(t, "OriginOf "+name, err, fault.NotFound)
		wantKind(t, "Unlink of "+name, s.Unlink(t.Context(), "alice", key), fault.NotFound)
		wantKind(t, "Unlink by "+name, s.Unlink(t.Context(), key, "a"), fault.NotFound)
		wantKind(t, "Used of "+name, s.Used(t.Context(), key, "", nil, epoch), fault.NotFound)
		wantKind(t, "DeleteProvider of "+name, s.DeleteProvider(t.Context(), key), fault.NotFound)
		list, err := s.IdentitiesOf(t.Context(), key)
		if len(list) != 0 || err != nil {
			t.Errorf("IdentitiesOf %s: %v, %v; want nothing", name, list, err)
		}
	}
	strange := newIdentity("strange", "alice", "strange")
	strange.Label = "a\x00\xff"
	must(t, s.Link(t.Context(), strange))
}
