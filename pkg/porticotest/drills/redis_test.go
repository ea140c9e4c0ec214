package drills

import (
	"net/http"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage/throwaway"
)

// revokedBefore returns tokens whose revocation was acknowledged, and others
// that stand.
func revokedBefore(t *testing.T, s *porticotest.Server) (dead []*porticotest.Answer, alive *porticotest.Answer) {
	t.Helper()
	b, family := login(t, s, web, everything)
	want(t, "revocation of a family", s.Revoke(web, family.Text("refresh_token")), http.StatusOK)
	session := s.Exchange(web, s.Code(b, web, online))
	want(t, "code exchange", session, http.StatusOK)
	b.Get(protocol.PathLogout).Submit(nil, "decision", "logout")
	_, alive = login(t, s, web, everything)
	return []*porticotest.Answer{family, session}, alive
}

// neverActive asks until the live token is accepted again, and at every step
// that no revoked one is.
func neverActive(t *testing.T, s *porticotest.Server, dead []*porticotest.Answer, alive string) {
	t.Helper()
	soon(t, "introspection accepts the live token", func() bool {
		for _, d := range dead {
			a := s.Introspect(machine, d.Text("access_token"))
			if a.Status != http.StatusServiceUnavailable && (a.Status != http.StatusOK || a.JSON["active"] != false) {
				t.Fatalf("introspection of a revoked token: %d %s", a.Status, a.Raw)
			}
			if u := s.Fetch(protocol.PathUserinfo, d.Text("access_token")); u.Status != http.StatusUnauthorized && u.Status != http.StatusServiceUnavailable {
				t.Fatalf("userinfo of a revoked token: %d %s", u.Status, u.Raw)
			}
		}
		return s.Introspect(machine, alive).JSON["active"] == true
	})
	for _, d := range dead {
		refused(t, s, web, d)
	}
	if !ready(s) {
		t.Error("/readyz says no although introspection answers")
	}
}

func TestAFlushOfRedisForgetsNoRevocation(t *testing.T) {
	st := shared(t)
	a, b := st.two(t)
	dead, alive := revokedBefore(t, a)
	m := newSigner(t, a)
	used, unused := m.assertion(), m.assertion()
	want(t, "assertion", a.Send(nobody, protocol.PathToken, m.form(used)), http.StatusOK)
	st.rd.FlushAll()
	for _, s := range []*porticotest.Server{a, b} {
		for what, old := range map[string]string{"used": used, "unused": unused} {
			if r := s.Send(nobody, protocol.PathToken, m.form(old)); r.Status == http.StatusOK {
				t.Errorf("the %s assertion issued before the flush was taken after it: %s", what, r.Raw)
			}
		}
		neverActive(t, s, dead, alive.Text("access_token"))
	}
	// A revocation right after a flush finds no set to append to.
	st.rd.FlushAll()
	want(t, "revocation after the flush", a.Revoke(web, alive.Text("refresh_token")), http.StatusOK)
	refused(t, b, web, alive)
	for _, d := range dead {
		refused(t, b, web, d)
	}
	m.takenAgain(a)
}

func TestARedisThatComesBackEmptyForgetsNoRevocation(t *testing.T) {
	st := shared(t)
	a, b := st.two(t)
	dead, alive := revokedBefore(t, a)
	st.rd.Kill()
	st.rd.StartEmpty()
	neverActive(t, b, dead, alive.Text("access_token"))
	neverActive(t, a, dead, alive.Text("access_token"))
	login(t, a, web, everything)
}

func TestWithoutRedisTheUnsureSayNo(t *testing.T) {
	st := stores{throwaway.Postgres(t), throwaway.NewRedis(t, throwaway.RedisOptions{AppendOnly: true})}
	s := st.instance(t)
	dead, alive := revokedBefore(t, s)
	m := newSigner(t, s)
	browser := s.NewBrowser()
	code := s.Code(browser, web, everything)
	visitor := s.NewBrowser()
	form := visitor.Get(s.AuthorizeURL(web, everything))
	want(t, "machine token", s.Send(machine, protocol.PathToken, grantForm(protocol.GrantClientCredentials)), http.StatusOK)

	st.rd.Stop()
	began := time.Now()
	access, refresh := alive.Text("access_token"), alive.Text("refresh_token")
	for what, a := range map[string]*porticotest.Answer{
		"code exchange":               s.Exchange(web, code),
		"refresh":                     s.Refresh(web, refresh),
		"introspection":               s.Introspect(machine, access),
		"introspection of a dead one": s.Introspect(machine, dead[0].Text("access_token")),
		"introspection of a refresh":  s.Introspect(web, refresh),
		"userinfo":                    s.Fetch(protocol.PathUserinfo, access),
		"private_key_jwt":             s.Send(nobody, protocol.PathToken, m.form(m.assertion())),
		"revocation":                  s.Revoke(web, access),
		"readiness":                   s.Fetch(protocol.PathReady, ""),
	} {
		outage(t, what, a.Status, a.Header, a.Raw)
	}
	for what, p := range map[string]*porticotest.Page{
		"authorization by a stranger": s.NewBrowser().Get(s.AuthorizeURL(web, everything)),
		"login":                       form.Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", ""),
	} {
		outage(t, what, p.Status, p.Header, []byte(p.Text()))
	}
	if p := browser.Get(s.AuthorizeURL(web, everything, protocol.Prompt, "none")); p.URL.Query().Get(protocol.Code) != "" {
		t.Errorf("a code was given although nobody could look for revocations: %s", p.URL)
	}
	for _, path := range []string{protocol.PathOpenIDConfiguration, protocol.PathOAuthServer, protocol.PathJWKS, protocol.PathHealth} {
		want(t, path, s.Fetch(path, ""), http.StatusOK)
	}
	want(t, "machine token by secret", s.Send(machine, protocol.PathToken, grantForm(protocol.GrantClientCredentials)), http.StatusOK)
	if took := time.Since(began); took > patience {
		t.Errorf("the answers took %v: somebody waits for Redis", took)
	}

	st.rd.Start()
	soon(t, "ready after the start of Redis", func() bool { return ready(s) })
	neverActive(t, s, dead, s.Exchange(web, code).Text("access_token")) // the outage spent no code
	m.takenAgain(s)
	if next := s.Refresh(web, refresh); next.Status != http.StatusOK {
		t.Errorf("the outage spent a refresh token: %d %s", next.Status, next.Raw)
	}
	login(t, s, web, everything)
}
