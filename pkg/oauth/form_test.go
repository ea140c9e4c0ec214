package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/oauth"
)

const formType = "application/x-www-form-urlencoded"

func post(query, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/oauth2/authorize?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	return r
}

func get(query string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/oauth2/authorize", nil)
	r.URL.RawQuery = query
	return r
}

func TestReadForm(t *testing.T) {
	both := oauth.FormRules{Query: true}
	tests := map[string]struct {
		r     *http.Request
		rules oauth.FormRules
		kind  fault.Kind
		want  url.Values
	}{
		"a body":                                {r: post("", "a=1&b=x+y"), want: url.Values{"a": {"1"}, "b": {"x y"}}},
		"a query":                               {r: get("a=1"), rules: both, want: url.Values{"a": {"1"}}},
		"an empty query":                        {r: get(""), rules: both, want: nil},
		"the body alone counts":                 {r: post("ignored=1", "a=1"), rules: both, want: url.Values{"a": {"1"}}},
		"RFC 8707 §2 resource twice":            {r: post("", "resource=a&resource=b"), want: url.Values{"resource": {"a", "b"}}},
		"claims with line breaks":               {r: post("", "claims=%7B%0A%09%7D"), want: url.Values{"claims": {"{\n\t}"}}},
		"an unknown parameter":                  {r: post("", "a=1&x-unknown=2"), want: url.Values{"a": {"1"}, "x-unknown": {"2"}}},
		"RFC 6749 §3.1 twice in the query":      {r: get("a=1&a=2"), rules: both, kind: fault.Invalid},
		"RFC 6749 §3.2 twice in the body":       {r: post("", "a=1&a=1"), kind: fault.Invalid},
		"RFC 6749 §3.2 once in each":            {r: post("a=1", "a=1"), rules: both, kind: fault.Invalid},
		"resource twice where it may not be":    {r: get("resource=a&resource=b"), rules: oauth.FormRules{Query: true, Repeat: []string{}}, kind: fault.Invalid},
		"RFC 6749 §2.3.1 a secret in the URL":   {r: get("client_secret=x"), rules: both, kind: fault.Invalid},
		"RFC 6749 §2.3.1 beside a body":         {r: post("client_assertion=x", "a=1"), kind: fault.Invalid},
		"RFC 9700 §4.3.2 a token in the URL":    {r: get("access_token=x"), rules: both, kind: fault.Invalid},
		"GET where only POST is known":          {r: get("a=1"), kind: fault.Invalid},
		"a null byte":                           {r: post("", "a=%00"), kind: fault.Invalid},
		"a line break":                          {r: post("", "scope=a%0Ab"), kind: fault.Invalid},
		"a C1 control":                          {r: post("", "a=%C2%85"), kind: fault.Invalid},
		"invalid UTF-8":                         {r: post("", "a=%C0%AF"), kind: fault.Invalid},
		"invalid UTF-8 in a name":               {r: post("", "%FF=a"), kind: fault.Invalid},
		"a semicolon":                           {r: post("", "a=1;b=2"), kind: fault.Invalid},
		"a broken escape":                       {r: get("a=%2"), rules: both, kind: fault.Invalid},
		"a long query":                          {r: get("a=" + strings.Repeat("b", 9<<10)), rules: both, kind: fault.TooLarge},
		"a long value":                          {r: post("", "a="+strings.Repeat("b", 17<<10)), kind: fault.TooLarge},
		"a long name":                           {r: post("", strings.Repeat("b", 200)+"=1"), kind: fault.Invalid},
		"a long body":                           {r: post("", strings.Repeat("a", 65<<10)), kind: fault.TooLarge},
		"101 parameters":                        {r: post("", strings.Repeat("&", 100)), kind: fault.Invalid},
		"a wider bound where the endpoint asks": {r: get("a=" + strings.Repeat("b", 9<<10)), rules: oauth.FormRules{Query: true, MaxQuery: 16 << 10}, want: url.Values{"a": {strings.Repeat("b", 9<<10)}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := oauth.ReadForm(httptest.NewRecorder(), tt.r, tt.rules)
			if fault.KindOf(err) != tt.kind {
				t.Fatalf("got %v, want kind %v", err, tt.kind)
			}
			if err != nil {
				if f := oauth.Fault(err); f.Code != "invalid_request" || f.Rule == "" {
					t.Errorf("code %q, rule %q", f.Code, f.Rule)
				}
				return
			}
			if got.Encode() != tt.want.Encode() {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestReadFormWithoutBody(t *testing.T) {
	r := post("", "")
	r.Body = nil
	if got, err := oauth.ReadForm(httptest.NewRecorder(), r, oauth.FormRules{}); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzReadForm(f *testing.F) {
	for _, seed := range []string{"", "a=1", "a=1&a=2", "a=%00", "resource=x&resource=y", "%zz", "a=%ff", "client_secret=x", ";", "&&&"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		r := post("", body)
		r.URL.RawQuery = query
		form, err := oauth.ReadForm(httptest.NewRecorder(), r, oauth.FormRules{Query: true})
		if err != nil {
			if s := oauth.Fault(err).Kind.Status(); s != 400 && s != 413 {
				t.Fatalf("%q %q: status %d", query, body, s)
			}
			return
		}
		for name, values := range form {
			if len(values) != 1 && name != "resource" && name != "audience" {
				t.Fatalf("%q has %d values", name, len(values))
			}
			for _, v := range values {
				if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
					t.Fatalf("%q passed", v)
				}
			}
		}
	})
}
