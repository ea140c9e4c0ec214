package consent_test

import (
	"context"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
)

var ctx = context.Background()

const orders = "https://orders.example.test"

func withAPI(t *testing.T, s *stage.Stage) {
	t.Helper()
	_, err := s.APIs.Create(ctx, scope.API{Audience: orders, Name: "Orders", Scopes: []scope.Scope{
		{Name: "orders:read", Description: "See your orders"},
		{Name: "orders:audit", Description: "See all orders", RequiresRole: "auditor"},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func request(change ...func(*flow.Request)) *flow.Request {
	q := &flow.Request{RedirectURI: stage.Redirect, Scopes: []string{"openid", "email"}, Audiences: []string{stage.Issuer}}
	for _, f := range change {
		f(q)
	}
	return q
}

func TestCovers(t *testing.T) {
	public := func(c *client.Client) {
		c.AuthMethod = protocol.AuthNone
		c.RedirectURIs = []string{stage.Redirect, "http://127.0.0.1/cb", "com.example.app:/cb"}
		c.ApplicationType = client.Native
	}
	tests := map[string]struct {
		client  []func(*client.Client)
		allowed func(*flow.Request) // what was allowed differs from openid email
		asked   func(*flow.Request)
		want    bool
	}{
		"the same again":                        {want: true},
		"less":                                  {asked: func(q *flow.Request) { q.Scopes = []string{"openid"} }, want: true},
		"ASVS 10.7.1 a new scope asks again":    {asked: func(q *flow.Request) { q.Scopes = append(q.Scopes, "profile") }},
		"ASVS 10.7.1 a new resource asks again": {asked: func(q *flow.Request) { q.Audiences = append(q.Audiences, orders) }},
		"OIDC Core §5.5 a new claim asks again": {asked: func(q *flow.Request) { q.Claims = `{"userinfo":{"phone_number":null}}` }},
		"OIDC Core §5.5 a claim of the ID token asks again": {
			asked: func(q *flow.Request) { q.Claims = `{"id_token":{"birthdate":{"essential":true}}}` },
		},
		"a claim that an allowed scope gives": {asked: func(q *flow.Request) { q.Claims = `{"userinfo":{"email":null}}` }, want: true},
		"a claim of the protocol":             {asked: func(q *flow.Request) { q.Claims = `{"id_token":{"auth_time":null}}` }, want: true},
		"a claim that was allowed": {
			allowed: func(q *flow.Request) { q.Claims = `{"userinfo":{"phone_number":null}}` },
			asked:   func(q *flow.Request) { q.Claims = `{"id_token":{"phone_number":null}}` }, want: true,
		},
		"a scope the person may not have asks for nothing": {
			asked: func(q *flow.Request) { q.Scopes = append(q.Scopes, "orders:audit") }, want: true,
		},
		"a public client on the web": {client: []func(*client.Client){public}, want: true},
		"RFC 8252 §8.6 a public client on this device is always asked": {
			client: []func(*client.Client){public},
			asked:  func(q *flow.Request) { q.RedirectURI = "http://127.0.0.1:5000/cb" },
		},
		"RFC 8252 §8.6 a public client with a scheme of its own is always asked": {
			client: []func(*client.Client){public},
			asked:  func(q *flow.Request) { q.RedirectURI = "com.example.app:/cb" },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t)
			withAPI(t, s)
			ann, c := s.Person(t, "a@example.test"), s.Client(t, tt.client...)
			allowed, asked := request(), request()
			if tt.allowed != nil {
				tt.allowed(allowed)
			}
			if tt.asked != nil {
				tt.asked(asked)
			}
			if got, err := s.Consents.Covers(ctx, ann.ID, c, asked); err != nil || got {
				t.Fatalf("before anything was allowed Covers = %v, %v", got, err)
			}
			if err := s.Consents.Allow(ctx, ann, c, allowed); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Consents.Covers(ctx, ann.ID, c, asked); err != nil || got != tt.want {
				t.Errorf("Covers = %v, %v; want %v", got, err, tt.want)
			}
			if got, _ := s.Consents.Covers(ctx, s.Person(t, "b@example.test").ID, c, allowed); got {
				t.Error("the consent of one person covers another")
			}
			if got, _ := s.Consents.Covers(ctx, ann.ID, s.Client(t, tt.client...), allowed); got {
				t.Error("the consent to one client covers another")
			}
		})
	}
}

func TestARoleThatComesLaterAsksAnew(t *testing.T) {
	s := stage.New(t)
	withAPI(t, s)
	ann, c := s.Person(t, "a@example.test"), s.Client(t)
	q := request(func(q *flow.Request) { q.Scopes = []string{"openid", "orders:audit"} })
	if err := s.Consents.Allow(ctx, ann, c, q); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Consents.Covers(ctx, ann.ID, c, q); err != nil || !got {
		t.Fatalf("Covers = %v, %v; want true", got, err)
	}
	ann.Roles = []string{"auditor"}
	if _, err := s.Users.Update(ctx, *ann); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Consents.Covers(ctx, ann.ID, c, q); err != nil || got {
		t.Errorf("with the role Covers = %v, %v; the person never saw that scope", got, err)
	}
}

func TestAllowAdds(t *testing.T) {
	s := stage.New(t)
	ann, c := s.Person(t, "a@example.test"), s.Client(t)
	for _, scopes := range [][]string{{"openid"}, {"email"}} {
		if err := s.Consents.Allow(ctx, ann, c, request(func(q *flow.Request) { q.Scopes = scopes })); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Consents.Covers(ctx, ann.ID, c, request()); err != nil || !got {
		t.Errorf("Covers what was allowed in two steps = %v, %v", got, err)
	}
}

func TestWithdrawEndsWhatTheClientHas(t *testing.T) {
	s := stage.New(t)
	ann, c, other := s.Person(t, "a@example.test"), s.Client(t), s.Client(t)
	give := func(clientID string) string {
		id := secret.ID()
		if err := s.Durable.Grants.Create(ctx, grant.Grant{
			ID: id, ClientID: clientID, UserID: ann.ID, SessionID: "s",
			CodeHash: secret.ID(), CodeExpiresAt: time.Now(), Offline: true, CreatedAt: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	mine, theirs := give(c.ID), give(other.ID)
	if err := s.Consents.Allow(ctx, ann, c, request()); err != nil {
		t.Fatal(err)
	}
	s.Revoker.SetDown(true)
	if err := s.Consents.Withdraw(ctx, ann.ID, c.ID); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Withdraw with the live set down = %v, want unavailable", err)
	}
	s.Revoker.SetDown(false)
	if err := s.Consents.Withdraw(ctx, ann.ID, c.ID); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Consents.Covers(ctx, ann.ID, c, request()); got {
		t.Error("a withdrawn consent covers")
	}
	for id, want := range map[string]bool{mine: true, theirs: false} {
		g, err := s.Durable.Grants.ByID(ctx, id)
		if err != nil || g.Revoked() != want {
			t.Errorf("grant revoked = %v, %v; want %v", g.Revoked(), err, want)
		}
	}
	standing, err := s.Durable.Revocations.Standing(ctx, time.Now())
	if err != nil || len(standing) != 1 || standing[0].Kind != revocation.Grant || standing[0].ID != mine {
		t.Errorf("ledger has %+v, %v; want the grant", standing, err)
	}
}
