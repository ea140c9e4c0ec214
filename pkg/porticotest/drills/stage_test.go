package drills

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/storage/throwaway"
)

// The applications of the demo data, by short names.
var (
	web     = porticotest.Web
	spa     = porticotest.SPA
	machine = porticotest.Machine
)

// Scopes of the drills: with everything, and without offline access, so that
// tokens end with the session.
const (
	everything = "openid profile offline_access orders:read"
	online     = "openid orders:read"
)

// stores are the database and the Redis of one drill.
type stores struct {
	db *throwaway.PG
	rd *throwaway.RedisServer
}

// shared returns stores that the drill does not stop.
func shared(t *testing.T) stores {
	t.Helper()
	return stores{throwaway.Postgres(t), throwaway.Redis(t)}
}

// instance starts a Portico in this process.
func (st stores) instance(t *testing.T, opts ...porticotest.Option) *porticotest.Server {
	t.Helper()
	return porticotest.New(t, append([]porticotest.Option{porticotest.Stores(st.db.URL(), st.rd.URL())}, opts...)...)
}

// two starts two instances of one issuer.
func (st stores) two(t *testing.T) (a, b *porticotest.Server) {
	t.Helper()
	a = st.instance(t)
	return a, st.instance(t, porticotest.Issuer(a.URL))
}

// setting edits the settings of an instance.
func setting(edit func(*config.Config)) porticotest.Option { return porticotest.With(edit) }

// login returns tokens of a new person's browser, and the browser.
func login(t *testing.T, s *porticotest.Server, app porticotest.App, scope string) (*porticotest.Browser, *porticotest.Answer) {
	t.Helper()
	b := s.NewBrowser()
	a := s.Exchange(app, s.Code(b, app, scope))
	want(t, "code exchange", a, http.StatusOK)
	return b, a
}

// want compares a status and shows the answer when it differs.
func want(t *testing.T, what string, a *porticotest.Answer, status int) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("%s: got %d %s, want %d", what, a.Status, a.Raw, status)
	}
}

// refused checks that nobody takes the tokens of an answer any more.
func refused(t *testing.T, s *porticotest.Server, app porticotest.App, tokens *porticotest.Answer) {
	t.Helper()
	access, refresh := tokens.Text("access_token"), tokens.Text("refresh_token")
	for who, as := range map[string]porticotest.App{"the resource server": machine, "the client": app} {
		if as.Secret == "" {
			continue // a public client may not introspect
		}
		if a := s.Introspect(as, access); a.Status != http.StatusOK || a.JSON["active"] != false {
			t.Errorf("introspection by %s: got %d %s, want active:false", who, a.Status, a.Raw)
		}
	}
	if a := s.Fetch(protocol.PathUserinfo, access); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo: got %d %s, want 401", a.Status, a.Raw)
	}
	if a := s.Refresh(app, refresh); a.Status != http.StatusBadRequest || a.Text("error") != protocol.ErrInvalidGrant {
		t.Errorf("refresh: got %d %s, want invalid_grant", a.Status, a.Raw)
	}
}

// accepted checks that the access token is good.
func accepted(t *testing.T, s *porticotest.Server, access string) {
	t.Helper()
	if a := s.Introspect(machine, access); a.JSON["active"] != true {
		t.Errorf("introspection: got %d %s, want active:true", a.Status, a.Raw)
	}
	if a := s.Fetch(protocol.PathUserinfo, access); a.Status != http.StatusOK {
		t.Errorf("userinfo: got %d %s, want 200", a.Status, a.Raw)
	}
}

// grantForm is a token request.
func grantForm(grant string, pairs ...string) url.Values {
	form := url.Values{protocol.GrantType: {grant}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func refreshForm(token string) url.Values {
	return grantForm(protocol.GrantRefreshToken, protocol.RefreshToken, token)
}

func codeForm(app porticotest.App, code string) url.Values {
	form := grantForm(protocol.GrantAuthorizationCode, protocol.Code, code, protocol.RedirectURI, app.RedirectURI)
	if app.Verifier != "" {
		form.Set(protocol.CodeVerifier, app.Verifier)
	}
	return form
}

// race runs n of them at the same moment and waits for all.
func race(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-start; do(i) })
	}
	close(start)
	wg.Wait()
}

// patience bounds what must come true by itself.
const patience = 15 * time.Second

// soon polls until ok holds, and fails the test when it does not in time.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// ready asks /readyz.
func ready(s *porticotest.Server) bool {
	return s.Fetch(protocol.PathReady, "").Status == http.StatusOK
}

// outage checks that an answer is what promise 3 says while a store is down.
func outage(t *testing.T, what string, status int, h http.Header, body []byte) {
	t.Helper()
	if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("%s: got %d with Retry-After %q, want 503 with one: %.300s", what, status, h.Get("Retry-After"), body)
	}
}

// read returns the body of an answer and closes it.
func read(res *http.Response) ([]byte, error) {
	defer func() { _ = res.Body.Close() }()
	return io.ReadAll(res.Body)
}
