package authorize_test

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/oauth"
)

// asked sends the request as nobody, and returns what the pages are given.
func (w *world) asked(t *testing.T, params url.Values) flow.Request {
	t.Helper()
	res := w.get(params, browser{})
	if w.next.last == nil {
		t.Fatalf("no flow began: status %d, Location %q", res.StatusCode, res.Header.Get("Location"))
	}
	return w.next.last.Request
}

func TestRequestReachesThePagesWhole(t *testing.T) {
	params := good(
		"scope", "email nonsense openid offline_access orders:read", "resource", orders, "response_mode", "fragment",
		"prompt", "login consent login", "max_age", "60", "acr_values", "2 1", "login_hint", "bob@example.com",
		"ui_locales", "de-AT en x-unknown", "id_token_hint", "of-alice", "dpop_jkt", challenge, "display", "popup",
		"claims", `{"userinfo":{"email":{"essential":true},"phone_number":null}, "id_token":{"auth_time":null}}`,
	)
	got := newWorld(t).asked(t, params)
	age := 60
	want := flow.Request{
		ClientID: "shop", RedirectURI: shopBack, RedirectURISent: true, ResponseType: "code", ResponseMode: "fragment",
		State: "s t&a=te", Scopes: []string{"email", "openid", "offline_access", "orders:read"},
		Audiences: []string{orders, issuer}, Resources: []string{orders}, Nonce: "n", Challenge: challenge,
		Prompt: []string{"login", "consent"}, MaxAge: &age, ACRValues: []string{"2", "1"}, LoginHint: "bob@example.com",
		UILocales: []string{"de-AT", "en", "x-unknown"}, HintSubject: "alice", HintSession: "old-sid",
		// phone_number is above the ceiling of the client, by whatever way it is asked for.
		Claims: `{"userinfo":{"email":{"essential":true}},"id_token":{"auth_time":null}}`, DPoPKey: challenge,
		Params: params,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("request is\n%+v, want\n%+v", got, want)
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	tests := map[string]struct {
		params url.Values
		check  func(q flow.Request) bool
	}{
		"max_age absent is not 0":          {good(), func(q flow.Request) bool { return q.MaxAge == nil }},
		"max_age 0 counts":                 {good("max_age", "0"), func(q flow.Request) bool { return q.MaxAge != nil && *q.MaxAge == 0 }},
		"max_age of zeros":                 {good("max_age", "000"), func(q flow.Request) bool { return q.MaxAge != nil && *q.MaxAge == 0 }},
		"max_age beyond every number":      {good("max_age", strings.Repeat("9", 40)), func(q flow.Request) bool { return q.MaxAge != nil && *q.MaxAge == 10*365*86400 }},
		"default_max_age of the client":    {good("client_id", "strict", "redirect_uri", "https://strict.test/cb"), func(q flow.Request) bool { return q.MaxAge != nil && *q.MaxAge == 0 }},
		"default_acr_values of the client": {good("client_id", "strict", "redirect_uri", "https://strict.test/cb"), func(q flow.Request) bool { return slices.Equal(q.ACRValues, []string{"1"}) }},
		"response mode":                    {good(), func(q flow.Request) bool { return q.ResponseMode == "query" }},
		"nonce":                            {good("nonce", ""), func(q flow.Request) bool { return q.Nonce == "" }},
		"empty values are absent": {func() url.Values {
			v := good()
			v.Set("max_age", "")
			v.Set("prompt", "")
			v.Set("request", "")
			return v
		}(), func(q flow.Request) bool { return q.MaxAge == nil && q.Prompt == nil && !q.Params.Has("request") }},
		"RFC 6749 §3.1.2.3 the only redirect URI":  {url.Values{"client_id": {"old"}, "response_type": {"code"}, "scope": {"email"}}, func(q flow.Request) bool { return q.RedirectURI == "https://old.test/cb" && !q.RedirectURISent }},
		"PKCE of a client that may":                {good("client_id", "old", "redirect_uri", "https://old.test/cb", "code_challenge", "", "code_challenge_method", ""), func(q flow.Request) bool { return q.Challenge == "" }},
		"PKCE of a client that may, but does":      {good("client_id", "old", "redirect_uri", "https://old.test/cb"), func(q flow.Request) bool { return q.Challenge == challenge }},
		"OIDC Core §11 offline_access, no refresh": {good("client_id", "old", "redirect_uri", "https://old.test/cb", "scope", "openid offline_access"), func(q flow.Request) bool { return slices.Equal(q.Scopes, []string{"openid"}) }},
		"claims without openid":                    {good("scope", "email", "claims", `{"userinfo":{"email":null}}`), func(q flow.Request) bool { return q.Claims == "" }},
		"claims of a voluntary acr":                {good("claims", `{"id_token":{"acr":{"values":["urn:x"]}}}`), func(q flow.Request) bool { return q.Claims != "" }},
		"RFC 9470 §4 acr_values are kept":          {good("acr_values", "phr 2"), func(q flow.Request) bool { return slices.Equal(q.ACRValues, []string{"phr", "2"}) }},
		"claims of a voluntary acr are a wish":     {good("claims", `{"id_token":{"acr":{"value":"2"}}}`), func(q flow.Request) bool { return slices.Equal(q.ACRValues, []string{"2"}) }},
		"acr_values before a voluntary acr":        {good("acr_values", "1", "claims", `{"id_token":{"acr":{"value":"2"}}}`), func(q flow.Request) bool { return slices.Equal(q.ACRValues, []string{"1"}) }},
		"an essential acr before acr_values":       {good("acr_values", "1", "claims", `{"id_token":{"acr":{"essential":true,"value":"2"}}}`), func(q flow.Request) bool { return slices.Equal(q.ACRValues, []string{"2"}) }},
		"idp":                                      {good("idp", "my-idp_2"), func(q flow.Request) bool { return q.Provider == "my-idp_2" }},
		"idp that none could be called":            {good("idp", "https://evil.test"), func(q flow.Request) bool { return q.Provider == "" }},
		"idp that is too long":                     {good("idp", strings.Repeat("a", 65)), func(q flow.Request) bool { return q.Provider == "" }},
		"claims of an essential acr of two":        {good("claims", `{"id_token":{"acr":{"essential":true,"values":["urn:x","1"]}}}`), func(q flow.Request) bool { return q.Claims != "" }},
		"claims of one person":                     {good("claims", `{"id_token":{"sub":{"value":"alice"}}}`), func(q flow.Request) bool { return q.HintSubject == "alice" }},
		"an expired id_token_hint":                 {good("id_token_hint", "of-bob"), func(q flow.Request) bool { return q.HintSubject == "bob" && q.HintSession == "old-sid" }},
		"loopback on another port":                 {good("client_id", "spa", "redirect_uri", "http://127.0.0.1:49152/cb"), func(q flow.Request) bool { return q.RedirectURI == "http://127.0.0.1:49152/cb" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if q := newWorld(t).asked(t, tt.params); !tt.check(q) {
				t.Errorf("request is %+v", q)
			}
		})
	}
}

func TestPolicyDemandsPKCEOfEverybody(t *testing.T) {
	w := newWorld(t)
	w.pkce = true
	w.build()
	_, got := answer(t, w.get(good("client_id", "old", "redirect_uri", "https://old.test/cb", "code_challenge", "", "code_challenge_method", ""), browser{}))
	if got.Get("error") != "invalid_request" {
		t.Errorf("answer %v, want invalid_request", got)
	}
}

// Who is signed in and allowed the application before gets the code at once:
// nothing is saved but the code.
func TestSingleSignOn(t *testing.T) {
	for mode, begin := range map[string]string{
		"":         shopBack + "&code=the-code&iss=https%3A%2F%2Fid.example.test%2Ftenant&state=s+t%26a%3Dte",
		"query":    shopBack + "&code=the-code&iss=",
		"fragment": shopBack + "#code=the-code&iss=",
	} {
		w := newWorld(t)
		w.consents.covered = true
		b := w.signIn("alice", time.Minute)
		res := w.get(good("response_mode", mode), b)
		if got := res.Header.Get("Location"); res.StatusCode != 303 || !strings.HasPrefix(got, begin) {
			t.Errorf("mode %q: status %d to %q, want %q", mode, res.StatusCode, got, begin)
		}
		if w.records.count() != 0 || w.next.last != nil || len(res.Cookies()) != 0 {
			t.Errorf("mode %q: %d records, cookies %v; want none", mode, w.records.count(), res.Cookies())
		}
		want := oauth.Who{UserID: "alice", SessionID: "sid-alice", AuthTime: w.sessions.m[b.session].AuthTime, ACR: "1", AMR: []string{"pwd"}}
		if q := w.codes.last(t); !reflect.DeepEqual(w.codes.who, []oauth.Who{want}) || q.Nonce != "n" || q.Challenge != challenge || q.RedirectURI != shopBack {
			t.Errorf("mode %q: code for %+v of %+v", mode, w.codes.who, q)
		}
	}
}

func TestSingleSignOnByFormPost(t *testing.T) {
	w := newWorld(t)
	w.consents.covered = true
	res := w.get(good("response_mode", "form_post"), w.signIn("alice", time.Minute))
	page := body(t, res)
	for _, want := range []string{`method="post"`, `name="code" value="the-code"`, `name="state" value="s t&amp;a=te"`, `name="iss" value="` + issuer + `"`, "<button"} {
		if !strings.Contains(page, want) {
			t.Errorf("the form lacks %s:\n%s", want, page)
		}
	}
	if csp := res.Header.Get("Content-Security-Policy"); strings.Contains(csp, "form-action") || strings.Contains(csp, "unsafe") || strings.Contains(page, "<script>") {
		t.Errorf("policy %q must let the form go out, without inline scripts", csp)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Error("a page with a code may be cached")
	}
}

func TestWhoHasToDoSomething(t *testing.T) {
	tests := map[string]struct {
		params url.Values
		who    string
		ago    time.Duration
		allow  bool
	}{
		"nobody":                     {params: good(), allow: true},
		"not allowed before":         {params: good(), who: "alice"},
		"prompt=login":               {params: good("prompt", "login"), who: "alice", allow: true},
		"prompt=consent":             {params: good("prompt", "consent"), who: "alice", allow: true},
		"prompt=select_account":      {params: good("prompt", "select_account"), who: "alice", allow: true},
		"prompt=create":              {params: good("prompt", "create"), who: "alice", allow: true},
		"max_age passed":             {params: good("max_age", "60"), who: "alice", ago: 2 * time.Minute, allow: true},
		"max_age=0":                  {params: good("max_age", "0"), who: "alice", allow: true},
		"hint of another":            {params: good("id_token_hint", "of-bob"), who: "alice", allow: true},
		"sub of another":             {params: good("claims", `{"id_token":{"sub":{"value":"bob"}}}`), who: "alice", allow: true},
		"disabled person":            {params: good(), who: "gone", allow: true},
		"person who does not exist":  {params: good(), who: "deleted", allow: true},
		"own application, not fresh": {params: good("client_id", "own", "redirect_uri", "https://own.test/cb", "prompt", "consent"), who: "alice", allow: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.consents.covered = tt.allow
			var b browser
			if tt.who != "" {
				b = w.signIn(tt.who, tt.ago)
			}
			res := w.get(tt.params, b)
			if w.next.last == nil || len(w.codes.issued) != 0 {
				t.Fatalf("status %d to %q; want a page", res.StatusCode, res.Header.Get("Location"))
			}
			given := b.browser
			for _, c := range res.Cookies() {
				if c.Name == "__Host-portico_browser" {
					given = c.Value
				}
			}
			if _, err := w.flows.Load(t.Context(), w.next.last.ID, given); err != nil {
				t.Errorf("the flow does not belong to the browser that began it: %v", err)
			}
		})
	}
}

