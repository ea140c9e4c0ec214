package revoke

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
)

var (
	errDown  = fault.New(fault.Unavailable, "temporarily_unavailable", "down")
	errWrong = fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.")
	fp       = secret.NewFingerprinter(make([]byte, 32))
)

// world is everything behind the endpoint: a grant of the client web with a
// refresh token, a JWT and an opaque access token.
type world struct {
	caller  client.Client
	auth    error
	service *grant.Service

	refresh, opaque string
	gid             string
	failing         map[string]error // by step

	entries []revocation.Entry
	deleted []string
	audited []audit.Name
	alive   bool // of the access token
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{caller: client.Client{ID: "web"}, failing: map[string]error{}, gid: secret.ID(), alive: true}
	w.service = grant.NewService(store{w: w}, fp, grant.Config{Revoker: w})
	var err error
	if w.refresh, _, err = w.service.NewRefresh(w.gid, 3); err != nil {
		t.Fatal(err)
	}
	w.opaque, _ = w.service.NewOpaque()
	return w
}

func (w *world) Authenticate(context.Context, *http.Request, url.Values) (*client.Client, error) {
	if w.auth != nil {
		return nil, w.auth
	}
	return &w.caller, nil
}

func (w *world) Inspect(_ context.Context, token string) (*oauth.Token, error) {
	if err := w.failing["inspect"]; err != nil {
		return nil, err
	}
	if token != "jwt" && token != w.opaque || !w.alive {
		return nil, errWrong
	}
	return &oauth.Token{ClientID: "web", JTI: "j1", GrantID: w.gid, ExpiresAt: time.Unix(2_000_000_000, 0)}, nil
}

// store is a grant.Store of which only what is needed here is written.
type store struct {
	grant.Store
	w *world
}

func (s store) ByID(_ context.Context, id string) (grant.Grant, error) {
	if err := s.w.failing["find"]; err != nil {
		return grant.Grant{}, err
	}
	if id != s.w.gid {
		return grant.Grant{}, fault.New(fault.NotFound, "not_found", "none")
	}
	return grant.Grant{ID: id, ClientID: "web"}, nil
}

func (s store) Revoke(context.Context, string, string, time.Time) (bool, error) {
	return len(s.w.entries) == 0, s.w.failing["end"]
}

func (s store) DeleteToken(_ context.Context, hash string) error {
	s.w.deleted = append(s.w.deleted, hash)
	return s.w.failing["delete"]
}

// Revoke is revocation.Service.Revoke: the entries count when the cause went
// well and the live set can be reached.
func (w *world) Revoke(ctx context.Context, cause func(context.Context) ([]revocation.Entry, error)) error {
	entries, err := cause(ctx)
	if err != nil {
		return err
	}
	if err := w.failing["spread"]; err != nil {
		return err
	}
	w.entries = append(w.entries, entries...)
	return nil
}

func (w *world) Record(_ context.Context, e audit.Event) { w.audited = append(w.audited, e.Name) }

