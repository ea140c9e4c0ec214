package drills

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage/throwaway"
)

// answerLimit is what any answer may take while a store is away.
const answerLimit = 10 * time.Second

func TestWithoutPostgresEverythingButDiscoveryAndKeysSaysNo(t *testing.T) {
	pg := throwaway.NewPostgres(t, throwaway.PGOptions{})
	st := stores{pg.Database(t), throwaway.Redis(t)}
	s := st.instance(t)
	_, tokens := login(t, s, web, everything)
	browser := s.NewBrowser()
	code := s.Code(browser, web, everything)
	form := s.NewBrowser().Get(s.AuthorizeURL(web, everything))
	m := newSigner(t, s)

	pg.Stop()
	access, refresh := tokens.Text("access_token"), tokens.Text("refresh_token")
	for what, ask := range map[string]func() *porticotest.Answer{
		"code exchange":              func() *porticotest.Answer { return s.Exchange(web, code) },
		"refresh":                    func() *porticotest.Answer { return s.Refresh(web, refresh) },
		"introspection of a refresh": func() *porticotest.Answer { return s.Introspect(web, refresh) },
		"userinfo":                   func() *porticotest.Answer { return s.Fetch(protocol.PathUserinfo, access) },
		"revocation":                 func() *porticotest.Answer { return s.Revoke(web, refresh) },
		"registration": func() *porticotest.Answer {
			return s.SendJSON(http.MethodPost, protocol.PathRegister, "", registration())
		},
		"readiness": func() *porticotest.Answer { return s.Fetch(protocol.PathReady, "") },
	} {
		began := time.Now()
		a := ask()
		outage(t, what, a.Status, a.Header, a.Raw)
		if took := time.Since(began); took > answerLimit {
			t.Errorf("%s took %v", what, took)
		}
	}
	for what, p := range map[string]*porticotest.Page{
		"single sign-on": browser.Get(s.AuthorizeURL(web, everything)),
		"login":          form.Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", ""),
	} {
		outage(t, what, p.Status, p.Header, []byte(p.Text()))
	}
	for _, path := range []string{protocol.PathOpenIDConfiguration, protocol.PathOAuthServer, protocol.PathJWKS, protocol.PathHealth} {
		want(t, path, s.Fetch(path, ""), http.StatusOK)
	}
	// A client that was read a moment ago is believed for as long as its
	// cache lives; then nobody gets an answer.
	stranger := s.NewBrowser()
	for what, ask := range map[string]func() *porticotest.Answer{
		"introspection": func() *porticotest.Answer { return s.Introspect(machine, access) },
		"authorization by a stranger": func() *porticotest.Answer {
			p := stranger.Get(s.AuthorizeURL(web, everything))
			return &porticotest.Answer{Status: p.Status, Header: p.Header, Raw: []byte(p.Text())}
		},
		"machine token": func() *porticotest.Answer {
			return s.Send(machine, protocol.PathToken, grantForm(protocol.GrantClientCredentials))
		},
		"private_key_jwt": func() *porticotest.Answer { return s.Send(nobody, protocol.PathToken, m.form(m.assertion())) },
	} {
		soon(t, what+" is refused", func() bool {
			a := ask()
			if a.Status == http.StatusOK {
				return false
			}
			outage(t, what, a.Status, a.Header, a.Raw)
			return true
		})
	}

	pg.Start()
	soon(t, "ready after the start of Postgres", func() bool { return ready(s) })
	want(t, "code exchange: the outage spent no code", s.Exchange(web, code), http.StatusOK)
	want(t, "refresh: the outage spent no token", s.Refresh(web, refresh), http.StatusOK)
	accepted(t, s, access)
	login(t, s, web, everything)
}

func registration() map[string]any {
	return map[string]any{"client_name": "Another", "redirect_uris": []string{porticotest.Callback}}
}

func TestARestartOfPostgresUnderLoadHealsByItself(t *testing.T) {
	pg := throwaway.NewPostgres(t, throwaway.PGOptions{})
	st := stores{pg.Database(t), throwaway.Redis(t)}
	s := st.instance(t)
	const workers = 8
	var tokens [workers]string
	for i := range tokens {
		_, a := login(t, s, web, everything)
		tokens[i] = a.Text("refresh_token")
	}
	var (
		stop               = make(chan struct{})
		wg                 sync.WaitGroup
		good, unavailable  atomic.Int64
		goodAfter, started atomic.Int64
	)
	for i := range workers {
		wg.Go(func() {
			last := time.Now() // when an answer was good
			for token := tokens[i]; ; {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				a, err := s.TrySend(web, protocol.PathToken, refreshForm(token))
				switch {
				case err != nil:
					t.Errorf("the connection broke: %v", err)
					return
				case a.Status == http.StatusOK:
					token, last = a.Text("refresh_token"), time.Now()
					good.Add(1)
					goodAfter.Add(started.Load())
				case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
					unavailable.Add(1)
				case time.Since(last) > 9*time.Second:
					return // too late to ask again for an answer that was lost
				default: // a retry of what may have been done is answered alike
					t.Errorf("worker %d: got %d %s, want 200 or 503", i, a.Status, a.Raw)
					return
				}
				if took := time.Since(began); took > answerLimit {
					t.Errorf("an answer took %v", took)
				}
			}
		})
	}
	soon(t, "work before the stop", func() bool { return good.Load() > 20 })
	for _, halt := range []func(){pg.Stop, pg.Kill} {
		before := unavailable.Load()
		halt()
		soon(t, "refusals while Postgres is down", func() bool { return unavailable.Load() > before+workers || t.Failed() })
		pg.Start()
		goodAfter.Store(0)
		started.Store(1)
		soon(t, "every worker goes on", func() bool { return goodAfter.Load() > 10*workers || t.Failed() })
		started.Store(0)
	}
	close(stop)
	wg.Wait()
}

func TestARevocationOutlivesACrashOfPostgres(t *testing.T) {
	pg := throwaway.NewPostgres(t, throwaway.PGOptions{Fsync: true})
	st := stores{pg.Database(t), throwaway.Redis(t)}
	s := st.instance(t)
	_, family := login(t, s, web, everything)
	_, single := login(t, s, web, everything)
	_, alive := login(t, s, web, everything)
	want(t, "revocation of an access token", s.Revoke(web, single.Text("access_token")), http.StatusOK)
	want(t, "revocation of a family", s.Revoke(web, family.Text("refresh_token")), http.StatusOK)
	pg.Crash()
	st.rd.Kill() // so that only the ledger can know
	st.rd.StartEmpty()
	pg.Start()
	neverActive(t, s, []*porticotest.Answer{family}, alive.Text("access_token"))
	if a := s.Introspect(machine, single.Text("access_token")); a.JSON["active"] != false {
		t.Errorf("the access token after the crash: %d %s", a.Status, a.Raw)
	}
}
