package logout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oidc/logout"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

var ctx = context.Background()

const bye = "https://app.example.test/bye"

// rig is a stage with the logout pages served, and Ann.
type rig struct {
	*stage.Stage
	handler     http.Handler
	keys        *keyring.Ring
	client      *client.Client
	ann         *user.User
	lastSession *session.Session
	upstream    *upstream
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s := stage.New(t)
	sealer, err := secret.NewSealer(bytes.Repeat([]byte{5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	keys := openKeys(t, s, sealer)
	up := &upstream{}
	pages := logout.New(logout.Deps{
		Kit: s.Kit, Issuer: stage.Issuer, Sessions: s.Sessions, Users: s.Users,
		Clients: s.Clients, Hints: keys, Parking: s.Flows, Upstream: up,
	})
	mux := http.NewServeMux()
	mux.Handle(protocol.PathLogout, s.Kit.OpenPages(pages.Endpoint))
	mux.Handle(protocol.PathLogoutConfirm, s.Kit.Pages(pages.Confirm))
	mux.Handle(protocol.PathSignedOut, s.Kit.Pages(pages.SignedOut))
	return &rig{Stage: s, handler: s.Kit.Outer(mux), keys: keys, client: s.Client(t), ann: s.Person(t, "ann@example.test"), upstream: up}
}

// made are the keys of the first ring: to make some takes seconds, and these
// tests are not about that.
var made struct {
	sync.Mutex
	rows []keyring.Key
}

func openKeys(t *testing.T, s *stage.Stage, sealer *secret.Sealer) *keyring.Ring {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if len(made.rows) > 0 && !made.rows[0].CreatedAt.After(time.Now()) { // fake time has keys of its own
		for _, row := range made.rows {
			if err := s.Durable.Keys.Add(ctx, row, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ring, err := keyring.Open(ctx, s.Durable.Keys, sealer, keyring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if made.rows == nil {
		if made.rows, err = s.Durable.Keys.List(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return ring
}

// signedIn returns a browser with a session of Ann.
func (r *rig) signedIn(t *testing.T) (*stage.Browser, *session.Session) {
	t.Helper()
	token, opened, err := r.Sessions.Start(ctx, session.Start{UserID: r.ann.ID, ACR: "1"})
	if err != nil {
		t.Fatal(err)
	}
	b := &stage.Browser{Handler: r.handler}
	b.SetCookie(stage.SessionCookie, token)
	r.lastSession = opened
	return b, opened
}

// live reports whether the session of a browser still stands.
func (r *rig) live(t *testing.T, id string) bool {
	t.Helper()
	s, err := r.Sessions.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return s.Live(time.Now())
}

// sign returns a token of the purpose with these claims.
func (r *rig) sign(t *testing.T, p keyring.Purpose, alg, typ string, claims map[string]any) string {
	t.Helper()
	signer, err := r.keys.Signer(p, alg)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(typ, raw)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// idToken returns an ID token of Ann's session for the client; change may
// make it another.
func (r *rig) idToken(t *testing.T, change ...func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": stage.Issuer, "sub": r.ann.ID, "aud": r.client.ID, "sid": r.lastSession.ID,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for _, f := range change {
		f(claims)
	}
	return r.sign(t, keyring.IDTokens, "RS256", "JWT", claims)
}

func set(name string, value any) func(map[string]any) {
	return func(claims map[string]any) { claims[name] = value }
}

func unset(name string) func(map[string]any) {
	return func(claims map[string]any) { delete(claims, name) }
}

// outcome is what a logout request comes to.
type outcome string

const (
	atOnce  outcome = "ends the session at once"
	asks    outcome = "asks the person"
	refuses outcome = "refuses on a page, changes nothing"
)

func TestRequests(t *testing.T) {
	type params map[string]string
	tests := map[string]struct {
		send  func(t *testing.T, r *rig) params
		want  outcome
		leads string // atOnce: where to
	}{
		"RP-Initiated Logout §2 a verified hint of this session": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t)} }, atOnce, "/signed-out",
		},
		"RP-Initiated Logout §2 an expired hint": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t, set("exp", time.Now().Add(-24*time.Hour).Unix()))}
			}, atOnce, "/signed-out",
		},
		"RP-Initiated Logout §2 a hint without sid names the person": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t, unset("sid"))} }, atOnce, "/signed-out",
		},
		"RP-Initiated Logout §2 hint, redirect and state": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "post_logout_redirect_uri": bye, "state": "a b&c=d"}
			}, atOnce, bye + "?state=a+b%26c%3Dd",
		},
		"RP-Initiated Logout §2 hint and the same client_id": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "client_id": r.client.ID, "post_logout_redirect_uri": bye}
			}, atOnce, bye,
		},
		"RP-Initiated Logout §2 an array of one audience": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t, set("aud", []string{r.client.ID}))}
			}, atOnce, "/signed-out",
		},
		"RP-Initiated Logout §2 state without a redirect goes nowhere": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t), "state": "x"} }, atOnce, "/signed-out",
		},
		"RP-Initiated Logout §2 unknown parameters and empty ones are ignored": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "foo": "bar", "post_logout_redirect_uri": "", "logout_hint": "ann"}
			}, atOnce, "/signed-out",
		},

		"ASVS 10.6.2 no parameters": {func(*testing.T, *rig) params { return nil }, asks, ""},
		"ASVS 10.6.2 a client_id alone": {
			func(_ *testing.T, r *rig) params { return params{"client_id": r.client.ID} }, asks, "",
		},
		"ASVS 10.6.2 client_id and redirect": {
			func(_ *testing.T, r *rig) params {
				return params{"client_id": r.client.ID, "post_logout_redirect_uri": bye, "state": "x"}
			}, asks, "",
		},
		"ASVS 10.6.2 a hint of another session of the person": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t, set("sid", "another"))} }, asks, "",
		},
		"ASVS 10.6.2 a hint of another person": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t, set("sub", "another"), unset("sid"))}
			}, asks, "",
		},
		"ASVS 10.6.2 this sid with another sub": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t, set("sub", "another"))} }, asks, "",
		},
		"ASVS 10.6.2 a logout_hint is no proof": {
			func(_ *testing.T, r *rig) params { return params{"logout_hint": "ann@example.test"} }, asks, "",
		},

		"RP-Initiated Logout §2 a hint that is no token": {
			func(*testing.T, *rig) params { return params{"id_token_hint": "garbage"} }, refuses, "",
		},
		"RP-Initiated Logout §2 a hint with an altered signature": {
			func(t *testing.T, r *rig) params {
				token := r.idToken(t)
				return params{"id_token_hint": token[:len(token)-8] + "AAAAAAAA"}
			}, refuses, "",
		},
		"RP-Initiated Logout §2 a hint signed by nobody": {
			func(t *testing.T, r *rig) params {
				_, payload, _ := strings.Cut(r.idToken(t), ".")
				payload, _, _ = strings.Cut(payload, ".")
				return params{"id_token_hint": "eyJhbGciOiJub25lIn0." + payload + "."}
			}, refuses, "",
		},
		"RFC 8725 §3.12 an access token as hint": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.sign(t, keyring.AccessTokens, "ES256", "at+jwt", map[string]any{
					"iss": stage.Issuer, "sub": r.ann.ID, "aud": r.client.ID, "sid": r.lastSession.ID,
				})}
			}, refuses, "",
		},
		"RFC 8725 §3.11 a token of another type": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.sign(t, keyring.IDTokens, "RS256", "logout+jwt", map[string]any{
					"iss": stage.Issuer, "sub": r.ann.ID, "aud": r.client.ID, "sid": r.lastSession.ID,
				})}
			}, refuses, "",
		},
		"RP-Initiated Logout §2 a hint of another issuer": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t, set("iss", stage.Issuer+"/"))}
			}, refuses, "",
		},
		"RP-Initiated Logout §2 a hint for an unknown client": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t, set("aud", "nobody"))} }, refuses, "",
		},
		"RP-Initiated Logout §2 a hint for two clients": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t, set("aud", []string{r.client.ID, "b"}))}
			}, refuses, "",
		},
		"RP-Initiated Logout §2 a hint without audience": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t, unset("aud"))} }, refuses, "",
		},
		"RP-Initiated Logout §2 a hint without sub": {
			func(t *testing.T, r *rig) params { return params{"id_token_hint": r.idToken(t, unset("sub"))} }, refuses, "",
		},
		"RP-Initiated Logout §2 client_id of another client": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "client_id": r.Client(t).ID}
			}, refuses, "",
		},
		"RP-Initiated Logout §2 an unknown client_id": {
			func(*testing.T, *rig) params { return params{"client_id": "nobody"} }, refuses, "",
		},
		"RP-Initiated Logout §3 a redirect without a client": {
			func(*testing.T, *rig) params { return params{"post_logout_redirect_uri": bye} }, refuses, "",
		},
		"RP-Initiated Logout §3 a redirect of another client": {
			func(t *testing.T, r *rig) params {
				other := r.Client(t, func(c *client.Client) { c.PostLogoutRedirectURIs = []string{"https://other.example.test/"} })
				return params{"client_id": other.ID, "post_logout_redirect_uri": bye}
			}, refuses, "",
		},
		"RP-Initiated Logout §3 a redirect URI of the login": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "post_logout_redirect_uri": stage.Redirect}
			}, refuses, "",
		},
		"RP-Initiated Logout §3 a slash more": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "post_logout_redirect_uri": bye + "/"}
			}, refuses, "",
		},
		"RP-Initiated Logout §3 a query more": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "post_logout_redirect_uri": bye + "?x"}
			}, refuses, "",
		},
		"RP-Initiated Logout §3 another letter case": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "post_logout_redirect_uri": "https://APP.example.test/bye"}
			}, refuses, "",
		},
		"RP-Initiated Logout §3 somewhere else": {
			func(t *testing.T, r *rig) params {
				return params{"id_token_hint": r.idToken(t), "post_logout_redirect_uri": "https://evil.test/"}
			}, refuses, "",
		},
		"security §0.3 control characters": {
			func(*testing.T, *rig) params { return params{"state": "a\r\nSet-Cookie: x=y"} }, refuses, "",
		},
	}
	for name, tt := range tests {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" by "+method, func(t *testing.T) {
				r := newRig(t)
				b, opened := r.signedIn(t)
				values := url.Values{}
				for name, value := range tt.send(t, r) {
					values.Set(name, value)
				}
				var answer stage.Answer
				if method == "GET" {
					answer = b.Get(protocol.PathLogout + "?" + values.Encode())
				} else {
					answer = b.Do(http.MethodPost, protocol.PathLogout, values, http.Header{"Origin": {"https://app.example.test"}})
				}
				check(t, r, b, opened, answer, tt.want, tt.leads)
			})
		}
	}
}

