package drills

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/storage/throwaway"
)

// signedIn is a browser with the session it has.
type signedIn struct {
	*porticotest.Browser
	cookie *http.Cookie
	of     session.Session
}

// signIn opens a session of a demo person in a new browser.
func signIn(t *testing.T, s *porticotest.Server) signedIn {
	t.Helper()
	b, tokens := login(t, s, web, online)
	var claims struct{ Sub, Sid string }
	_, payload, _ := strings.Cut(tokens.Text("id_token"), ".")
	payload, _, _ = strings.Cut(payload, ".")
	if raw, err := base64.RawURLEncoding.DecodeString(payload); err != nil || json.Unmarshal(raw, &claims) != nil || claims.Sid == "" {
		t.Fatalf("the ID token names no session: %s", raw)
	}
	for _, c := range b.Cookies() {
		if strings.HasSuffix(c.Name, "portico_session") {
			return signedIn{b, c, session.Session{ID: claims.Sid, UserID: claims.Sub}}
		}
	}
	t.Fatalf("no session cookie among %v", b.Cookies())
	return signedIn{}
}

// silent asks an instance for a code with the cookie alone, and returns the
// error, or "" for a code.
func (b signedIn) silent(s *porticotest.Server) string {
	reader := s.NewBrowser()
	reader.Header = http.Header{"Cookie": {b.cookie.Name + "=" + b.cookie.Value}}
	return outcome(reader.Get(s.AuthorizeURL(web, online, protocol.Prompt, "none")))
}

func outcome(page *porticotest.Page) string {
	q := page.URL.Query()
	if page.Left && q.Get(protocol.Code) != "" {
		return ""
	}
	if e := q.Get("error"); e != "" {
		return e
	}
	return http.StatusText(page.Status)
}

// sessionEnds are the ways in which somebody ends another browser's session.
var sessionEnds = map[string]func(ctx context.Context, s *porticotest.Server, of, keep session.Session) error{
	"one by its sid": func(ctx context.Context, s *porticotest.Server, of, _ session.Session) error {
		return s.Sessions.EndOne(ctx, of.UserID, of.ID, "drill")
	},
	"all others": func(ctx context.Context, s *porticotest.Server, of, keep session.Session) error {
		return s.Sessions.EndOthers(ctx, of.UserID, keep.ID, "drill")
	},
	"all but one, with every token": func(ctx context.Context, s *porticotest.Server, of, keep session.Session) error {
		return s.Sessions.EndOfUser(ctx, of.UserID, keep.ID, "drill", nil)
	},
}

// TestAnEndedSessionIsRefusedByTheOtherInstanceWhileItIsRead reads a session
// at one instance fifty times a second and ends it at the other: whatever
// begins after the end was acknowledged is refused, and the session that was
// kept is not.
func TestAnEndedSessionIsRefusedByTheOtherInstanceWhileItIsRead(t *testing.T) {
	a, b := shared(t).two(t)
	for name, end := range sessionEnds {
		t.Run(name, func(t *testing.T) {
			dies, lives := signIn(t, a), signIn(t, a)
			var (
				wg    sync.WaitGroup
				mu    sync.Mutex
				ended time.Time
				after int
			)
			stop := make(chan struct{})
			wg.Go(func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
					}
					wg.Go(func() {
						mu.Lock()
						over := !ended.IsZero()
						mu.Unlock()
						got := dies.silent(b)
						mu.Lock()
						defer mu.Unlock()
						switch {
						case over && got != protocol.ErrLoginRequired:
							t.Errorf("a request that began after the end got %q, want login_required", got)
						case got != "" && got != protocol.ErrLoginRequired:
							t.Errorf("a request got %q", got)
						case over:
							after++
						}
					})
				}
			})
			time.Sleep(400 * time.Millisecond)
			if got := dies.silent(b); got != "" {
				t.Errorf("before the end: %q, want a code", got)
			}
			if err := end(t.Context(), a, dies.of, lives.of); err != nil {
				t.Error(err)
			}
			mu.Lock()
			ended = time.Now()
			mu.Unlock()
			if got := dies.silent(b); got != protocol.ErrLoginRequired {
				t.Errorf("right after the end: %q, want login_required", got)
			}
			time.Sleep(400 * time.Millisecond)
			close(stop)
			wg.Wait()
			if after < 10 {
				t.Errorf("only %d readers came after the end: this proves little", after)
			}
			for what, s := range map[string]*porticotest.Server{"A": a, "B": b} {
				if got := lives.silent(s); got != "" {
					t.Errorf("the kept session at %s: %q, want a code", what, got)
				}
				if got := dies.silent(s); got != protocol.ErrLoginRequired {
					t.Errorf("the ended session at %s: %q, want login_required", what, got)
				}
			}
		})
	}
}

