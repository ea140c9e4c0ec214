package authorize_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/web"
)

// reached is a flow whose person has signed in and pressed allow: only the
// answer is missing.
func (w *world) reached(t *testing.T, userID string, params url.Values) (*flow.Flow, browser) {
	t.Helper()
	b := w.signIn(userID, 0)
	b.browser = ""
	res := w.get(params, browser{})
	for _, c := range res.Cookies() {
		b.browser = c.Value
	}
	f := w.next.last
	if f == nil {
		t.Fatalf("no flow began: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	f.UserID, f.SessionID, f.FreshLogin, f.Consented = userID, "sid-"+userID, true, true
	if err := w.flows.Save(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	return f, b
}

// serve calls the Finisher as a page of ours would, and writes its error.
func (w *world) serve(fn web.Handler) *http.Response {
	rec := httptest.NewRecorder()
	w.kit.Trail(w.kit.Pages(fn)).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "https://id.example.test/consent", nil))
	return rec.Result()
}

func (w *world) finish(f *flow.Flow) *http.Response {
	return w.serve(func(rw http.ResponseWriter, r *http.Request) error { return w.finisher.Finish(rw, r, f) })
}

func (w *world) refuse(f *flow.Flow, why *fault.Error) *http.Response {
	return w.serve(func(rw http.ResponseWriter, r *http.Request) error { return w.finisher.Refuse(rw, r, f, why) })
}

func TestFinish(t *testing.T) {
	w := newWorld(t)
	f, b := w.reached(t, "alice", good("prompt", "login consent", "max_age", "0"))
	_, got := answer(t, w.finish(f))
	if got.Get("code") != "the-code" || got.Get("state") != "s t&a=te" || got.Get("iss") != issuer {
		t.Errorf("answer %v, want a code", got)
	}
	if _, err := w.flows.Load(t.Context(), f.ID, b.browser); !fault.Is(err, fault.Gone) {
		t.Errorf("the flow afterwards: %v, want gone", err)
	}
}

// The last POST sent fifty times at once yields one code.
func TestFinishAnswersOnce(t *testing.T) {
	w := newWorld(t)
	f, b := w.reached(t, "alice", good())
	var codes, late atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 50 {
		mine, err := w.flows.Load(t.Context(), f.ID, b.browser)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			<-start
			rec := httptest.NewRecorder()
			err := w.finisher.Finish(rec, httptest.NewRequest(http.MethodPost, "/consent", nil), mine)
			switch {
			case err == nil && rec.Code == http.StatusSeeOther:
				codes.Add(1)
			case fault.Is(err, fault.Gone):
				late.Add(1)
			default:
				t.Errorf("status %d, %v", rec.Code, err)
			}
		})
	}
	close(start)
	wg.Wait()
	if codes.Load() != 1 || late.Load() != 49 || len(w.codes.issued) != 1 {
		t.Errorf("%d answers, %d too late, %d codes; want 1, 49, 1", codes.Load(), late.Load(), len(w.codes.issued))
	}
}

// Whatever a page believes, the Finisher looks again.
func TestFinishGrantsNothingWhileSomethingIsMissing(t *testing.T) {
	tests := map[string]func(*world, *flow.Flow){
		"no session named":         func(_ *world, f *flow.Flow) { f.SessionID = "" },
		"a session nobody has":     func(_ *world, f *flow.Flow) { f.SessionID = "sid-elsewhere" },
		"another person's session": func(w *world, f *flow.Flow) { w.signIn("bob", 0); f.SessionID = "sid-bob" },
		"no person named":          func(_ *world, f *flow.Flow) { f.UserID = "" },
		"session ended":            func(w *world, _ *flow.Flow) { w.change(func(s *session.Session) { s.EndedAt = time.Now() }) },
		"session expired":          func(w *world, _ *flow.Flow) { w.change(func(s *session.Session) { s.IdleExpiresAt = time.Now() }) },
		"person disabled":          func(w *world, _ *flow.Flow) { w.users["alice"].Disabled = true },
		"person deleted":           func(w *world, _ *flow.Flow) { delete(w.users, "alice") },
		"no consent":               func(_ *world, f *flow.Flow) { f.Consented = false },
		"no fresh login":           func(_ *world, f *flow.Flow) { f.FreshLogin = false; f.Request.Prompt = []string{"login"} },
		"another person is hinted": func(_ *world, f *flow.Flow) { f.Request.HintSubject = "bob" },
		"another account wanted":   func(_ *world, f *flow.Flow) { f.OtherAccount, f.FreshLogin = true, false },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f, b := w.reached(t, "alice", good())
			spoil(w, f)
			res := w.finish(f)
			if res.StatusCode != http.StatusConflict || res.Header.Get("Location") != "" || len(w.codes.issued) != 0 {
				t.Errorf("status %d to %q with %d codes; want a page and none", res.StatusCode, res.Header.Get("Location"), len(w.codes.issued))
			}
			if _, err := w.flows.Load(t.Context(), f.ID, b.browser); err != nil {
				t.Errorf("the flow is over: %v; want it open", err)
			}
		})
	}
}