func check(t *testing.T, r *rig, b *stage.Browser, opened *session.Session, answer stage.Answer, want outcome, leads string) {
	t.Helper()
	switch want {
	case atOnce:
		if answer.Status != http.StatusSeeOther || answer.Location != leads {
			t.Errorf("status %d to %q, want to %q; rule %q", answer.Status, answer.Location, leads, r.Refusals.Last().Rule)
		}
		if r.live(t, opened.ID) || b.Cookie(stage.SessionCookie) != "" {
			t.Error("session or cookie is left")
		}
		if n := len(r.Audit.Named(audit.SessionEnded)); n != 1 {
			t.Errorf("%d ends in the audit", n)
		}
	case asks:
		if answer.Status != http.StatusSeeOther || !strings.HasPrefix(answer.Location, protocol.PathLogoutConfirm) || strings.Contains(answer.Location, "id_token_hint") {
			t.Fatalf("status %d to %q, want the question, without the token; rule %q", answer.Status, answer.Location, r.Refusals.Last().Rule)
		}
		if !r.live(t, opened.ID) || b.Cookie(stage.SessionCookie) == "" {
			t.Error("the session ended before the person was asked")
		}
		if page := b.Get(answer.Location); page.Status != http.StatusOK || !strings.Contains(page.Body, `id="logout-confirm"`) || !r.live(t, opened.ID) {
			t.Errorf("the question: status %d, or looking at it ended the session", page.Status)
		}
	case refuses:
		if answer.Status < 400 || answer.Status > 499 || answer.Location != "" || !strings.Contains(answer.Body, "cannot continue") {
			t.Errorf("status %d to %q, want a page that refuses", answer.Status, answer.Location)
		}
		if !r.live(t, opened.ID) || b.Cookie(stage.SessionCookie) == "" {
			t.Error("a refused request ended the session")
		}
		if r.Refusals.Last().Rule == "" {
			t.Error("nobody can explain the refusal")
		}
	}
}

