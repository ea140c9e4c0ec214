package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Until client and redirect URI are proven, every refusal is a page of ours:
// nothing that the request names is followed.
func TestRefusedOnAPage(t *testing.T) {
	tests := map[string]struct {
		params url.Values
		code   string
		status int
	}{
		"no client":                             {good("client_id", ""), "invalid_request", 400},
		"unknown client":                        {good("client_id", "nobody"), "invalid_client", 400},
		"disabled client":                       {good("client_id", "off", "redirect_uri", "https://off.test/cb"), "invalid_client", 400},
		"client of another case":                {good("client_id", "Shop"), "invalid_client", 400},
		"store of clients down":                 {good("client_id", "down"), "temporarily_unavailable", 503},
		"OIDC Core §3.1.2.1 no redirect URI":    {good("redirect_uri", ""), "invalid_request", 400},
		"several registered, none sent":         {good("redirect_uri", "", "scope", "email"), "invalid_request", 400},
		"redirect elsewhere":                    {good("redirect_uri", "https://evil.test/cb"), "invalid_redirect_uri", 400},
		"redirect with a longer path":           {good("redirect_uri", "https://shop.test/other/more"), "invalid_redirect_uri", 400},
		"redirect with a slash more":            {good("redirect_uri", "https://shop.test/other/"), "invalid_redirect_uri", 400},
		"redirect with another query":           {good("redirect_uri", "https://shop.test/cb?from=portico"), "invalid_redirect_uri", 400},
		"redirect of the same query, decoded":   {good("redirect_uri", "https://shop.test/cb?from=portico&x=/"), "invalid_redirect_uri", 400},
		"redirect with a query more":            {good("redirect_uri", "https://shop.test/other?a=b"), "invalid_redirect_uri", 400},
		"redirect with a fragment":              {good("redirect_uri", "https://shop.test/other#a"), "invalid_redirect_uri", 400},
		"redirect by http":                      {good("redirect_uri", "http://shop.test/other"), "invalid_redirect_uri", 400},
		"redirect in capitals":                  {good("redirect_uri", "https://SHOP.test/other"), "invalid_redirect_uri", 400},
		"redirect with a port":                  {good("redirect_uri", "https://shop.test:443/other"), "invalid_redirect_uri", 400},
		"redirect with user-info":               {good("redirect_uri", "https://shop.test@evil.test/other"), "invalid_redirect_uri", 400},
		"redirect with dots":                    {good("redirect_uri", "https://shop.test/x/../other"), "invalid_redirect_uri", 400},
		"redirect of another client":            {good("redirect_uri", "https://old.test/cb"), "invalid_redirect_uri", 400},
		"redirect that runs a script":           {good("redirect_uri", "javascript:alert(1)"), "invalid_redirect_uri", 400},
		"redirect relative":                     {good("redirect_uri", "/other"), "invalid_redirect_uri", 400},
		"redirect without scheme":               {good("redirect_uri", "//shop.test/other"), "invalid_redirect_uri", 400},
		"redirect twice":                        {url.Values{"client_id": {"shop"}, "redirect_uri": {shopBack, "https://evil.test/"}, "response_type": {"code"}}, "invalid_request", 400},
		"client twice":                          {url.Values{"client_id": {"shop", "old"}, "redirect_uri": {shopBack}, "response_type": {"code"}}, "invalid_request", 400},
		"redirect with a line break":            {good("redirect_uri", shopBack+"\r\nSet-Cookie: a=b"), "invalid_request", 400},
		"redirect with NUL":                     {good("redirect_uri", "https://shop.test/other\x00"), "invalid_request", 400},
		"client not UTF-8":                      {good("client_id", "\xff\xfe"), "invalid_request", 400},
		"client a megabyte long":                {good("client_id", strings.Repeat("a", 1<<20)), "invalid_request", 413},
		"state above its bound, unknown client": {good("client_id", "nobody", "state", strings.Repeat("s", 9000)), "invalid_request", 413},
		"a reference that nobody parked":        {url.Values{"request_ref": {"ptq_nonsense"}}, "flow_unknown", 404},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.consents.covered = true
			res := w.get(tt.params, w.signIn("alice", time.Minute))
			page := body(t, res)
			if res.StatusCode != tt.status || res.Header.Get("Location") != "" {
				t.Fatalf("status %d to %q, want %d and no redirect", res.StatusCode, res.Header.Get("Location"), tt.status)
			}
			if !strings.Contains(page, "cannot continue") || !strings.Contains(page, tt.code) || !strings.Contains(page, res.Header.Get("X-Request-Id")) {
				t.Errorf("the page lacks our words, %q or the request id:\n%s", tt.code, page)
			}
			if strings.Contains(page, "evil.test") || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("the page repeats a stranger's address, may be cached or read across origins: %v", res.Header)
			}
			if (res.StatusCode == 503) != (res.Header.Get("Retry-After") != "") {
				t.Errorf("Retry-After %q with status %d", res.Header.Get("Retry-After"), res.StatusCode)
			}
			if len(w.codes.issued) != 0 || w.records.count() != 0 {
				t.Errorf("%d codes and %d records made by a refused request", len(w.codes.issued), w.records.count())
			}
			if len(w.refused.list) != 1 || (w.refused.list[0].Rule == "" && res.StatusCode != 503) {
				t.Errorf("refusals kept: %+v; want one, under its rule", w.refused.list)
			}
		})
	}
}