func post(w *world, form string) *http.Response {
	r := httptest.NewRequest("POST", "/oauth2/revoke", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return serve(w, r)
}

func serve(w *world, r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	h := New(Config{Auth: w, Tokens: w, Grants: w.service, Store: store{w: w}, Revoker: w, Audit: w})
	(&oauth.Edge{}).Handle(h.Revoke).ServeHTTP(rec, r)
	return rec.Result()
}

func wantDone(t *testing.T, res *http.Response) {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || len(body) != 0 {
		t.Errorf("answer %d %q, %v; want an empty 200", res.StatusCode, body, err)
	}
	if _, has := res.Header["Content-Type"]; has {
		t.Errorf("an empty answer has a Content-Type: %v", res.Header)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", res.Header.Get("Cache-Control"))
	}
}

var hints = []string{"", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint=banana"}

func TestRevokesAccessTokens(t *testing.T) {
	for _, hint := range hints {
		w := newWorld(t)
		wantDone(t, post(w, "token=jwt"+hint))
		want := revocation.Entry{Kind: revocation.Token, ID: "j1", Reason: reason, ExpiresAt: time.Unix(2_000_000_000, 0).Add(leeway)}
		if len(w.entries) != 1 || w.entries[0] != want || len(w.deleted) != 0 {
			t.Errorf("hint %q: entries %+v, deleted %v; want %+v", hint, w.entries, w.deleted, want)
		}
		if !slices.Equal(w.audited, []audit.Name{audit.TokenRevoked}) {
			t.Errorf("audited %v", w.audited)
		}
	}
	w := newWorld(t)
	wantDone(t, post(w, "token="+w.opaque))
	if len(w.entries) != 1 || !slices.Equal(w.deleted, []string{w.service.OpaqueHash(w.opaque)}) {
		t.Errorf("opaque: entries %+v, deleted %v", w.entries, w.deleted)
	}
}

func TestRevokesTheWholeFamily(t *testing.T) {
	for _, hint := range hints {
		w := newWorld(t)
		wantDone(t, post(w, "token="+w.refresh+hint))
		if len(w.entries) != 1 || w.entries[0].Kind != revocation.Grant || w.entries[0].ID != w.gid {
			t.Errorf("hint %q: entries %+v", hint, w.entries)
		}
	}
	w := newWorld(t)
	old, _, err := w.service.NewRefresh(w.gid, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantDone(t, post(w, "token="+old))
	if len(w.entries) != 1 || w.entries[0].ID != w.gid {
		t.Errorf("a past generation: entries %+v", w.entries)
	}
}

func TestRepeatingIsHarmless(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		wantDone(t, post(w, "token="+w.refresh))
	}
	if len(w.entries) != 3 {
		t.Errorf("%d entries, want one for each call: the first may have died half way", len(w.entries))
	}
	w.alive = false
	wantDone(t, post(w, "token=jwt"))
}

func TestUnknownTokensAreDeadAlready(t *testing.T) {
	stranger := grant.NewService(store{}, secret.NewFingerprinter([]byte(strings.Repeat("x", 32))), grant.Config{})
	forged, _, err := stranger.NewRefresh(secret.ID(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	gone, _, err := w.service.NewRefresh(secret.ID(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"garbage": "garbage", "refresh token of another server": forged, "refresh token of a grant that is gone": gone,
		"shape of a refresh token": secret.New(secret.RefreshToken), "prefix of a refresh token": "ptrt_",
		"opaque token that is unknown": secret.New(secret.OpaqueAccessToken), "a code": secret.New(secret.AuthorizationCode),
		"an ID token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "very long": strings.Repeat("a", 16000),
	} {
		t.Run("RFC 7009 §2.2 "+name, func(t *testing.T) {
			for _, hint := range hints {
				wantDone(t, post(w, "token="+url.QueryEscape(token)+hint))
			}
		})
	}
	if len(w.entries)+len(w.deleted)+len(w.audited) != 0 {
		t.Errorf("unknown tokens left %v %v %v", w.entries, w.deleted, w.audited)
	}
}

func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world)
		form   func(*world) string
		status int
		code   string
	}{
		"RFC 7009 §2.1 no token":                             {nil, func(*world) string { return "" }, 400, "invalid_request"},
		"RFC 6749 §3.2 token twice":                          {nil, func(*world) string { return "token=a&token=b" }, 400, "invalid_request"},
		"security §0.3 control character":                    {nil, func(*world) string { return "token=%01" }, 400, "invalid_request"},
		"RFC 7009 §2.1 without authentication":               {func(w *world) { w.auth = fault.New(fault.Unauthenticated, "invalid_client", "no") }, nil, 401, "invalid_client"},
		"RFC 7009 §2.1 access token of another client":       {func(w *world) { w.caller.ID = "other" }, nil, 400, "invalid_grant"},
		"RFC 7009 §2.1 refresh token of another client":      {func(w *world) { w.caller.ID = "other" }, refreshForm, 400, "invalid_grant"},
		"RFC 7009 §2.2.1 Redis is down, access token":        {func(w *world) { w.failing["inspect"] = errDown }, nil, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 live set is down, access token":     {func(w *world) { w.failing["spread"] = errDown }, nil, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 live set is down, refresh token":    {func(w *world) { w.failing["spread"] = errDown }, refreshForm, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 SQL is down, reading the grant":     {func(w *world) { w.failing["find"] = errDown }, refreshForm, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 SQL is down, ending the grant":      {func(w *world) { w.failing["end"] = errDown }, refreshForm, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 SQL is down, opaque token":          {func(w *world) { w.failing["delete"] = errDown }, opaqueForm, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 an error that nobody described":     {func(w *world) { w.failing["end"] = errors.New("SELECT") }, refreshForm, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 an odd error of the inspection":     {func(w *world) { w.failing["inspect"] = errors.New("SELECT") }, nil, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 a conflict":                         {func(w *world) { w.failing["end"] = fault.New(fault.Conflict, "conflict", "x") }, refreshForm, 503, "temporarily_unavailable"},
		"RFC 7009 §2.2.1 not found while the grant is ended": {func(w *world) { w.failing["end"] = fault.New(fault.NotFound, "x", "x") }, refreshForm, 503, "temporarily_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tt.change != nil {
				tt.change(w)
			}
			form := "token=jwt"
			if tt.form != nil {
				form = tt.form(w)
			}
			res := post(w, form)
			var m map[string]any
			if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.status || m["error"] != tt.code {
				t.Errorf("answer %d %v, want %d %s", res.StatusCode, m, tt.status, tt.code)
			}
			if (tt.status == 503) != (res.Header.Get("Retry-After") != "") || (tt.status == 401) != (res.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("headers %v", res.Header)
			}
			if len(w.entries) != 0 || slices.Contains(w.audited, audit.TokenRevoked) {
				t.Errorf("a refusal revoked: %+v, audited %v", w.entries, w.audited)
			}
		})
	}
}

func refreshForm(w *world) string { return "token=" + w.refresh }
func opaqueForm(w *world) string  { return "token=" + w.opaque }

func TestRefusesOtherMethods(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		res := serve(newWorld(t), httptest.NewRequest(method, "/oauth2/revoke", nil))
		if res.StatusCode != 405 || res.Header.Get("Allow") != "POST" {
			t.Errorf("%s = %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
	r := httptest.NewRequest("POST", "/?token=jwt", strings.NewReader(""))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if res := serve(newWorld(t), r); res.StatusCode != 400 {
		t.Errorf("token in the URL = %d", res.StatusCode)
	}
}
