package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/trail"
)

// secretCause is what no answer may show.
const secretCause = `pq: duplicate key in "clients_pkey" at /srv/portico/store.go:42`

func TestNoAnswerTellsTheCause(t *testing.T) {
	f := fault.Hide(errors.New(secretCause), fault.Conflict, "taken", "This name is taken.").
		Under("secret rule").Compare("secret value", "a", "b").WithHint("secret hint")
	for name, err := range map[string]error{
		"a fault":          f,
		"a wrapped fault":  fmt.Errorf(secretCause+": %w", f),
		"with a status":    WithStatus(418, f),
		"with a way back":  Back(f, "/login", "Shop"),
		"a stranger's own": errors.New(secretCause),
		"both, inside out": Back(WithStatus(418, fmt.Errorf("secret: %w", f)), "https://rp.example/", "Shop"),
	} {
		k := newRig(t, "https://id.example")
		for _, h := range []http.Handler{k.Pages(failing(err)), k.API(failing(err)), k.Recover(panics(err)), k.API(Handler(func(http.ResponseWriter, *http.Request) error { panic(err) }))} {
			w := serve(k.Outer(h), request("GET", "/x", "Accept", "text/html"))
			answer := w.Body.String() + fmt.Sprint(w.Header())
			for _, leak := range []string{"clients_pkey", "/srv/", "secret", "goroutine", ".go:", "panic"} {
				if strings.Contains(answer, leak) {
					t.Errorf("%s: the answer holds %q: %s", name, leak, answer)
				}
			}
			if id := w.Header().Get("X-Request-Id"); !strings.Contains(w.Body.String(), id) {
				t.Errorf("%s: the body does not show the request id %s", name, id)
			}
		}
		if len(k.refused.seen) != 4 {
			t.Errorf("%s: %d of 4 refusals recorded", name, len(k.refused.seen))
		}
		if !strings.Contains(k.log.String(), "clients_pkey") {
			t.Errorf("%s: the log does not know the cause", name)
		}
	}
}

func panics(v any) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(v) })
}

func TestErrorsOfAPIsHaveTheirBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newRig(t, "https://id.example")
		err := fault.New(fault.Invalid, "invalid_client_metadata", "Some fields did not pass.").
			About("redirect_uris[0]", "must be https").About("name", "is empty")
		w := serve(k.Outer(k.API(failing(err))), request("POST", "/api/admin/v1/clients?token=hidden"))
		want := `{"statusCode":400,"message":"Some fields did not pass.","error":"invalid_client_metadata",` +
			`"path":"/api/admin/v1/clients","timestamp":"2000-01-01T00:00:00.000Z","requestId":"` + w.Header().Get("X-Request-Id") + `",` +
			`"details":[{"field":"redirect_uris[0]","reason":"must be https"},{"field":"name","reason":"is empty"}]}` + "\n"
		if w.Body.String() != want || w.Code != 400 {
			t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
		}
		w = serve(k.API(failing(errors.New("x"))), request("GET", "/a"))
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(maps.Keys(body))
		if want := []string{"error", "message", "path", "requestId", "statusCode", "timestamp"}; !slices.Equal(keys, want) {
			t.Errorf("members %v, want %v", keys, want)
		}
		if body["error"] != "server_error" || body["message"] != "Something went wrong on our side." {
			t.Errorf("an error nobody described says %v", body)
		}
	})
}

func TestStatusFollowsTheKind(t *testing.T) {
	k := newRig(t, "https://id.example")
	for kind, want := range map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 400, fault.Unauthenticated: 401, fault.Denied: 403, fault.NotFound: 404,
		fault.Conflict: 409, fault.Gone: 410, fault.TooLarge: 413, fault.Limited: 429, fault.Unavailable: 503,
	} {
		err := fault.New(kind, "code", "Say.")
		for _, h := range []http.Handler{k.API(failing(err)), k.Pages(failing(err))} {
			w := serve(h, request("GET", "/"))
			if w.Code != want {
				t.Errorf("kind %v: %d, want %d", kind, w.Code, want)
			}
		}
	}
	if got := StatusOf(fmt.Errorf("x: %w", WithStatus(405, errors.New("y")))); got != 405 {
		t.Errorf("a wrapped status = %d", got)
	}
	if w := serve(k.API(failing(fault.New(fault.Unauthenticated, "missing_token", "x"))), request("GET", "/")); w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("RFC 9110 §15.5.2: WWW-Authenticate = %q", w.Header().Get("WWW-Authenticate"))
	}
	w := serve(k.API(func(w http.ResponseWriter, _ *http.Request) error { return MethodNotAllowed(w, "GET, POST") }), request("PUT", "/"))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, POST" {
		t.Errorf("method not allowed: %d Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestErrorPageLeadsBackOnlyToSafePlaces(t *testing.T) {
	k := newRig(t, "https://id.example/auth")
	cause := fault.New(fault.Gone, "flow_over", "It ended.")
	for url, href := range map[string]string{
		"https://rp.example/start?x=1":         `href="https://rp.example/start?x=1"`,
		"http://localhost:3000/":               `href="http://localhost:3000/"`,
		"/login?flow=abc":                      `href="/auth/login?flow=abc"`,
		"":                                     "",
		"javascript:alert(1)":                  "",
		"data:text/html,x":                     "",
		"com.example.app:/cb":                  "",
		"//evil.example/":                      "",
		`/\evil.example`:                       "",
		"https://user:pw@rp.example/":          "",
		"https://rp.example/\r\nX: y":          "",
		"/login/../../evil":                    "",
		"https://" + strings.Repeat("a", 3000): "",
	} {
		w := serve(k.Pages(failing(Back(cause, url, "Shop & <Co>"))), request("GET", "/login"))
		body := w.Body.String()
		if w.Code != 410 || !strings.Contains(body, "cannot continue") || !strings.Contains(body, "<h1>This sign-in is over</h1>") {
			t.Errorf("%s: %d without the words", url, w.Code)
		}
		if has := strings.Contains(body, `id="error-back"`); has != (href != "") || !strings.Contains(body, href) {
			t.Errorf("%s: link %v, want %q in %s", url, has, href, body)
		}
		if href != "" && !strings.Contains(body, "Back to Shop &amp; &lt;Co&gt;") {
			t.Errorf("%s: the link does not name the application", url)
		}
	}
}

