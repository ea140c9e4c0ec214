package porticotest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// webApp is an application with a page of its own: it hands on every answer
// that a browser brings.
type webApp struct {
	porticotest.App
	*httptest.Server
	answers chan appAnswer
}

type appAnswer struct {
	method string
	values url.Values
}

const appPage = `<!doctype html><html lang="en"><head><title>The application</title><link rel="icon" href="data:,"></head>
<body><main><h1 id="app">%s</h1></main></body></html>`

func newWebApp(t *testing.T, app porticotest.App) *webApp {
	t.Helper()
	w := &webApp{App: app, answers: make(chan appAnswer, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("/callback", func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		w.answers <- appAnswer{r.Method, r.Form}
		_, _ = fmt.Fprintf(rw, appPage, "Back in the application")
	})
	mux.HandleFunc("/signed-out", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(rw, appPage, "Signed out of the application")
	})
	w.Server = httptest.NewServer(mux)
	t.Cleanup(w.Close)
	w.RedirectURI = w.URL + "/callback"
	return w
}

// answer waits for what a browser brings, and checks that it answers the
// request with the state.
func (w *webApp) answer(t *testing.T, s *porticotest.Server, state string) url.Values {
	t.Helper()
	select {
	case a := <-w.answers:
		if a.values.Get("state") != state || a.values.Get("iss") != s.URL {
			t.Fatalf("the application got %v, want state %q and iss %s", a.values, state, s.URL)
		}
		return a.values
	case <-time.After(stepBound):
		t.Fatal("the application got no answer")
		return nil
	}
}

// signedIn waits for the answer and redeems its code.
func (w *webApp) signedIn(t *testing.T, s *porticotest.Server, state string) *porticotest.Answer {
	t.Helper()
	got := w.answer(t, s, state)
	tokens := s.Exchange(w.App, got.Get("code"))
	if tokens.Status != http.StatusOK {
		t.Fatalf("the code of %v is worth %d %s", got, tokens.Status, tokens.Raw)
	}
	return tokens
}

// request is the address of an authorization request of the application.
func (w *webApp) request(s *porticotest.Server, extra ...string) string {
	return s.URL + s.AuthorizeURL(w.App, "openid profile email orders:read", extra...)
}

const state = "the state" // of AuthorizeURL

// signIn fills in the login form as somebody.
func (tb *tab) signIn(email string) {
	tb.t.Helper()
	tb.shows("login-submit")
	tb.fill("username", email, "password", server.DemoPassword)
	tb.press("login-submit")
}

// maxWeight is what the first page may cost a phone.
const maxWeight = 150 << 10

func TestChromiumFromLoginToLogout(t *testing.T) {
	for _, on := range screens {
		t.Run(on.name, func(t *testing.T) {
			s := porticotest.New(t)
			app := newWebApp(t, porticotest.Web)
			tb := newTab(t, s.URL, app.URL)
			tb.on(on)

			tb.visit(app.request(s))
			tb.shows("login-submit")
			if w := tb.weight(); w == 0 || w > maxWeight {
				t.Errorf("the login page costs %.0f bytes, want at most %d", w, maxWeight)
			}
			if at := evaluate[string](tb, `document.activeElement.id`); at != "username" {
				t.Errorf("the cursor is in %q, want username", at)
			}
			tb.inspect("login", on)

			tb.fill("username", server.DemoPeople[0], "password", "wrong")
			tb.press("login-submit")
			tb.shows("problem")
			if v := evaluate[string](tb, `document.getElementById("password").value`); v != "" {
				t.Errorf("the password came back: %q", v)
			}
			tb.inspect("login-error", on)

			tb.signIn(server.DemoPeople[0])
			tb.shows("consent-allow")
			tb.inspect("consent", on)
			tb.press("consent-allow")
			tb.shows("app")
			app.signedIn(t, s, state)

			tb.visit(s.URL + protocol.PathLogout)
			tb.shows("logout-confirm")
			tb.inspect("logout", on)
			tb.press("logout-confirm")
			if !strings.Contains(tb.text(), "signed out") {
				t.Errorf("after the logout: %s", tb.text())
			}
			tb.inspect("signed-out", on)

			tb.visit(app.request(s, "prompt", "none"))
			if got := app.answer(t, s, state); got.Get("error") != protocol.ErrLoginRequired {
				t.Errorf("after the logout: %v", got)
			}
		})
	}
}

