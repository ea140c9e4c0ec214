package claims_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/fault"
)

// specExample is printed in OIDC Core §5.5.
const specExample = `{
  "userinfo": {
    "given_name": {"essential": true},
    "nickname": null,
    "email": {"essential": true},
    "email_verified": {"essential": true},
    "picture": null,
    "http://example.info/claims/groups": null
  },
  "id_token": {
    "auth_time": {"essential": true},
    "acr": {"values": ["urn:mace:incommon:iap:silver"]}
  }
}`

func TestSpecExample(t *testing.T) {
	r := parse(t, specExample)
	if got := r.IDToken["acr"].Texts(); !slices.Equal(got, []string{"urn:mace:incommon:iap:silver"}) {
		t.Errorf("acr = %q", got)
	}
	if c := r.IDToken["auth_time"]; c == nil || !c.Essential {
		t.Errorf("auth_time = %+v, want essential", c)
	}
	if c, ok := r.Userinfo["nickname"]; !ok || c != nil {
		t.Errorf("nickname = %+v, %v; want there, and null", c, ok)
	}
	if got := r.Names(); !slices.Equal(got, []string{"email", "email_verified", "given_name", "nickname", "picture"}) {
		t.Errorf("Names = %q", got)
	}
}

func TestParseRequested(t *testing.T) {
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"c%d":null`, i)
		}
		return `{"userinfo":{` + b.String()[1:] + `}}`
	}
	tests := map[string]struct {
		raw  string
		want string // as String says it; "" for nothing
		bad  bool
	}{
		"absent":                      {raw: ""},
		"empty object":                {raw: `{}`},
		"empty places":                {raw: `{"userinfo":{},"id_token":null}`},
		"unknown places are ignored":  {raw: `{"access_token":{"email":null}}`},
		"unknown members are ignored": {raw: `{"userinfo":{"email":{"essential":true,"reason":"because"}}}`, want: `{"userinfo":{"email":{"essential":true}}}`},
		"names are exact":             {raw: `{"Userinfo":{"email":null},"id_token":{"name":{"ESSENTIAL":true}}}`, want: `{"id_token":{"name":{}}}`},
		"value and values":            {raw: `{"id_token":{"sub":{"value":"u1"},"acr":{"values":["1",2]}}}`, want: `{"id_token":{"acr":{"values":["1",2]},"sub":{"value":"u1"}}}`},
		"value null is none":          {raw: `{"id_token":{"sub":{"value":null}}}`, want: `{"id_token":{"sub":{}}}`},
		"line breaks between members": {raw: "{\n\t\"userinfo\": {\"email\": null}\r\n}", want: `{"userinfo":{"email":null}}`},
		"as many claims as the bound": {raw: members(64), want: parse(t, members(64)).String()},
		"one claim above the bound":   {raw: members(65), bad: true},
		"not JSON":                    {raw: `claims`, bad: true},
		"half of it":                  {raw: `{"userinfo":{"email":null}`, bad: true},
		"two of it":                   {raw: `{} {}`, bad: true},
		"something behind":            {raw: `{}x`, bad: true},
		"a list":                      {raw: `["email"]`, bad: true},
		"a text":                      {raw: `"email"`, bad: true},
		"null":                        {raw: `null`, bad: true},
		"a number":                    {raw: `1`, bad: true},
		"a place is a list":           {raw: `{"userinfo":["email"]}`, bad: true},
		"a claim is true":             {raw: `{"userinfo":{"email":true}}`, bad: true},
		"a claim is a list":           {raw: `{"userinfo":{"email":[]}}`, bad: true},
		"essential is a text":         {raw: `{"userinfo":{"email":{"essential":"true"}}}`, bad: true},
		"values is a text":            {raw: `{"userinfo":{"email":{"values":"a"}}}`, bad: true},
		"a place twice":               {raw: `{"userinfo":{"email":null},"userinfo":{}}`, bad: true},
		"a claim twice":               {raw: `{"userinfo":{"email":null,"email":{"essential":true}}}`, bad: true},
		"a claim twice, once escaped": {raw: `{"userinfo":{"email":null,"\u0065mail":null}}`, bad: true},
		"a claim without name":        {raw: `{"userinfo":{"":null}}`, bad: true},
		"a name above the bound":      {raw: `{"userinfo":{"` + strings.Repeat("n", 257) + `":null}}`, bad: true},
		"too many values":             {raw: `{"id_token":{"acr":{"values":[` + strings.Repeat(`"1",`, 32) + `"1"]}}}`, bad: true},
		"too deep":                    {raw: `{"userinfo":{"email":{"value":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}}}`, bad: true},
		"too deep in what is ignored": {raw: `{"x":` + strings.Repeat(`{"x":`, 3000) + `1` + strings.Repeat(`}`, 3000) + `}`, bad: true},
		"too long":                    {raw: `{"x":"` + strings.Repeat("x", 8192) + `"}`, bad: true},
		"not UTF-8":                   {raw: "{\"userinfo\":{\"email\xff\":null}}", bad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := claims.Parse(tt.raw)
			if tt.bad {
				if f := fault.As(err); f == nil || f.Kind != fault.Invalid || f.Code != "invalid_request" || f.Rule == "" || got != nil {
					t.Errorf("Parse(%.60q) = %v, %v; want invalid_request under a rule", tt.raw, got, err)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("Parse(%.60q) = %s, %v; want %s", tt.raw, got, err, tt.want)
			}
		})
	}
}

func TestWithinTheCeiling(t *testing.T) {
	r := parse(t, specExample)
	got := r.Within(func(scope string) bool { return scope == "email" })
	want := `{"userinfo":{"email":{"essential":true},"email_verified":{"essential":true},"http://example.info/claims/groups":null},` +
		`"id_token":{"acr":{"values":["urn:mace:incommon:iap:silver"]},"auth_time":{"essential":true}}}`
	if got.String() != want {
		t.Errorf("Within(email) = %s, want %s", got, want)
	}
	if len(r.Names()) != 5 {
		t.Errorf("Within changed what it was given: %s", r)
	}
	only := parse(t, `{"userinfo":{"email":null}}`)
	if got := only.Within(func(string) bool { return false }); got != nil {
		t.Errorf("Within(nothing) = %s, want nil", got)
	}
	if got := (*claims.Requested)(nil).Within(func(string) bool { return true }); got != nil || got.String() != "" || got.Names() != nil {
		t.Errorf("nothing within = %v", got)
	}
}

func TestTexts(t *testing.T) {
	r := parse(t, `{"id_token":{"a":{"value":"x","values":["y",3,null,{"z":1},"w"]},"b":null,"c":{"value":7}}}`)
	for name, want := range map[string][]string{"a": {"x", "y", "w"}, "b": nil, "c": nil, "absent": nil} {
		if got := r.IDToken[name].Texts(); !slices.Equal(got, want) {
			t.Errorf("Texts of %s = %q, want %q", name, got, want)
		}
	}
}

// Whatever Parse takes is bounded, and says the same when it is read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{specExample, `{}`, `null`, `[]`, `{"userinfo":{"a":{"values":[1,"2",null]}}}`, `{"id_token":{"sub":{"value":"x"}}}`, "{\"a\":\"\xff\"}", strings.Repeat("[", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := claims.Parse(raw)
		if err != nil {
			if g := fault.As(err); g.Kind != fault.Invalid || g.Code != "invalid_request" {
				t.Errorf("Parse(%q): %v", raw, err)
			}
			return
		}
		said := r.String()
		again, err := claims.Parse(said)
		if err != nil || again.String() != said {
			t.Errorf("Parse(%q) = %s, which reads as %s, %v", raw, said, again, err)
		}
		got := claims.ForUserinfo(bob(), []string{"openid"}, r)
		if got["sub"] != "u-bob" {
			t.Errorf("a claims parameter changed sub: %v", got)
		}
	})
}
