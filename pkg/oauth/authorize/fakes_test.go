package authorize_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

type clients map[string]*client.Client

func (c clients) Get(_ context.Context, id string) (*client.Client, error) {
	if id == "down" {
		return nil, errDown
	}
	if found, ok := c[id]; ok {
		return found, nil
	}
	return nil, errAbsent
}

type apis struct {
	scope.Store
	list []scope.API
	down error
}

func (a *apis) All(context.Context) ([]scope.API, error) { return a.list, a.down }

type sessions struct {
	m    map[string]session.Session // by cookie
	down error
}

func (s *sessions) FromToken(_ context.Context, token string) (*session.Session, error) {
	found, ok := s.m[token]
	if s.down != nil || !ok || !found.Live(time.Now()) {
		return nil, s.down
	}
	return &found, nil
}

func (s *sessions) Get(_ context.Context, id string) (*session.Session, error) {
	for _, found := range s.m {
		if found.ID == id {
			return &found, s.down
		}
	}
	return nil, errAbsent
}

type users map[string]*user.User

func (u users) Get(_ context.Context, id string) (*user.User, error) {
	if found, ok := u[id]; ok {
		return found, nil
	}
	return nil, errAbsent
}

type consents struct {
	covered bool
	down    error
	asked   int
}

func (c *consents) Covers(context.Context, string, *client.Client, *flow.Request) (bool, error) {
	c.asked++
	return c.covered, c.down
}

// codes counts what was issued.
type codes struct {
	mu     sync.Mutex
	issued []flow.Request
	who    []oauth.Who
	fail   error
}

func (c *codes) IssueCode(_ context.Context, _ *client.Client, q *flow.Request, who oauth.Who) (url.Values, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return nil, c.fail
	}
	c.issued, c.who = append(c.issued, *q), append(c.who, who)
	return url.Values{"code": {"the-code"}}, nil
}

func (c *codes) last(t *testing.T) flow.Request {
	t.Helper()
	if len(c.issued) == 0 {
		t.Fatal("no code was issued")
	}
	return c.issued[len(c.issued)-1]
}

type hints map[string]string // payload by token

func testHints() hints {
	claims := func(iss, aud, sub string) string {
		return `{"iss":"` + iss + `","aud":` + aud + `,"sub":"` + sub + `","sid":"old-sid","exp":1}`
	}
	return hints{
		"of-alice":      claims(issuer, `"shop"`, "alice"),
		"of-bob":        claims(issuer, `["shop"]`, "bob"),
		"other-aud":     claims(issuer, `"old"`, "alice"),
		"no-aud":        claims(issuer, `[]`, "alice"),
		"odd-aud":       claims(issuer, `{"a":1}`, "alice"),
		"other-iss":     claims("https://evil.test", `"shop"`, "alice"),
		"no-sub":        claims(issuer, `"shop"`, ""),
		"logout-token":  claims(issuer, `"shop"`, "alice"),
		"not-an-object": `"text"`,
	}
}

func (h hints) VerifyHint(token string) ([]byte, keyring.Header, error) {
	payload, ok := h[token]
	if !ok {
		return nil, keyring.Header{}, fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.").Under("signature")
	}
	typ := "JWT"
	if token == "logout-token" {
		typ = "logout+jwt"
	}
	return []byte(payload), keyring.Header{Typ: typ}, nil
}

type health struct{ down error }

func (h *health) Ping(context.Context) error { return h.down }

// dispatcher stands for the pages: it saves the flow and shows the login.
type dispatcher struct {
	flows *flow.Service
	last  *flow.Flow
	fail  error
}

func (d *dispatcher) Next(w http.ResponseWriter, r *http.Request, f *flow.Flow) error {
	if d.fail != nil {
		return d.fail
	}
	if err := d.flows.Save(r.Context(), f); err != nil {
		return err
	}
	d.last = f
	w.Header().Set("Location", "/login?flow="+f.ID)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

type refused struct{ list []*fault.Error }

func (r *refused) Refused(_ context.Context, _ *http.Request, f *fault.Error) {
	r.list = append(r.list, f)
}

// records keeps the contract of flow.Store.
type records struct {
	mu   sync.Mutex
	m    map[string]flow.Record
	down error
}

func (s *records) Put(_ context.Context, key string, rec flow.Record, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.m[key]
	if ok && !now.Before(have.ExpiresAt) {
		have = flow.Record{}
	}
	if s.down != nil {
		return s.down
	}
	if have.Version != rec.Version-1 {
		return errLost
	}
	rec.Value = slices.Clone(rec.Value)
	s.m[key] = rec
	return nil
}

func (s *records) Get(_ context.Context, key string, now time.Time) (flow.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.m[key]
	if s.down != nil {
		return rec, s.down
	}
	if !ok || !now.Before(rec.ExpiresAt) {
		return flow.Record{}, errAbsent
	}
	return rec, nil
}

func (s *records) Take(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	rec, err := s.Get(ctx, key, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.m[key]; err == nil && !ok {
		return flow.Record{}, errAbsent
	}
	delete(s.m, key)
	return rec, err
}

func (s *records) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.m)
}