// prompt=none never shows a page.
func TestPromptNone(t *testing.T) {
	tests := map[string]struct {
		params url.Values
		who    string
		ago    time.Duration
		allow  bool
		want   string // error; "" for a code
	}{
		"all there":              {params: good(), who: "alice", allow: true},
		"hint of this person":    {params: good("id_token_hint", "of-alice"), who: "alice", allow: true},
		"max_age not reached":    {params: good("max_age", "60"), who: "alice", ago: 30 * time.Second, allow: true},
		"own application":        {params: good("client_id", "own", "redirect_uri", "https://own.test/cb"), who: "alice"},
		"nobody":                 {params: good(), allow: true, want: "login_required"},
		"not allowed before":     {params: good(), who: "alice", want: "consent_required"},
		"hint of another":        {params: good("id_token_hint", "of-bob"), who: "alice", allow: true, want: "login_required"},
		"max_age passed":         {params: good("max_age", "60"), who: "alice", ago: 61 * time.Second, allow: true, want: "login_required"},
		"max_age=0":              {params: good("max_age", "0"), who: "alice", allow: true, want: "login_required"},
		"disabled person":        {params: good(), who: "gone", allow: true, want: "login_required"},
		"client's default age 0": {params: good("client_id", "strict", "redirect_uri", "https://strict.test/cb"), who: "alice", allow: true, want: "login_required"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.consents.covered = tt.allow
			var b browser
			if tt.who != "" {
				b = w.signIn(tt.who, tt.ago)
			}
			tt.params.Set("prompt", "none")
			res := w.get(tt.params, b)
			place, got := answer(t, res)
			if place != strings.Split(tt.params.Get("redirect_uri"), "?")[0] || got.Get("error") != tt.want || got.Has("code") != (tt.want == "") {
				t.Errorf("answer %v at %s, want %q", got, place, tt.want)
			}
			if got.Get("iss") != issuer || got.Get("state") != "s t&a=te" || w.next.last != nil || w.records.count() != 0 {
				t.Errorf("answer %v without iss or state, or a flow was begun", got)
			}
			if len(res.Cookies()) != 0 {
				t.Errorf("cookies %v; want none", res.Cookies())
			}
		})
	}
}