func TestChromiumFormPost(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.visit(app.request(s, "response_mode", "form_post"))
	tb.signIn(server.DemoPeople[0])
	tb.press("consent-allow")
	tb.shows("app") // a script sends the form
	app.signedIn(t, s, state)

	// Without scripts the person presses the button.
	tb.scripts(false)
	tb.visit(app.request(s, "response_mode", "form_post"))
	tb.shows("formpost-continue")
	tb.scripts(true) // those of the page have had their time
	for _, on := range screens {
		tb.inspect("form-post", on)
	}
	tb.press("formpost-continue")
	app.signedIn(t, s, state)
}

// scripts lets pages run scripts, or not.
func (tb *tab) scripts(run bool) {
	tb.t.Helper()
	tb.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run}))
}

func TestChromiumWithoutJavaScript(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.scripts(false)
	tb.visit(app.request(s))
	if tb.hasVisible("reveal") {
		t.Error("a button that only scripts serve is shown")
	}
	tb.signIn(server.DemoPeople[1])
	tb.press("consent-allow")
	tb.shows("app")
	app.signedIn(t, s, state)
	tb.visit(s.URL + protocol.PathLogout)
	tb.press("logout-confirm")
	if !strings.Contains(tb.text(), "signed out") {
		t.Errorf("after the logout: %s", tb.text())
	}
}

// hasVisible reports whether an element of the class is seen.
func (tb *tab) hasVisible(class string) bool {
	return evaluate[bool](tb, `[...document.getElementsByClassName("`+class+`")].some(e => e.checkVisibility())`)
}

func TestChromiumBackButton(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.visit(app.request(s))
	tb.signIn(server.DemoPeople[0])
	tb.shows("consent-allow")

	// Back from the consent to the login, which is done: on it goes.
	tb.back()
	if !tb.has("consent-allow") {
		tb.signIn(server.DemoPeople[0])
	}
	tb.press("consent-allow")
	tb.shows("app")
	app.signedIn(t, s, state)

	// Back from the application: the flow is over, and whatever the page still
	// offers leads on.
	tb.back()
	if tb.has("consent-allow") {
		tb.load(clickInPage("consent-allow"))
	}
	if !tb.has("app") {
		if !tb.has("error-back") {
			t.Fatalf("a dead end at %s:\n%s", tb.address(), tb.text())
		}
		for _, on := range screens {
			tb.inspect("over", on)
		}
		tb.press("error-back")
		tb.shows("app")
	}
	app.signedIn(t, s, state)
}

// clickInPage clicks by a script: the driver does not know the elements of a
// page that came back from the browser's memory.
func clickInPage(id string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](`document.getElementById("`+id+`").click() === undefined`, asPerson)(ctx, t)
		return err
	})
}

// asPerson lets a script's click count as one of a person.
func asPerson(p *runtime.EvaluateParams) { p.UserGesture = new(true) }

// back presses the back button. The page may come from the browser's memory,
// without being loaded again, so what is left is marked and waited for to go.
func (tb *tab) back() {
	tb.t.Helper()
	evaluate[bool](tb, `window.left = true`)
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	history, err := chromedp.Run(ctx, chromedp.NavigationEntries())
	if err != nil || history.CurrentIndex < 1 {
		tb.t.Fatalf("no way back: %v, %v", history, err)
	}
	tb.do(command(page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: history.Entries[history.CurrentIndex-1].ID}))
	tb.until(`!window.left && document.readyState === "complete"`)
}

// has reports whether the page has an element of the id, now.
func (tb *tab) has(id string) bool {
	return evaluate[bool](tb, `document.getElementById("`+id+`") !== null`)
}