func TestTheQuestion(t *testing.T) {
	query := func(r *rig) string {
		return "?" + url.Values{"client_id": {r.client.ID}, "post_logout_redirect_uri": {bye}, "state": {"s"}}.Encode()
	}
	t.Run("it names application and account", func(t *testing.T) {
		r := newRig(t)
		b, _ := r.signedIn(t)
		body := b.Get("/logout" + query(r)).Body
		for _, want := range []string{"Shop &amp; Co", "ann@example.test", "Sign out"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
	})
	t.Run("RP-Initiated Logout §3 yes: the session is over and the application hears the state", func(t *testing.T) {
		r := newRig(t)
		b, opened := r.signedIn(t)
		old := b.Cookie(stage.SessionCookie)
		answer := b.Submit("/logout"+query(r), "decision", "logout")
		if answer.Status != http.StatusSeeOther || answer.Location != bye+"?state=s" {
			t.Errorf("status %d to %q", answer.Status, answer.Location)
		}
		if r.live(t, opened.ID) {
			t.Error("the session stands")
		}
		if s, err := r.Sessions.FromToken(ctx, old); s != nil || err != nil {
			t.Errorf("security §7.3 the old cookie is worth %v, %v", s, err)
		}
	})
	t.Run("yes, without an application: our own page", func(t *testing.T) {
		r := newRig(t)
		b, _ := r.signedIn(t)
		answer := b.Submit("/logout", "decision", "logout")
		if answer.Location != "/signed-out" {
			t.Fatalf("leads to %q", answer.Location)
		}
		if page := b.Get(answer.Location); page.Status != http.StatusOK || !strings.Contains(page.Body, "signed out") {
			t.Errorf("status %d, the page does not say it", page.Status)
		}
	})
	t.Run("no: the session stands", func(t *testing.T) {
		r := newRig(t)
		b, opened := r.signedIn(t)
		if answer := b.Submit("/logout"+query(r), "decision", "stay"); answer.Location != bye+"?state=s" {
			t.Errorf("leads to %q, want back to the application", answer.Location)
		}
		answer := b.Submit("/logout", "decision", "stay")
		if answer.Status != http.StatusOK || !strings.Contains(answer.Body, "still signed in") || strings.Contains(answer.Body, "signed out") {
			t.Errorf("status %d, want a page that says so", answer.Status)
		}
		if !r.live(t, opened.ID) || b.Cookie(stage.SessionCookie) == "" {
			t.Error("the session ended")
		}
	})
	for name, tt := range map[string]struct {
		send   func(r *rig, b *stage.Browser) stage.Answer
		status int
	}{
		"ASVS 3.5.1 no form token": {func(_ *rig, b *stage.Browser) stage.Answer {
			b.Get("/logout")
			return b.Post("/logout", url.Values{"decision": {"logout"}})
		}, 403},
		"ASVS 3.5.1 the token of another session": {func(r *rig, b *stage.Browser) stage.Answer {
			form := stage.Hidden(b.Get("/logout").Body)
			form.Set("decision", "logout")
			token, opened, err := r.Sessions.Start(ctx, session.Start{UserID: r.ann.ID})
			if err != nil {
				return stage.Answer{}
			}
			r.lastSession = opened
			b.SetCookie(stage.SessionCookie, token)
			return b.Post("/logout", form)
		}, 403},
		"ASVS 3.5.1 from another website": {func(_ *rig, b *stage.Browser) stage.Answer {
			form := stage.Hidden(b.Get("/logout").Body)
			form.Set("decision", "logout")
			return b.Do("POST", "/logout", form, http.Header{"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}})
		}, 403},
		"no decision":        {func(_ *rig, b *stage.Browser) stage.Answer { return b.Submit("/logout") }, 200},
		"a decision by GET":  {func(_ *rig, b *stage.Browser) stage.Answer { return b.Get("/logout?decision=logout") }, 200},
		"a decision by HEAD": {func(_ *rig, b *stage.Browser) stage.Answer { return b.Do("HEAD", "/logout?decision=logout", nil, nil) }, 200},
		"another method":     {func(_ *rig, b *stage.Browser) stage.Answer { return b.Do("DELETE", "/logout", nil, nil) }, 405},
		"a hint in the address is not taken here": {func(_ *rig, b *stage.Browser) stage.Answer {
			return b.Get("/logout?id_token_hint=garbage")
		}, 200},
		"RP-Initiated Logout §3 an address that somebody wrote": {func(r *rig, b *stage.Browser) stage.Answer {
			return b.Get("/logout?client_id=" + r.client.ID + "&post_logout_redirect_uri=https://evil.test/")
		}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			b, _ := r.signedIn(t)
			answer := tt.send(r, b)
			if answer.Status != tt.status || answer.Location != "" {
				t.Errorf("status %d to %q, want %d", answer.Status, answer.Location, tt.status)
			}
			if !r.live(t, r.lastSession.ID) || b.Cookie(stage.SessionCookie) == "" {
				t.Error("the session ended")
			}
		})
	}
}

func TestACrossSitePostComesBackByGet(t *testing.T) {
	r := newRig(t)
	b, opened := r.signedIn(t)
	form := url.Values{"id_token_hint": {r.idToken(t)}, "post_logout_redirect_uri": {bye}}
	bare := &stage.Browser{Handler: r.handler} // SameSite=Lax keeps the cookies at home
	answer := bare.Do(http.MethodPost, protocol.PathLogout, form, http.Header{"Origin": {"https://app.example.test"}, "Sec-Fetch-Site": {"cross-site"}})
	if answer.Status != http.StatusSeeOther || !strings.HasPrefix(answer.Location, protocol.PathLogout+"?parked=ptq_") {
		t.Fatalf("security §10.2 status %d to %q, want our own GET", answer.Status, answer.Location)
	}
	if !r.live(t, opened.ID) {
		t.Error("the POST alone ended the session")
	}
	if back := b.Get(answer.Location); back.Location != bye {
		t.Errorf("with the cookies: status %d to %q", back.Status, back.Location)
	}
	if r.live(t, opened.ID) {
		t.Error("the session stands")
	}
	t.Run("reloaded, it asks for nothing in particular", func(t *testing.T) {
		if again := b.Get(answer.Location); again.Location != "/signed-out" {
			t.Errorf("status %d to %q", again.Status, again.Location)
		}
		other, opened := r.signedIn(t)
		if again := other.Get(answer.Location); again.Location != "/logout" || !r.live(t, opened.ID) {
			t.Errorf("with another session: to %q, session alive %v; want the question", again.Location, r.live(t, opened.ID))
		}
	})
}

func TestWithoutASession(t *testing.T) {
	r := newRig(t)
	_, ended := r.signedIn(t)
	hint := r.idToken(t)
	if err := r.Sessions.End(ctx, ended.ID, "test"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string][2]string{
		"nothing asked":                   {"/oauth2/logout", "/signed-out"},
		"RP-Initiated Logout §3 redirect": {"/oauth2/logout?client_id=" + r.client.ID + "&post_logout_redirect_uri=" + url.QueryEscape(bye) + "&state=s", bye + "?state=s"},
		"a hint of an ended session":      {"/oauth2/logout?id_token_hint=" + hint, "/signed-out"},
		"the question":                    {"/logout", "/signed-out"},
	} {
		b := &stage.Browser{Handler: r.handler}
		b.SetCookie(stage.SessionCookie, secret.New(secret.SessionCookie)) // not ours
		if answer := b.Get(tt[0]); answer.Status != http.StatusSeeOther || answer.Location != tt[1] || b.Cookie(stage.SessionCookie) != "" {
			t.Errorf("%s: status %d to %q, want %q and the cookie gone", name, answer.Status, answer.Location, tt[1])
		}
	}
}

func TestALogoutThatCannotBeKeptIsNotAcknowledged(t *testing.T) {
	r := newRig(t)
	b, opened := r.signedIn(t)
	address := "/oauth2/logout?id_token_hint=" + r.idToken(t) + "&post_logout_redirect_uri=" + url.QueryEscape(bye)
	r.Revoker.SetDown(true)
	answer := b.Get(address)
	if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || answer.Location != "" {
		t.Errorf("status %d to %q, want 503", answer.Status, answer.Location)
	}
	if b.Cookie(stage.SessionCookie) == "" {
		t.Error("the cookie is gone: nobody can try again")
	}
	r.Revoker.SetDown(false)
	if answer := b.Get(address); answer.Location != bye || r.live(t, opened.ID) {
		t.Errorf("the second try: status %d to %q", answer.Status, answer.Location)
	}
}

func TestParkingDown(t *testing.T) {
	r := newRig(t)
	r.FlowKeep.SetDown(true)
	b := &stage.Browser{Handler: r.handler}
	if answer := b.Do(http.MethodPost, "/oauth2/logout", url.Values{"client_id": {r.client.ID}}, nil); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", answer.Status)
	}
}

func TestHostileForms(t *testing.T) {
	r := newRig(t)
	b, opened := r.signedIn(t)
	for name, answer := range map[string]stage.Answer{
		"a parameter twice":   b.Get("/oauth2/logout?client_id=a&client_id=b"),
		"an endless query":    b.Get("/oauth2/logout?state=" + strings.Repeat("x", 10_000)),
		"not UTF-8":           b.Get("/oauth2/logout?state=%ff"),
		"a NUL byte":          b.Get("/oauth2/logout?client_id=%00"),
		"very many":           b.Get("/oauth2/logout?" + strings.Repeat("a=b&", 500)),
		"JSON":                b.Do(http.MethodPost, "/oauth2/logout", nil, http.Header{"Content-Type": {"application/json"}}),
		"another method":      b.Do(http.MethodPut, "/oauth2/logout", nil, nil),
		"a hint without end":  b.Do(http.MethodPost, "/oauth2/logout", url.Values{"id_token_hint": {strings.Repeat("x", 60_000)}}, nil),
		"twice in the answer": b.Get("/logout?state=a&state=b"),
	} {
		if answer.Status < 400 || answer.Status > 499 || strings.Contains(answer.Body, "goroutine") {
			t.Errorf("%s: status %d, want a clean refusal", name, answer.Status)
		}
	}
	if !r.live(t, opened.ID) {
		t.Error("garbage ended the session")
	}
}

func TestAHintMayBeOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		b, opened := r.signedIn(t)
		hint := r.idToken(t)
		time.Sleep(11 * time.Hour) // the ID token is long over, the session is not
		if answer := b.Get("/oauth2/logout?id_token_hint=" + hint); answer.Location != "/signed-out" || r.live(t, opened.ID) {
			t.Errorf("RP-Initiated Logout §2 status %d to %q", answer.Status, answer.Location)
		}
	})
}