func TestStoresDown(t *testing.T) {
	break_ := map[string]func(*world){
		"sessions":           func(w *world) { w.sessions.down = errDown },
		"consents":           func(w *world) { w.consents.down = errDown },
		"APIs":               func(w *world) { w.apis.down = errDown },
		"codes":              func(w *world) { w.codes.fail = errDown },
		"short-lived":        func(w *world) { w.health.down = errDown },
		"codes, undescribed": func(w *world) { w.codes.fail = errBroken },
	}
	for name, spoil := range break_ {
		t.Run(name, func(t *testing.T) {
			status, code := 503, "temporarily_unavailable"
			if name == "codes, undescribed" {
				status, code = 500, "server_error"
			}
			w := newWorld(t)
			w.consents.covered = true
			b := w.signIn("alice", time.Minute)
			spoil(w)
			res := w.get(good(), b)
			page := body(t, res)
			if res.StatusCode != status || (status == 503) != (res.Header.Get("Retry-After") != "") || res.Header.Get("Location") != "" {
				t.Errorf("status %d, Retry-After %q, Location %q; want %d on a page", res.StatusCode, res.Header.Get("Retry-After"), res.Header.Get("Location"), status)
			}
			if strings.Contains(page, "10.0.0.1") || strings.Contains(page, "refused") {
				t.Errorf("the page tells the cause:\n%s", page)
			}
			_, got := answer(t, w.get(good("prompt", "none"), b))
			if got.Get("error") != code || got.Get("state") != "s t&a=te" || strings.Contains(got.Get("error_description"), "10.0.0.1") {
				t.Errorf("prompt=none: answer %v, want %s", got, code)
			}
			if len(w.codes.issued) != 0 {
				t.Error("a code was issued")
			}
		})
	}
}

func TestDispatcherDown(t *testing.T) {
	w := newWorld(t)
	w.next.fail = errDown
	if res := w.get(good(), browser{}); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, want 503", res.StatusCode)
	}
}