func TestChromiumTwoTabs(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	one := newTab(t, s.URL, app.URL)
	two := one.beside()
	one.visit(app.request(s, "state", "one"))
	two.visit(app.request(s, "state", "two"))
	one.shows("login-submit")
	two.shows("login-submit")

	two.signIn(server.DemoPeople[0])
	two.press("consent-allow")
	app.signedIn(t, s, "two")

	// The first tab knows nothing of it, and its form still works: whoever
	// types a password is signed in, and the consent stands already.
	one.signIn(server.DemoPeople[0])
	if one.has("consent-allow") {
		one.press("consent-allow")
	}
	one.shows("app")
	app.signedIn(t, s, "one")

	// Reloading a login page of a browser that is signed in leads on.
	one.visit(app.request(s, "state", "three", "prompt", "login"))
	one.shows("login-submit")
	one.visit(app.request(s, "state", "four"))
	app.signedIn(t, s, "four")
}

// Cookies belong to one name of this machine: the other one is led there
// before any is set.
func TestChromiumLoopbackNames(t *testing.T) {
	for issuer, typed := range map[string]string{"localhost": "127.0.0.1", "127.0.0.1": "localhost"} {
		t.Run("issuer on "+issuer, func(t *testing.T) {
			s := porticotest.New(t, porticotest.Host(issuer))
			app := newWebApp(t, porticotest.Web)
			other := strings.Replace(s.URL, issuer, typed, 1)
			tb := newTab(t, s.URL, app.URL, other)
			tb.visit(strings.Replace(app.request(s), s.URL, other, 1))
			tb.shows("login-submit")
			if at := tb.address(); !strings.HasPrefix(at, s.URL+"/") {
				t.Fatalf("the login page is at %s, want it below %s", at, s.URL)
			}
			tb.signIn(server.DemoPeople[0])
			tb.press("consent-allow")
			tb.shows("app")
			app.signedIn(t, s, state)
			tb.visit(other + protocol.PathLogout)
			tb.press("logout-confirm")
			if !strings.Contains(tb.text(), "signed out") {
				t.Errorf("after the logout: %s", tb.text())
			}
		})
	}
}

func TestChromiumKeyboardAlone(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.visit(app.request(s))
	tb.shows("login-submit")
	tb.do(chromedp.KeyEvent(server.DemoPeople[0]))
	tb.tabTo("password")
	tb.do(chromedp.KeyEvent(server.DemoPassword))
	tb.load(chromedp.KeyEvent(kb.Enter))
	tb.shows("consent-allow")
	tb.tabTo("consent-allow")
	tb.load(chromedp.KeyEvent(kb.Enter))
	tb.shows("app")
	app.signedIn(t, s, state)

	tb.visit(s.URL + protocol.PathLogout)
	tb.tabTo("logout-confirm")
	tb.load(chromedp.KeyEvent(kb.Enter))
	if !strings.Contains(tb.text(), "signed out") {
		t.Errorf("after the logout: %s", tb.text())
	}
}

// tabTo presses Tab until the element of the id has the focus. Wherever the
// focus goes it must be seen.
func (tb *tab) tabTo(id string) {
	tb.t.Helper()
	var way []string
	for range 20 {
		tb.do(chromedp.KeyEvent(kb.Tab))
		at := evaluate[map[string]string](tb, `(() => { const e = document.activeElement, c = getComputedStyle(e);
			return {id: e.id, name: e.tagName + "#" + e.id, outline: c.outlineStyle, shadow: c.boxShadow}; })()`)
		if at["outline"] == "none" && at["shadow"] == "none" {
			tb.t.Errorf("the focus on %s is not seen", at["name"])
		}
		if at["id"] == id {
			return
		}
		way = append(way, at["name"])
	}
	tb.t.Fatalf("Tab does not reach %s: %v", id, way)
}

// A restart between a page and its form loses nobody.
func TestChromiumRestart(t *testing.T) {
	s := porticotest.New(t)
	app := newWebApp(t, porticotest.Web)
	tb := newTab(t, s.URL, app.URL)
	tb.visit(app.request(s))
	tb.shows("login-submit")
	s.Restart()
	tb.signIn(server.DemoPeople[0])
	tb.shows("consent-allow")
	s.Restart()
	tb.press("consent-allow")
	tb.shows("app")
	code := app.answer(t, s, state).Get("code")
	s.Restart()
	if tokens := s.Exchange(app.App, code); tokens.Status != http.StatusOK {
		t.Fatalf("the code after a restart: %d %s", tokens.Status, tokens.Raw)
	}
	tb.visit(app.request(s, "prompt", "none"))
	app.signedIn(t, s, state)
}