// TestTokensOfAnEndedSessionEndAndThoseOfTheKeptOneLive looks at what hangs on
// sessions.
func TestTokensOfAnEndedSessionEndAndThoseOfTheKeptOneLive(t *testing.T) {
	a, b := shared(t).two(t)
	for name, endsAll := range map[string]bool{"one by its sid": false, "all others": false, "all but one, with every token": true} {
		t.Run(name, func(t *testing.T) {
			dies := signIn(t, a)
			dead := a.Exchange(web, a.Code(dies.Browser, web, everything))
			want(t, "code exchange", dead, http.StatusOK)
			lives := signIn(t, a)
			alive := a.Exchange(web, a.Code(lives.Browser, web, everything))
			want(t, "code exchange", alive, http.StatusOK)
			if err := sessionEnds[name](t.Context(), a, dies.of, lives.of); err != nil {
				t.Fatal(err)
			}
			refused(t, b, web, dead) // the offline grant too
			if endsAll {
				refused(t, b, web, alive)
				return
			}
			accepted(t, b, alive.Text("access_token"))
			want(t, "refresh in the kept session", b.Refresh(web, alive.Text("refresh_token")), http.StatusOK)
		})
	}
}

func TestAFlushOfRedisRevivesNoSession(t *testing.T) {
	st := shared(t)
	a, b := st.two(t)
	dies, lives := signIn(t, a), signIn(t, a)
	if got := dies.silent(b); got != "" {
		t.Fatalf("before the end: %q", got)
	}
	if err := a.Sessions.EndOne(t.Context(), dies.of.UserID, dies.of.ID, "drill"); err != nil {
		t.Fatal(err)
	}
	st.rd.FlushAll()
	for range 3 { // from the store, then from what was made of it
		for what, s := range map[string]*porticotest.Server{"A": a, "B": b} {
			if got := dies.silent(s); got != protocol.ErrLoginRequired {
				t.Errorf("the ended session at %s after the flush: %q, want login_required", what, got)
			}
			if got := lives.silent(s); got != "" {
				t.Errorf("the other session at %s after the flush: %q, want a code", what, got)
			}
		}
	}
	st.rd.FlushAll() // and an end right after one
	if err := b.Sessions.EndOne(t.Context(), lives.of.UserID, lives.of.ID, "drill"); err != nil {
		t.Fatal(err)
	}
	if got := lives.silent(a); got != protocol.ErrLoginRequired {
		t.Errorf("ended right after a flush: %q, want login_required", got)
	}
}

// TestWithoutRedisNoEndIsAcknowledged ends a session from the page of the
// person while Redis is down, and again when it is back.
func TestWithoutRedisNoEndIsAcknowledged(t *testing.T) {
	st := stores{throwaway.Postgres(t), throwaway.NewRedis(t, throwaway.RedisOptions{AppendOnly: true})}
	a, b := st.two(t)
	dies, keeps := signIn(t, a), signIn(t, a)
	if got := dies.silent(b); got != "" {
		t.Fatalf("before the end: %q", got)
	}
	page := keeps.Get(protocol.PathAccountSessions)
	out := dies.Get(protocol.PathLogout)

	st.rd.Stop()
	p := page.Submit(map[string]string{"session": dies.of.ID}, "session", dies.of.ID)
	outage(t, "ending another session", p.Status, p.Header, []byte(p.Text()))
	p = out.Submit(nil, "decision", "logout")
	outage(t, "logout", p.Status, p.Header, []byte(p.Text()))
	for what, s := range map[string]*porticotest.Server{"A": a, "B": b} {
		if got := dies.silent(s); got == "" {
			t.Errorf("%s gave a code although nobody could look for revocations", what)
		}
	}

	st.rd.Start()
	soon(t, "both are ready again", func() bool { return ready(a) && ready(b) })
	if err := a.Sessions.EndOne(t.Context(), dies.of.UserID, dies.of.ID, "drill"); err != nil {
		t.Errorf("the repetition: %v", err)
	}
	for what, s := range map[string]*porticotest.Server{"A": a, "B": b} {
		if got := dies.silent(s); got != protocol.ErrLoginRequired {
			t.Errorf("after the repetition at %s: %q, want login_required", what, got)
		}
		if got := keeps.silent(s); got != "" {
			t.Errorf("the kept session at %s: %q, want a code", what, got)
		}
	}
}