func (w *world) change(fn func(*session.Session)) {
	for token, s := range w.sessions.m {
		fn(&s)
		w.sessions.m[token] = s
	}
}

func TestFinishWithTheClientChanged(t *testing.T) {
	tests := map[string]struct {
		spoil func(c *client.Client)
		code  string
	}{
		"disabled":              {func(c *client.Client) { c.Disabled = true }, "invalid_client"},
		"redirect URI taken":    {func(c *client.Client) { c.RedirectURIs = []string{"https://shop.test/other"} }, "invalid_redirect_uri"},
		"ceiling lowered since": {func(c *client.Client) { c.Scopes = []string{"openid"} }, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f, _ := w.reached(t, "alice", good())
			c := *w.clients["shop"]
			tt.spoil(&c)
			w.clients["shop"] = &c
			res := w.finish(f)
			if len(w.codes.issued) != 0 {
				t.Fatal("a code was issued")
			}
			if tt.code == "" {
				if _, got := answer(t, res); got.Get("error") != "invalid_scope" {
					t.Errorf("answer %v, want invalid_scope", got)
				}
				return
			}
			if page := body(t, res); res.StatusCode != 400 || !strings.Contains(page, tt.code) {
				t.Errorf("status %d; want %s on a page", res.StatusCode, tt.code)
			}
		})
	}
}

func TestScopesThePersonMayNotHaveAreDropped(t *testing.T) {
	tests := map[string]struct {
		who, scope string
		resource   string
		want, aud  string
	}{
		"may":                         {"alice", "openid orders:admin orders:read", "", "openid orders:admin orders:read", orders + " " + issuer},
		"may not":                     {"bob", "openid orders:admin orders:read", "", "openid orders:read", orders + " " + issuer},
		"nothing left of the API":     {"bob", "openid orders:admin", "", "openid", issuer},
		"nothing left at all":         {"bob", "orders:admin", "", "", issuer},
		"nothing left, but a default": {"bob", "orders:admin", orders, "", orders},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f, _ := w.reached(t, tt.who, good("scope", tt.scope, "resource", tt.resource))
			answer(t, w.finish(f))
			q := w.codes.last(t)
			if strings.Join(q.Scopes, " ") != tt.want || strings.Join(q.Audiences, " ") != tt.aud {
				t.Errorf("granted %q for %q, want %q for %q", q.Scopes, q.Audiences, tt.want, tt.aud)
			}
			if !slices.Equal(f.Request.Scopes, strings.Fields(tt.scope)) {
				t.Errorf("the request itself was changed to %q", f.Request.Scopes)
			}
		})
	}
}

// A store that fails for a moment costs the person a second press, not the
// whole sign-in.
func TestFlowStaysOpenWhenNoCodeCanBeMade(t *testing.T) {
	w := newWorld(t)
	f, b := w.reached(t, "alice", good())
	w.codes.fail = errDown
	if res := w.finish(f); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Fatalf("status %d, want 503", res.StatusCode)
	}
	w.codes.fail = nil
	again, err := w.flows.Load(t.Context(), f.ID, b.browser)
	if err != nil {
		t.Fatalf("the flow is lost: %v", err)
	}
	if _, got := answer(t, w.finish(again)); got.Get("code") != "the-code" {
		t.Errorf("answer %v, want a code", got)
	}
}

func TestEngineRefusesTheCode(t *testing.T) {
	w := newWorld(t)
	f, b := w.reached(t, "alice", good())
	w.codes.fail = fault.New(fault.Invalid, "unauthorized_client", "The client may not do this.")
	if _, got := answer(t, w.finish(f)); got.Get("error") != "unauthorized_client" || got.Get("iss") != issuer {
		t.Errorf("answer %v, want unauthorized_client", got)
	}
	if _, err := w.flows.Load(t.Context(), f.ID, b.browser); !fault.Is(err, fault.Gone) {
		t.Errorf("the answered flow: %v, want gone", err)
	}
}

func TestFinishWithTheFlowStoreDown(t *testing.T) {
	w := newWorld(t)
	f, _ := w.reached(t, "alice", good())
	w.records.down = errDown
	if res := w.finish(f); res.StatusCode != 503 || len(w.codes.issued) != 0 {
		t.Errorf("status %d with %d codes; want 503 and none", res.StatusCode, len(w.codes.issued))
	}
}