// Afterwards every refusal goes to the redirect URI, with state and iss.
func TestRefusedAtTheRedirectURI(t *testing.T) {
	twice := func(name string) url.Values {
		v := good()
		v[name] = []string{v.Get(name), v.Get(name) + "x"}
		return v
	}
	many := good()
	for i := range 17 {
		many.Add("resource", "https://r.test/"+strings.Repeat("a", i))
	}
	tests := map[string]struct {
		params url.Values
		code   string
		rule   string // how it begins
	}{
		"no response type":                  {good("response_type", ""), "invalid_request", "RFC 6749 §3.1.1"},
		"response type token":               {good("response_type", "token"), "unsupported_response_type", "RFC 6749 §3.1.1"},
		"response type id_token":            {good("response_type", "id_token"), "unsupported_response_type", "RFC 6749 §3.1.1"},
		"response type code id_token":       {good("response_type", "code id_token"), "unsupported_response_type", "RFC 6749 §3.1.1"},
		"response type none":                {good("response_type", "none"), "unsupported_response_type", "RFC 6749 §3.1.1"},
		"response type code twice":          {good("response_type", "code code"), "unsupported_response_type", "RFC 6749 §3.1.1"},
		"response type of another case":     {good("response_type", "Code"), "unsupported_response_type", "RFC 6749 §3.1.1"},
		"client without the grant":          {good("client_id", "robot", "redirect_uri", "https://robot.test/cb"), "unauthorized_client", "RFC 6749 §3.1.1"},
		"client without the response type":  {good("client_id", "token", "redirect_uri", "https://token.test/cb"), "unauthorized_client", "RFC 6749 §3.1.1"},
		"response mode unknown":             {good("response_mode", "web_message"), "invalid_request", "OAuth 2.0 Multiple Response Types"},
		"response mode jwt":                 {good("response_mode", "jwt"), "invalid_request", "OAuth 2.0 Multiple Response Types"},
		"form_post to a private scheme":     {good("response_mode", "form_post", "redirect_uri", "com.example.shop:/cb"), "invalid_request", "OAuth 2.0 Multiple Response Types"},
		"OIDC Core §6.1 request":            {good("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported", "OIDC Core §6.1"},
		"OIDC Core §6.2 request_uri":        {good("request_uri", "https://shop.test/r"), "request_uri_not_supported", "OIDC Core §6.2"},
		"PAR reference of somebody":         {good("request_uri", "urn:ietf:params:oauth:request_uri:x"), "request_uri_not_supported", "OIDC Core §6.2"},
		"OIDC Core §7.2.1 registration":     {good("registration", "{}"), "registration_not_supported", "OIDC Core §7.2.1"},
		"scope malformed":                   {good("scope", "openid  email"), "invalid_scope", "RFC 6749 §3.3"},
		"scope above the ceiling":           {good("scope", "openid phone"), "invalid_scope", "RFC 6749 §3.3"},
		"scope unknown, no openid":          {good("scope", "nonsense"), "invalid_scope", "RFC 6749 §3.3"},
		"resource unknown":                  {good("resource", "https://elsewhere.test"), "invalid_target", "RFC 8707 §2"},
		"resource with fragment":            {good("resource", orders+"#x"), "invalid_target", "RFC 8707 §2"},
		"resources without end":             {many, "invalid_target", "RFC 8707 §2"},
		"RFC 7636 §4.4.1 no challenge":      {good("code_challenge", "", "code_challenge_method", ""), "invalid_request", "RFC 7636 §4.4.1"},
		"RFC 7636 §4.3 plain":               {good("code_challenge_method", "plain"), "invalid_request", "RFC 7636 §4.3"},
		"RFC 7636 §4.3 no method":           {good("code_challenge_method", ""), "invalid_request", "RFC 7636 §4.3"},
		"RFC 7636 §4.3 s256":                {good("code_challenge_method", "s256"), "invalid_request", "RFC 7636 §4.3"},
		"RFC 7636 §4.2 too short":           {good("code_challenge", challenge[1:]), "invalid_request", "RFC 7636 §4.2"},
		"RFC 7636 §4.2 too long":            {good("code_challenge", challenge+"a"), "invalid_request", "RFC 7636 §4.2"},
		"RFC 7636 §4.2 padded":              {good("code_challenge", challenge[1:]+"="), "invalid_request", "RFC 7636 §4.2"},
		"RFC 7636 §4.2 base64, not url":     {good("code_challenge", challenge[1:]+"+"), "invalid_request", "RFC 7636 §4.2"},
		"method without challenge":          {good("code_challenge", ""), "invalid_request", "RFC 7636 §4.3"},
		"public client without PKCE":        {good("client_id", "spa", "redirect_uri", "http://127.0.0.1:5/cb", "code_challenge", "", "code_challenge_method", ""), "invalid_request", "RFC 7636 §4.4.1"},
		"nonce above its bound":             {good("nonce", strings.Repeat("n", 1025)), "invalid_request", "OIDC Core §3.1.2.1 nonce"},
		"prompt unknown":                    {good("prompt", "dance"), "invalid_request", "OIDC Core §3.1.2.1 prompt"},
		"prompt none and login":             {good("prompt", "none login"), "invalid_request", "OIDC Core §3.1.2.1 prompt"},
		"prompt login and none":             {good("prompt", "login none"), "invalid_request", "OIDC Core §3.1.2.1 prompt"},
		"prompt of another case":            {good("prompt", "None"), "invalid_request", "OIDC Core §3.1.2.1 prompt"},
		"prompt with two spaces":            {good("prompt", "login  consent"), "invalid_request", "OIDC Core §3.1.2.1 prompt"},
		"max_age negative":                  {good("max_age", "-1"), "invalid_request", "OIDC Core §3.1.2.1 max_age"},
		"max_age garbage":                   {good("max_age", "soon"), "invalid_request", "OIDC Core §3.1.2.1 max_age"},
		"max_age a fraction":                {good("max_age", "1.5"), "invalid_request", "OIDC Core §3.1.2.1 max_age"},
		"max_age with sign":                 {good("max_age", "+5"), "invalid_request", "OIDC Core §3.1.2.1 max_age"},
		"max_age hexadecimal":               {good("max_age", "0x10"), "invalid_request", "OIDC Core §3.1.2.1 max_age"},
		"max_age in other digits":           {good("max_age", "٣"), "invalid_request", "OIDC Core §3.1.2.1 max_age"},
		"max_age with a blank":              {good("max_age", " 5"), "invalid_request", "OIDC Core §3.1.2.1 max_age"},
		"display unknown":                   {good("display", "cinema"), "invalid_request", "OIDC Core §3.1.2.1 display"},
		"acr_values above its bound":        {good("acr_values", strings.Repeat("a ", 600)), "invalid_request", "OIDC Core §3.1.2.1 acr_values"},
		"login_hint above its bound":        {good("login_hint", strings.Repeat("a", 513)), "invalid_request", "OIDC Core §3.1.2.1 login_hint"},
		"ui_locales above its bound":        {good("ui_locales", strings.Repeat("de ", 40)), "invalid_request", "OIDC Core §3.1.2.1 ui_locales"},
		"claims not JSON":                   {good("claims", "email"), "invalid_request", "OIDC Core §5.5"},
		"claims of an essential acr":        {good("claims", `{"id_token":{"acr":{"essential":true,"values":["urn:mace:incommon:iap:silver"]}}}`), "unmet_authentication_requirements", "OIDC Core §5.5.1.1"},
		"claims of acr 0, essential":        {good("claims", `{"id_token":{"acr":{"essential":true,"value":"0"}}}`), "unmet_authentication_requirements", "OIDC Core §5.5.1.1"},
		"claims of two persons":             {good("claims", `{"id_token":{"sub":{"values":["alice","bob"]}}}`), "invalid_request", "OIDC Core §5.5.1"},
		"claims of another than the hint":   {good("claims", `{"id_token":{"sub":{"value":"bob"}}}`, "id_token_hint", "of-alice"), "invalid_request", "OIDC Core §5.5.1"},
		"id_token_hint not ours":            {good("id_token_hint", "forged"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"id_token_hint of another client":   {good("id_token_hint", "other-aud"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"id_token_hint of nobody":           {good("id_token_hint", "no-aud"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"id_token_hint of another issuer":   {good("id_token_hint", "other-iss"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"id_token_hint without sub":         {good("id_token_hint", "no-sub"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"id_token_hint of odd aud":          {good("id_token_hint", "odd-aud"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"id_token_hint of another kind":     {good("id_token_hint", "logout-token"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"id_token_hint no object":           {good("id_token_hint", "not-an-object"), "invalid_request", "OIDC Core §3.1.2.1 id_token_hint"},
		"dpop_jkt malformed":                {good("dpop_jkt", "short"), "invalid_request", "RFC 9449 §10"},
		"RFC 6749 §3.1 scope twice":         {twice("scope"), "invalid_request", "RFC 6749 §3.1"},
		"RFC 6749 §3.1 challenge twice":     {twice("code_challenge"), "invalid_request", "RFC 6749 §3.1"},
		"nonce with NUL":                    {good("nonce", "a\x00b"), "invalid_request", "security §0.3"},
		"nonce with a line break":           {good("nonce", "a\nb"), "invalid_request", "security §0.3"},
		"login_hint not UTF-8":              {good("login_hint", "\xff"), "invalid_request", "security §0.3"},
		"unknown parameter with an escape":  {good("x", "\x1b[31m"), "invalid_request", "security §0.3"},
		"RFC 6749 §2.3.1 secret in the URL": {good("client_secret", "geheim"), "invalid_request", "RFC 6749 §2.3.1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.consents.covered = true
			res := w.get(tt.params, w.signIn("alice", time.Minute))
			place, got := answer(t, res)
			if place != strings.Split(w.at(tt.params), "?")[0] {
				t.Errorf("answered at %s, want %s", place, w.at(tt.params))
			}
			if got.Get("error") != tt.code || got.Get("iss") != issuer || got.Get("state") != "s t&a=te" || got.Has("code") {
				t.Errorf("answer %v; want %s with state and iss", got, tt.code)
			}
			if d := got.Get("error_description"); !strings.HasSuffix(d, "(request "+res.Header.Get("X-Request-Id")+")") || strings.ContainsAny(d, "\"\\\n") {
				t.Errorf("description %q does not end with the request id %s", d, res.Header.Get("X-Request-Id"))
			}
			if len(w.refused.list) != 1 || !strings.HasPrefix(w.refused.list[0].Rule, tt.rule) {
				t.Errorf("kept %+v; want one refusal under %q", w.refused.list, tt.rule)
			}
			if len(w.codes.issued) != 0 || w.records.count() != 0 {
				t.Errorf("%d codes and %d records made by a refused request", len(w.codes.issued), w.records.count())
			}
		})
	}
}

// at is the redirect URI that the request should be answered at.
func (w *world) at(params url.Values) string { return params.Get("redirect_uri") }

func TestRefusalKeepsTheModeAndTheQuery(t *testing.T) {
	tests := map[string]struct {
		params url.Values
		want   string // how Location begins
	}{
		"query":                      {good("prompt", "dance"), shopBack + "&error=invalid_request&"},
		"query asked for":            {good("prompt", "dance", "response_mode", "query"), shopBack + "&error=invalid_request&"},
		"fragment":                   {good("prompt", "dance", "response_mode", "fragment"), shopBack + "#error=invalid_request&"},
		"no query registered":        {good("prompt", "dance", "redirect_uri", "https://shop.test/other"), "https://shop.test/other?error=invalid_request&"},
		"private scheme":             {good("prompt", "dance", "redirect_uri", "com.example.shop:/cb"), "com.example.shop:/cb?error=invalid_request&"},
		"a token type, no mode":      {good("response_type", "id_token token"), shopBack + "#error=unsupported_response_type&"},
		"a token type, query":        {good("response_type", "id_token", "response_mode", "query"), shopBack + "&error=unsupported_response_type&"},
		"an unknown mode":            {good("response_mode", "x"), shopBack + "&error=invalid_request&"},
		"unreadable, fragment":       {good("nonce", "\x00", "response_mode", "fragment"), shopBack + "#error=invalid_request&"},
		"unreadable, unknown mode":   {good("nonce", "\x00", "response_mode", "x"), shopBack + "&error=invalid_request&"},
		"only one registered, plain": {url.Values{"client_id": {"old"}, "scope": {"phone"}, "response_type": {"code"}}, "https://old.test/cb?error=invalid_scope&"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := newWorld(t).get(tt.params, browser{}).Header.Get("Location"); !strings.HasPrefix(got, tt.want) {
				t.Errorf("Location %q, want %q…", got, tt.want)
			}
		})
	}
}

func TestRefusalByFormPost(t *testing.T) {
	res := newWorld(t).get(good("prompt", "dance", "response_mode", "form_post", "state", `"><script>`), browser{})
	page := body(t, res)
	if res.StatusCode != 200 || res.Header.Get("Location") != "" {
		t.Fatalf("status %d, Location %q; want a page", res.StatusCode, res.Header.Get("Location"))
	}
	for _, want := range []string{`action="https://shop.test/cb?from=portico&amp;x=%2F"`, `name="error" value="invalid_request"`, `name="iss" value="` + issuer + `"`, `name="state" value="&#34;&gt;&lt;script&gt;"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the form lacks %s:\n%s", want, page)
		}
	}
}

func TestStateIsReturnedOnlyIfSent(t *testing.T) {
	for name, params := range map[string]url.Values{
		"left out": good("prompt", "dance", "state", ""),
		"empty":    func() url.Values { v := good("prompt", "dance"); v.Set("state", ""); return v }(),
		"twice":    func() url.Values { v := good(); v["state"] = []string{"a", "b"}; return v }(),
		"garbage":  good("state", "a\x00b"),
	} {
		if _, got := answer(t, newWorld(t).get(params, browser{})); got.Has("state") || got.Get("error") != "invalid_request" {
			t.Errorf("%s: answer %v; want invalid_request without state", name, got)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	for _, method := range []string{"HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"} {
		r := httptest.NewRequest(method, "https://id.example.test/oauth2/authorize?"+good().Encode(), nil)
		r.Header.Set("Origin", "https://shop.test")
		r.Header.Set("X-HTTP-Method-Override", "GET")
		res := newWorld(t).do(r, browser{})
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, POST" || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: status %d, headers %v; want 405 without CORS", method, res.StatusCode, res.Header)
		}
	}
}

// Unknown parameters mean nothing (RFC 6749 §3.1).
func TestUnknownParametersAreIgnored(t *testing.T) {
	w := newWorld(t)
	w.consents.covered = true
	_, got := answer(t, w.get(good("audience", "x", "utm_source", "mail", "prompt_", "login"), w.signIn("alice", time.Minute)))
	if got.Get("code") != "the-code" {
		t.Errorf("answer %v, want a code", got)
	}
}