// TestAKilledServerRevivesNoSession kills the server right after it said that
// the person is signed out.
func TestAKilledServerRevivesNoSession(t *testing.T) {
	for name, addresses := range map[string]func(t *testing.T) (database, redis string){
		"Postgres and Redis": func(t *testing.T) (string, string) {
			st := shared(t)
			return st.db.URL(), st.rd.URL()
		},
		"embedded": func(t *testing.T) (string, string) { return "sqlite://" + t.TempDir() + "/portico.db", "" },
	} {
		t.Run(name, func(t *testing.T) {
			database, redis := addresses(t)
			s := newSite(t, database, redis)
			s.fill()
			for range 3 {
				running := s.serve()
				out, stays := s.caller(), s.caller()
				out.must(online)
				stays.must(online)
				old := out.http.Jar.Cookies(mustURL(t, s.url))
				out.signOut(t)
				_ = running.cmd.Process.Kill()
				s.wait(running)

				again := s.serve()
				replay := s.caller()
				replay.http.Jar.SetCookies(mustURL(t, s.url), old)
				if got := replay.silent(t); got != protocol.ErrLoginRequired {
					t.Errorf("the old cookie after the restart: %q, want login_required", got)
				}
				if got := stays.silent(t); got != "" {
					t.Errorf("the other browser after the restart: %q, want a code", got)
				}
				_ = again.cmd.Process.Kill()
				s.wait(again)
			}
		})
	}
}

// TestWhatTheShellEndsTheServerRefuses: the copies of an embedded server are
// in its memory, where no command of the shell reaches.
func TestWhatTheShellEndsTheServerRefuses(t *testing.T) {
	s := newSite(t, "sqlite://"+t.TempDir()+"/portico.db", "")
	s.fill()
	s.serve()
	c := s.caller()
	c.must(online)
	if got := c.silent(t); got != "" {
		t.Fatalf("before: %q, want a code", got)
	}
	s.say("another password of hers", nil, "user", "set-password", s.email)
	if got := c.silent(t); got != protocol.ErrLoginRequired {
		t.Errorf("after a new password by the shell: %q, want login_required", got)
	}
}

// signOut ends the session of the caller.
func (c *caller) signOut(t *testing.T) {
	t.Helper()
	at := protocol.PathLogout
	page, err := c.send(nobody, at, nil)
	if err == nil && page.location != "" {
		at = page.location
		page, err = c.send(nobody, at, nil)
	}
	if err != nil || page.status != http.StatusOK {
		t.Fatalf("the page that asks: %v %s", err, page)
	}
	form := url.Values{"decision": {"logout"}}
	for _, m := range hidden.FindAllStringSubmatch(string(page.raw), -1) {
		form.Set(m[1], m[2])
	}
	if r, err := c.send(nobody, at, form); err != nil || r.status >= http.StatusBadRequest || len(form) < 2 {
		t.Fatalf("logout: %v %s", err, r)
	}
}

// silent asks for a code without a page and returns the error, or "".
func (c *caller) silent(t *testing.T) string {
	t.Helper()
	r, err := c.send(nobody, protocol.PathAuthorize+"?"+url.Values{
		protocol.ClientID: {c.s.web.ID}, protocol.ResponseType: {protocol.ResponseTypeCode}, protocol.Scope: {online},
		protocol.RedirectURI: {porticotest.Callback}, protocol.State: {"s"}, protocol.Nonce: {"n"}, protocol.Prompt: {"none"},
		protocol.CodeChallenge: {porticotest.Challenge(porticotest.Verifier)}, protocol.CodeChallengeMethod: {protocol.ChallengeS256},
	}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	q := mustURL(t, r.location).Query()
	if q.Get(protocol.Code) != "" {
		return ""
	}
	return q.Get("error")
}

func mustURL(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTheClockRevivesNoSession(t *testing.T) {
	for name, by := range map[string]time.Duration{"an hour ahead and back": time.Hour, "an hour back and forth": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			a, b := shared(t).two(t)
			early, lives := signIn(t, a), signIn(t, a)
			end := func(of signedIn) {
				t.Helper()
				if got := of.silent(b); got != "" {
					t.Errorf("before the end: %q, want a code", got)
				}
				if err := a.Sessions.EndOne(t.Context(), of.of.UserID, of.of.ID, "drill"); err != nil {
					t.Fatal(err)
				}
			}
			dead := func(when string, of ...signedIn) {
				t.Helper()
				for i, o := range of {
					if got := o.silent(b); got != protocol.ErrLoginRequired {
						t.Errorf("%s the ended session %d: %q, want login_required", when, i, got)
					}
				}
				if got := lives.silent(b); got != "" {
					t.Errorf("%s the session that lives: %q, want a code", when, got)
				}
			}
			end(early)
			dead("before the jump", early)
			back := jump(t, by)
			away := signIn(t, a)
			dead("after the jump", early)
			end(away)
			dead("after the end", early, away)
			back()
			dead("after the way back", early, away)
		})
	}
}
