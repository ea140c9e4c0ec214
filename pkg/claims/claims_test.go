package claims_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/user"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// alice has a value for everything.
func alice() *user.User {
	return &user.User{
		ID: "u-alice", Username: "alice", Email: "Alice@example.com", EmailVerified: true,
		Name: "Alice Example", GivenName: "Alice", FamilyName: "Example", MiddleName: "Maria", Nickname: "Ali",
		Profile: "https://example.com/alice", Picture: "https://example.com/alice.png", Website: "https://alice.example.com",
		Gender: "female", Birthdate: "1988-04-02", Zoneinfo: "Europe/Vienna", Locale: "de-AT",
		PhoneNumber: "+43 1 2345678", PhoneNumberVerified: true,
		Address:   user.Address{Formatted: "Ring 1\n1010 Wien", StreetAddress: "Ring 1", Locality: "Wien", PostalCode: "1010", Country: "AT"},
		Roles:     []string{"clerk", "portico:admin"},
		UpdatedAt: time.Date(2026, 11, 20, 12, 0, 0, 5, time.UTC),
	}
}

// bob has told nothing but an address that nobody verified.
func bob() *user.User { return &user.User{ID: "u-bob", Email: "bob@example.com"} }

var all = []string{"openid", "profile", "email", "address", "phone", "offline_access", "roles", "orders:read"}

func parse(t *testing.T, raw string) *claims.Requested {
	t.Helper()
	r, err := claims.Parse(raw)
	if err != nil {
		t.Fatalf("Parse(%q): %v", raw, err)
	}
	return r
}

func TestGoldens(t *testing.T) {
	const one = `{"userinfo":{"email":null,"birthdate":{"essential":true},"sub":null},"id_token":{"name":{"essential":true},"roles":null,"acr":{"values":["1"]}}}`
	plain, wants := &client.Client{}, &client.Client{ProfileInIDToken: true}
	tests := map[string]func(t *testing.T) map[string]any{
		"userinfo_all":            func(*testing.T) map[string]any { return claims.ForUserinfo(alice(), all, nil) },
		"userinfo_openid":         func(*testing.T) map[string]any { return claims.ForUserinfo(alice(), []string{"openid"}, nil) },
		"userinfo_email":          func(*testing.T) map[string]any { return claims.ForUserinfo(alice(), []string{"openid", "email"}, nil) },
		"userinfo_nearly_nothing": func(*testing.T) map[string]any { return claims.ForUserinfo(bob(), all, nil) },
		"userinfo_one_by_one": func(t *testing.T) map[string]any {
			return claims.ForUserinfo(alice(), []string{"openid"}, parse(t, one))
		},
		"idtoken_all":         func(*testing.T) map[string]any { return claims.ForIDToken(alice(), plain, all, nil) },
		"idtoken_profile":     func(*testing.T) map[string]any { return claims.ForIDToken(alice(), wants, all, nil) },
		"idtoken_profile_bob": func(*testing.T) map[string]any { return claims.ForIDToken(bob(), wants, all, nil) },
		"idtoken_one_by_one": func(t *testing.T) map[string]any {
			return claims.ForIDToken(alice(), plain, []string{"openid"}, parse(t, one))
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(make(t), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("claims changed.\ngot\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Real clients break on null, on empty strings, on email_verified as text and
// on updated_at as text.
func TestTypesAreThoseOfTheStandard(t *testing.T) {
	for name, u := range map[string]*user.User{"alice": alice(), "bob": bob(), "empty": {ID: "u"}} {
		raw, err := json.Marshal(claims.ForUserinfo(u, all, nil))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		for claim, v := range got {
			switch claim {
			case "email_verified", "phone_number_verified":
				if _, ok := v.(bool); !ok {
					t.Errorf("%s: %s is %T, want a boolean", name, claim, v)
				}
			case "updated_at":
				if n, ok := v.(float64); !ok || n != float64(int64(n)) {
					t.Errorf("%s: updated_at is %v, want whole seconds", name, v)
				}
			case "address":
				if m, ok := v.(map[string]any); !ok || len(m) == 0 {
					t.Errorf("%s: address is %v, want a filled object", name, v)
				}
			case "roles":
				if l, ok := v.([]any); !ok || len(l) == 0 {
					t.Errorf("%s: roles is %v, want a filled list", name, v)
				}
			default:
				if s, ok := v.(string); !ok || s == "" {
					t.Errorf("%s: %s is %v, want a filled string", name, claim, v)
				}
			}
		}
	}
}

func TestVerifiedIsToldOnlyOfSomething(t *testing.T) {
	u := &user.User{ID: "u", EmailVerified: true, PhoneNumberVerified: true}
	if got := claims.ForUserinfo(u, all, nil); len(got) != 1 {
		t.Errorf("claims of a person without any value = %v, want sub alone", got)
	}
}

func TestScopesGiveTheirClaims(t *testing.T) {
	want := map[string]string{
		"email":          "email email_verified",
		"phone":          "phone_number phone_number_verified",
		"address":        "address",
		"roles":          "roles",
		"openid":         "",
		"offline_access": "",
		"orders:read":    "",
	}
	for scope, names := range want {
		if got := strings.Join(claims.ScopeClaims(scope), " "); got != names {
			t.Errorf("ScopeClaims(%s) = %q, want %q", scope, got, names)
		}
	}
	// OIDC Core §5.4 lists fourteen for profile.
	if got := claims.ScopeClaims("profile"); len(got) != 14 {
		t.Errorf("ScopeClaims(profile) = %q, want 14 claims", got)
	}
}

func TestEveryClaimThatIsToldIsSupported(t *testing.T) {
	told := slices.Collect(maps.Keys(claims.ForUserinfo(alice(), all, nil)))
	for _, name := range told {
		if !slices.Contains(claims.Supported(), name) {
			t.Errorf("%s is told but not in Supported", name)
		}
	}
	seen := map[string]bool{}
	for _, name := range claims.Supported() {
		if seen[name] {
			t.Errorf("%s is in Supported twice", name)
		}
		seen[name] = true
	}
}
