package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Whatever is sent: never a 5xx, never an answer at a place that is not
// registered, and iss in each that goes out.
func FuzzAuthorize(f *testing.F) {
	seeds := []string{
		good().Encode(), good("prompt", "none").Encode(), good("response_mode", "form_post").Encode(),
		good("redirect_uri", "https://evil.test/").Encode(), good("client_id", "spa", "redirect_uri", "http://127.0.0.1:1/cb").Encode(),
		good("claims", `{"id_token":{"sub":{"value":"bob"}}}`).Encode(), good("id_token_hint", "of-alice", "max_age", "0").Encode(),
		good("redirect_uri", "com.example.shop:/cb", "response_mode", "fragment").Encode(),
		"client_id=shop&client_id=old&redirect_uri=https://old.test/cb", "client_id=shop&redirect_uri=https://shop.test/other&%zz=1",
		"request_ref=x&client_id=shop", "client_id=old&response_type=code&scope=email", "a=%00&client_id=%ff;b", "&&&===",
		good("redirect_uri", "https://shop.test/other\r\nLocation: https://evil.test").Encode(),
	}
	for i, seed := range seeds {
		f.Add(seed, i%2 == 0, i%3 == 0)
	}
	f.Fuzz(func(t *testing.T, raw string, post, signedIn bool) {
		w := newWorld(t)
		w.consents.covered = true
		var b browser
		if signedIn {
			b = w.signIn("alice", time.Minute)
		}
		r := httptest.NewRequest(http.MethodGet, "https://id.example.test/oauth2/authorize", nil)
		if post {
			r = httptest.NewRequest(http.MethodPost, "https://id.example.test/oauth2/authorize", strings.NewReader(raw))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		} else {
			r.URL.RawQuery = raw
		}
		res := w.do(r, b)
		if res.StatusCode >= 500 && !strings.Contains(raw, "down") {
			t.Fatalf("status %d for %q", res.StatusCode, raw)
		}
		checkPlace(t, w, raw, res)
		if res.StatusCode == http.StatusOK {
			checkForm(t, w, raw, body(t, res))
		}
	})
}

func checkPlace(t *testing.T, w *world, raw string, res *http.Response) {
	loc := res.Header.Get("Location")
	if loc == "" || strings.HasPrefix(loc, "/login?flow=ptf_") || strings.HasPrefix(loc, "/tenant/oauth2/authorize?request_ref=ptq_") {
		return
	}
	at := strings.LastIndexAny(loc, "#")
	if at < 0 {
		at = max(strings.LastIndex(loc, "?"), strings.LastIndex(loc, "&code="), strings.LastIndex(loc, "&error="))
	}
	if !w.registered(loc[:at]) {
		t.Fatalf("%q is answered at %q", raw, loc)
	}
	params, err := url.ParseQuery(loc[at+1:])
	if err != nil || params.Get("iss") != issuer || params.Has("code") == params.Has("error") {
		t.Fatalf("%q is answered with %v", raw, params)
	}
}

func checkForm(t *testing.T, w *world, raw, page string) {
	_, rest, _ := strings.Cut(page, `action="`)
	action, _, ok := strings.Cut(rest, `"`)
	if !ok || !w.registered(strings.ReplaceAll(action, "&amp;", "&")) || !strings.Contains(page, `name="iss"`) {
		t.Fatalf("%q is answered with a form to %q", raw, action)
	}
}

func (w *world) registered(uri string) bool {
	for _, c := range w.clients {
		if c.MatchRedirect(uri) && !c.Disabled {
			return true
		}
	}
	return false
}
