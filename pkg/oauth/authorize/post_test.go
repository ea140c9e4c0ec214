package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// post sends the form as another website does: without our cookies.
func (w *world) post(params url.Values, change ...func(*http.Request)) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://id.example.test/oauth2/authorize", strings.NewReader(params.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://shop.test")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	for _, c := range change {
		c(r)
	}
	return w.do(r, browser{})
}

func TestPostIsParkedAndAnsweredByOurGet(t *testing.T) {
	w := newWorld(t)
	w.consents.covered = true
	res := w.post(good())
	ref, ok := strings.CutPrefix(res.Header.Get("Location"), "/tenant/oauth2/authorize?request_ref=")
	if res.StatusCode != http.StatusSeeOther || !ok || len(w.codes.issued) != 0 {
		t.Fatalf("status %d to %q; want our own GET", res.StatusCode, res.Header.Get("Location"))
	}
	b := w.signIn("alice", time.Minute) // the browser brings its cookies now
	// What is beside the reference does not count.
	_, got := answer(t, w.get(url.Values{"request_ref": {ref}, "state": {"other"}, "redirect_uri": {"https://evil.test/"}, "prompt": {"none"}}, b))
	if got.Get("code") != "the-code" || got.Get("state") != "s t&a=te" {
		t.Errorf("answer %v, want what was posted", got)
	}
	if q := w.codes.last(t); q.HasPrompt("none") || q.RedirectURI != shopBack {
		t.Errorf("the outer parameters counted: %+v", q)
	}
	again := w.get(url.Values{"request_ref": {ref}}, b)
	if again.StatusCode != http.StatusNotFound || again.Header.Get("Location") != "" {
		t.Errorf("the reference a second time: status %d to %q, want 404", again.StatusCode, again.Header.Get("Location"))
	}
}

func TestPostOfManyResources(t *testing.T) {
	w := newWorld(t)
	params := good("scope", "orders:read")
	params["resource"] = []string{orders, issuer}
	res := w.post(params)
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	w.get(u.Query(), browser{})
	if w.next.last == nil || len(w.next.last.Request.Resources) != 2 {
		t.Errorf("flow %+v, want both resources", w.next.last)
	}
}

func TestPostedSecretsAreNotKept(t *testing.T) {
	w := newWorld(t)
	res := w.post(good("client_secret", "geheim", "password", "geheim"))
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	w.get(u.Query(), browser{})
	if w.next.last == nil || strings.Contains(w.next.last.Request.Params.Encode(), "geheim") {
		t.Errorf("flow %+v; want one without the secrets", w.next.last)
	}
}

func TestPostRefused(t *testing.T) {
	kind := func(v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set("Content-Type", v) } }
	tests := map[string]struct {
		params url.Values
		change func(*http.Request)
		status int // of a page
		code   string
	}{
		"unknown client":        {params: good("client_id", "nobody"), status: 400, code: "invalid_client"},
		"unregistered redirect": {params: good("redirect_uri", "https://evil.test/"), status: 400, code: "invalid_redirect_uri"},
		"JSON":                  {params: good(), change: kind("application/json"), code: "invalid_request"},
		"multipart":             {params: good(), change: kind("multipart/form-data; boundary=x"), code: "invalid_request"},
		"no type":               {params: good(), change: kind(""), code: "invalid_request"},
		"another charset":       {params: good(), change: kind("application/x-www-form-urlencoded; charset=utf-16"), code: "invalid_request"},
		"compressed":            {params: good(), change: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, code: "invalid_request"},
		"twice":                 {params: url.Values{"client_id": {"shop"}, "redirect_uri": {shopBack}, "state": {"s t&a=te"}, "nonce": {"a", "b"}}, code: "invalid_request"},
		"in query and body":     {params: good(), change: func(r *http.Request) { r.URL.RawQuery = "scope=openid" }, code: "invalid_request"},
		"above 64 kB":           {params: good("x", strings.Repeat("x", 70<<10)), status: 413, code: "invalid_request"},
		"above what is kept":    {params: good("a", strings.Repeat("x", 15<<10), "b", strings.Repeat("x", 15<<10), "c", strings.Repeat("x", 15<<10)), status: 413, code: "invalid_request"},
		"more than 100": {params: func() url.Values {
			v := good()
			for i := range 101 {
				v.Set("p"+strings.Repeat("x", i), "1")
			}
			return v
		}(), status: 400, code: "invalid_request"},
		"nothing":           {params: url.Values{}, status: 400, code: "invalid_request"},
		"redirect with NUL": {params: good("redirect_uri", shopBack+"\x00"), status: 400, code: "invalid_request"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change := tt.change
			if change == nil {
				change = func(*http.Request) {}
			}
			res := w.post(tt.params, change)
			if w.records.count() != 0 {
				t.Errorf("%d records kept for a refused POST", w.records.count())
			}
			if tt.status != 0 {
				if page := body(t, res); res.StatusCode != tt.status || !strings.Contains(page, tt.code) {
					t.Errorf("status %d, want %d and %s on a page", res.StatusCode, tt.status, tt.code)
				}
				return
			}
			if _, got := answer(t, res); got.Get("error") != tt.code || got.Get("state") != "s t&a=te" {
				t.Errorf("answer %v, want %s", got, tt.code)
			}
		})
	}
}

func TestPostWithTheStoreDown(t *testing.T) {
	w := newWorld(t)
	w.records.down = errDown
	if res := w.post(good()); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, want 503 with Retry-After", res.StatusCode)
	}
}