func TestRefuse(t *testing.T) {
	denied := fault.New(fault.Denied, "access_denied", "The person did not allow it.").Under("RFC 6749 §4.1.2.1")
	w := newWorld(t)
	f, b := w.reached(t, "alice", good("response_mode", "fragment"))
	stale, err := w.flows.Load(t.Context(), f.ID, b.browser)
	if err != nil {
		t.Fatal(err)
	}
	res := w.refuse(f, denied)
	if _, got := answer(t, res); got.Get("error") != "access_denied" || got.Get("state") != "s t&a=te" || got.Get("iss") != issuer || !strings.Contains(res.Header.Get("Location"), "#") {
		t.Errorf("answer %v, want access_denied in the fragment", got)
	}
	if res := w.finish(stale); res.StatusCode != http.StatusGone || len(w.codes.issued) != 0 {
		t.Errorf("allow after deny: status %d with %d codes; want 410 and none", res.StatusCode, len(w.codes.issued))
	}
	if res := w.refuse(stale, denied); res.StatusCode != http.StatusGone {
		t.Errorf("deny after deny: status %d, want 410", res.StatusCode)
	}
}

func TestRefuseTellsTheApplicationNothingOfOurTroubles(t *testing.T) {
	w := newWorld(t)
	f, b := w.reached(t, "alice", good())
	res := w.refuse(f, fault.Hide(errors.New("dial tcp 10.0.0.1"), fault.Unavailable, "temporarily_unavailable", "Try again."))
	if res.StatusCode != 503 || res.Header.Get("Location") != "" {
		t.Errorf("status %d to %q, want 503 on a page", res.StatusCode, res.Header.Get("Location"))
	}
	if _, err := w.flows.Load(t.Context(), f.ID, b.browser); err != nil {
		t.Errorf("the flow is over: %v; want it open", err)
	}
}

// When a flow is really over the page leads back to the application.
func TestWayBack(t *testing.T) {
	again := "/oauth2/authorize?" + good().Encode()
	tests := map[string]struct {
		initiate, home string
		done           bool
		params         url.Values
		want           string
	}{
		"initiate_login_uri":            {initiate: "https://shop.test/login?a=b", home: "https://shop.test/", want: "https://shop.test/login?a=b&iss=" + url.QueryEscape(issuer)},
		"initiate_login_uri after done": {initiate: "https://shop.test/login", done: true, want: "https://shop.test/login?iss=" + url.QueryEscape(issuer)},
		"expired: ask again":            {home: "https://shop.test/", want: again},
		"done: the home page":           {home: "https://shop.test/", done: true, want: "https://shop.test/"},
		"done, no home page: ask again": {done: true, want: again},
		"too long to ask again":         {params: good("state", strings.Repeat("s", 4000)), home: "https://shop.test/", want: "https://shop.test/"},
		"too long, and nowhere to go":   {params: good("state", strings.Repeat("s", 4000)), want: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := *w.clients["shop"]
			c.InitiateLoginURI, c.ClientURI = tt.initiate, tt.home
			w.clients["shop"] = &c
			if tt.params == nil {
				tt.params = good()
			}
			f, _ := w.reached(t, "alice", tt.params)
			if tt.done {
				f.DoneAt = time.Now()
			}
			why := fault.New(fault.Gone, "flow_over", "Over.")
			err := w.finisher.Over(t.Context(), f, why)
			back, ok := errors.AsType[*web.BackLink](err)
			if tt.want == "" {
				if ok {
					t.Errorf("leads to %q, want nowhere", back.URL)
				}
			} else if !ok || back.URL != tt.want || back.Name != "Shop" {
				t.Errorf("leads to %+v, want %q", back, tt.want)
			}
			if !errors.Is(err, why) {
				t.Errorf("the fault is lost: %v", err)
			}
		})
	}
}

func TestWayBackOfALostClient(t *testing.T) {
	w := newWorld(t)
	f, _ := w.reached(t, "alice", good())
	delete(w.clients, "shop")
	why := fault.New(fault.Gone, "flow_over", "Over.")
	if err := w.finisher.Over(t.Context(), f, why); !errors.Is(err, why) {
		t.Errorf("Over = %v, want the fault alone", err)
	} else if _, ok := errors.AsType[*web.BackLink](err); ok {
		t.Errorf("Over = %v leads somewhere", err)
	}
}

// max_age is measured when the answer is made, not when the request came.
func TestTimePassesBetweenRequestAndAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f, _ := w.reached(t, "alice", good("max_age", "600"))
		f.FreshLogin = false
		time.Sleep(11 * time.Minute)
		if res := w.finish(f); res.StatusCode != http.StatusConflict || len(w.codes.issued) != 0 {
			t.Errorf("status %d with %d codes; want 409 and none", res.StatusCode, len(w.codes.issued))
		}
	})
}