func TestUILocales(t *testing.T) {
	r := newRig(t)
	b, _ := r.signedIn(t)
	answer := b.Get("/oauth2/logout?ui_locales=de")
	if body := b.Get(answer.Location).Body; !strings.Contains(body, `lang="de"`) {
		t.Error("RP-Initiated Logout §2 ui_locales: the question is not in German")
	}
}

func TestSpeaksTheLanguageOfTheAccountUntilTheEnd(t *testing.T) {
	r := newRig(t)
	r.ann.Locale = "de-CH"
	if _, err := r.Users.Update(ctx, *r.ann); err != nil {
		t.Fatal(err)
	}
	german := func(body string) bool { return strings.Contains(body, `<html lang="de"`) }
	b, _ := r.signedIn(t)
	if !german(b.Get("/logout").Body) {
		t.Error("the question is not in German")
	}
	if !german(b.Submit("/logout", "decision", "stay").Body) {
		t.Error("the page after staying is not in German")
	}
	left := b.Submit("/logout", "decision", "logout")
	if left.Location != "/signed-out?ui_locales=de-CH" || !german(b.Get(left.Location).Body) {
		t.Errorf("after signing out, %q is not in German", left.Location)
	}
	b, _ = r.signedIn(t)
	if left := b.Submit("/logout?ui_locales=en", "decision", "logout"); left.Location != "/signed-out?ui_locales=en" {
		t.Errorf("RP-Initiated Logout §2 ui_locales: leaves to %q", left.Location)
	}
}