func TestErrorPageSpeaksTheLanguage(t *testing.T) {
	k := newRig(t, "https://id.example")
	err := fault.New(fault.Limited, "rate_limited", "Too many.")
	german := "Hier geht es nicht weiter"
	w := serve(k.Outer(k.Pages(failing(err))), request("GET", "/login", "Accept-Language", "de-AT"))
	if !strings.Contains(w.Body.String(), german) || w.Header().Get("Content-Language") != "de" || !strings.Contains(w.Body.String(), `lang="de"`) {
		t.Errorf("Accept-Language de: %s", w.Body)
	}
	w = serve(k.Outer(k.Pages(func(_ http.ResponseWriter, r *http.Request) error {
		Prefer(r)
		Prefer(r, "tlh", "de")
		Prefer(r)
		return err
	})), request("GET", "/login", "Accept-Language", "en"))
	if !strings.Contains(w.Body.String(), german) {
		t.Errorf("ui_locales noted by the handler are not followed: %s", w.Body)
	}
	if got := Lang(request("GET", "/", "Accept-Language", "de"), "en").Tag(); got != "en" {
		t.Errorf("Lang with locales = %s", got)
	}
}

func TestWithWritesNothingOnTopOfAnAnswer(t *testing.T) {
	k := newRig(t, "https://id.example")
	h := k.API(func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = w.Write([]byte("begun"))
		return errors.New("late")
	})
	if w := serve(h, request("GET", "/")); w.Code != 200 || w.Body.String() != "begun" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if len(k.refused.seen) != 1 {
		t.Error("the late error was not recorded")
	}
}

func TestAbortGoesOn(t *testing.T) {
	k := newRig(t, "https://id.example")
	for name, h := range map[string]http.Handler{
		"inside":  k.API(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }),
		"outside": panics(http.ErrAbortHandler),
	} {
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
					t.Errorf("%s: recovered %v, want ErrAbortHandler", name, v)
				}
			}()
			serve(k.Outer(h), request("GET", "/"))
		}()
	}
}

func TestRefusedNotesTheTrail(t *testing.T) {
	k := newRig(t, "https://id.example")
	r := request("GET", "/")
	tr := &trail.Trail{}
	r = r.WithContext(trail.With(r.Context(), tr))
	k.Refused(r, nil)
	if len(tr.Facts()) != 0 || len(k.refused.seen) != 0 {
		t.Error("no error was recorded as one")
	}
	k.Refused(r, fault.Hide(errors.New(strings.Repeat("ä", 9000)), fault.Denied, "x_code", "Say").Under("RFC 0 §1 rule"))
	if tr.Get("error") != "x_code" || tr.Get("rule") != "RFC 0 §1 rule" || len(tr.Get("cause")) > maxCause+3 {
		t.Errorf("facts %q %q and a cause of %d bytes", tr.Get("error"), tr.Get("rule"), len(tr.Get("cause")))
	}
	k.Refused(request("GET", "/"), errors.New("no trail")) // must not fail
}

func TestUnknownAsksWhoAsks(t *testing.T) {
	k := newRig(t, "https://id.example")
	for accept, html := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"application/xhtml+xml": true, "Text/HTML;q=0.9": true,
		"": false, "*/*": false, "application/json": false, "application/json, text/html": false, "image/png": false,
	} {
		w := serve(k.Unknown(), request("GET", "/nowhere", "Accept", accept))
		if got := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"); got != html || w.Code != 404 || w.Header().Get("Vary") != "Accept" {
			t.Errorf("Accept %q: %d %s", accept, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
