package token_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
)

func newID() string { return secret.ID() }

func TestRolesOnlyWhereTheyAreAskedFor(t *testing.T) {
	k := newKit(t)
	roles := func(scopes string, resources ...string) any {
		got := k.good(k.post(k.web, codeForm(k.code(k.web, k.request(k.web, scopes, resources...)))))
		found, err := k.tokens.Inspect(t.Context(), got.AccessToken)
		k.must(err)
		return decodeObject(t, found.Claims)["roles"]
	}
	if got := roles("openid orders:read"); got != nil {
		t.Errorf("an API that asks for none gets roles %v", got)
	}
	if got := roles("openid roles orders:read"); !slices.Equal(got.([]any), []any{"clerk"}) {
		t.Errorf("scope roles gives %v", got)
	}
	if got := roles("stock:read", stock); !slices.Equal(got.([]any), []any{"clerk"}) {
		t.Errorf("an API that asks for roles gets %v", got)
	}
}

func TestProfileInIDTokenWhenTheClientWantsIt(t *testing.T) {
	k := newKit(t)
	c := k.client(client.Client{
		ID: "authjs", RedirectURIs: []string{callback}, GrantTypes: []string{protocol.GrantAuthorizationCode},
		Scopes: []string{"openid", "profile", "email"}, ProfileInIDToken: true,
	})
	id := claims(t, k.good(k.post(c, codeForm(k.code(c, k.request(c, "openid email"))))).IDToken)
	if id["email"] != "alice@example.test" || id["email_verified"] != true {
		t.Errorf("ID token %v", id)
	}
	if _, has := id["name"]; has {
		t.Error("the ID token carries the profile without its scope")
	}
}

func TestClaimsParameterReachesTheIDToken(t *testing.T) {
	k := newKit(t)
	q := k.request(k.web, "openid email")
	q.Claims = `{"id_token":{"email":{"essential":true},"sub":{"value":"mallory"}}}`
	id := claims(t, k.good(k.post(k.web, codeForm(k.code(k.web, q)))).IDToken)
	if id["email"] != "alice@example.test" || id["sub"] != "alice" {
		t.Errorf("ID token %v", id)
	}
}

func TestPersonGoneBetweenRedirectAndExchange(t *testing.T) {
	k := newKit(t)
	code := k.code(k.web, k.request(k.web, "openid roles"))
	u, err := k.db.Users.ByID(context.Background(), "alice")
	k.must(err)
	u.Disabled = true
	k.must(k.db.Users.Update(context.Background(), u))
	k.bad(k.post(k.web, codeForm(code)), 400, "invalid_grant", "the person is active")
}

func TestScopeThatNeedsARoleIsDropped(t *testing.T) {
	k := newKit(t)
	code := func() string { return k.code(k.web, k.request(k.web, "openid orders:read orders:admin")) }
	got := k.good(k.post(k.web, codeForm(code())))
	if got.Scope != "openid orders:read orders:admin" {
		t.Errorf("a clerk gets %q", got.Scope)
	}
	u, err := k.db.Users.ByID(context.Background(), "alice")
	k.must(err)
	u.Roles = nil
	k.must(k.db.Users.Update(context.Background(), u))
	if got := k.good(k.post(k.web, codeForm(code()))); got.Scope != "openid orders:read" {
		t.Errorf("somebody else gets %q", got.Scope)
	}
	if got := k.good(k.post(k.web, refreshForm(got.RefreshToken))); strings.Contains(got.Scope, "admin") {
		t.Errorf("after the role was taken a refresh still gives %q", got.Scope)
	}
}
