package userinfo

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

const issuer = "https://id.example"

var (
	errDown    = fault.New(fault.Unavailable, "temporarily_unavailable", "down")
	errMissing = fault.New(fault.NotFound, "not_found", "There is none.")
)

// world is everything behind the endpoint: one token, one of each thing. A set
// error is what looking the thing up answers.
type world struct {
	token   oauth.Token
	client  client.Client
	user    user.User
	grant   grant.Grant
	tokens  error
	clients error
	users   error
	grants  error
}

func newWorld() *world {
	now := time.Now()
	return &world{
		token: oauth.Token{
			Use: oauth.UseAccess, TokenType: "Bearer", Subject: "u1", UserID: "u1", ClientID: "c1", GrantID: "g1",
			JTI: "j1", Scopes: []string{"openid", "profile", "email"}, Audiences: []string{issuer, "https://api.example"},
			IssuedAt: now, ExpiresAt: now.Add(time.Minute),
		},
		client: client.Client{ID: "c1", Scopes: []string{"openid", "profile", "email", "phone"}},
		user: user.User{
			ID: "u1", Name: "Ada", Email: "ada@example.com", EmailVerified: true, PhoneNumber: "+49 1",
			UpdatedAt: time.Unix(1_700_000_000, 0),
		},
		grant: grant.Grant{ID: "g1", ClientID: "c1", UserID: "u1"},
	}
}

func (w *world) handler(t *testing.T) *Handler {
	return New(Config{Issuer: issuer, Tokens: tokens{w}, Users: users{w}, Grants: grants{w}, Clients: clients{w}, Keys: ring(t)})
}

type tokens struct{ w *world }

func (f tokens) Inspect(_ context.Context, token string) (*oauth.Token, error) {
	if f.w.tokens != nil {
		return nil, f.w.tokens
	}
	if token != "good" {
		return nil, fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.")
	}
	t := f.w.token
	return &t, nil
}

type users struct{ w *world }

func (f users) Get(_ context.Context, id string) (*user.User, error) {
	if f.w.users != nil {
		return nil, f.w.users
	}
	if id != f.w.user.ID {
		return nil, errMissing
	}
	return &f.w.user, nil
}

type grants struct{ w *world }

func (f grants) ByID(_ context.Context, id string) (grant.Grant, error) {
	if f.w.grants != nil {
		return grant.Grant{}, f.w.grants
	}
	if id != f.w.grant.ID {
		return grant.Grant{}, errMissing
	}
	return f.w.grant, nil
}

type clients struct{ w *world }

func (f clients) Get(_ context.Context, id string) (*client.Client, error) {
	if f.w.clients != nil {
		return nil, f.w.clients
	}
	if id != f.w.client.ID {
		return nil, errMissing
	}
	return &f.w.client, nil
}

// keyStore keeps keys in memory, as much as a ring needs that never rotates.
type keyStore struct {
	keyring.Store
	keys []keyring.Key
}

func (s *keyStore) List(context.Context) ([]keyring.Key, error) { return slices.Clone(s.keys), nil }

func (s *keyStore) Add(_ context.Context, k keyring.Key, _ time.Time) error {
	s.keys = append(s.keys, k)
	return nil
}

var opened = sync.OnceValues(func() (*keyring.Ring, error) {
	sealer, err := secret.NewSealer(make([]byte, secret.KeySize))
	if err != nil {
		return nil, err
	}
	return keyring.Open(context.Background(), &keyStore{}, sealer, keyring.Config{})
})

func ring(t *testing.T) *keyring.Ring {
	t.Helper()
	r, err := opened()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// noKeys is a ring that could not be read for too long.
type noKeys struct{}

func (noKeys) Signer(keyring.Purpose, string) (*keyring.Signer, error) { return nil, errDown }

var errOdd = errors.New("SELECT failed at 10.0.0.1")
