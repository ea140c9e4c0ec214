package pkg_test

import (
	"os"
	"path/filepath"
	"testing"
)

// samples shows for every rule an arrow that it forbids and one that it must
// let pass: a rule that cannot go red keeps nothing.
var samples = map[string]struct {
	bad, good [][2]string // importing package, imported package
	testBad   bool        // the bad arrows are forbidden in test files too
}{
	"fosite behind one door": {
		bad:     [][2]string{{"pkg/login", "github.com/ory/fosite"}, {"storage/gormstore", "github.com/ory/fosite/handler/oauth2"}, {"pkg/oauthish", "github.com/ory/fosite"}},
		good:    [][2]string{{"pkg/oauth", "github.com/ory/fosite"}, {"pkg/oauth/token", "github.com/ory/fosite/handler/pkce"}, {"pkg/server", "github.com/ory/fosite"}},
		testBad: true,
	},
	"one JOSE version": {
		bad:     [][2]string{{"pkg/jwks", "github.com/go-jose/go-jose/v3"}, {"pkg/server", "github.com/go-jose/go-jose/v3/jwt"}},
		good:    [][2]string{{"pkg/jwks", "github.com/go-jose/go-jose/v4"}, {"pkg/oauth", "github.com/go-jose/go-jose/v3"}},
		testBad: true,
	},
	"gorm in one engine": {
		bad:     [][2]string{{"pkg/user", "gorm.io/gorm"}, {"storage/embedded", "gorm.io/driver/postgres"}, {"storage", "gorm.io/gorm"}},
		good:    [][2]string{{"storage/gormstore", "gorm.io/gorm"}, {"storage/gormstore/sqlite", "gorm.io/gorm/clause"}},
		testBad: true,
	},
	"migrations in one engine": {
		bad:     [][2]string{{"pkg/cli", "github.com/pressly/goose/v3"}},
		good:    [][2]string{{"storage/gormstore", "github.com/pressly/goose/v3"}},
		testBad: true,
	},
	"database drivers in one engine": {
		bad:  [][2]string{{"pkg/server", "github.com/jackc/pgx/v5"}, {"storage/redisstore", "modernc.org/sqlite"}},
		good: [][2]string{{"storage/embedded", "modernc.org/sqlite"}, {"storage/gormstore", "github.com/jackc/pgx/v5/pgconn"}, {"storage/throwaway", "github.com/jackc/pgx/v5"}},
	},
	"Redis in one engine": {
		bad:     [][2]string{{"pkg/limit", "github.com/redis/go-redis/v9"}, {"pkg/limit", "github.com/go-redis/redis_rate/v10"}, {"storage/throwaway", "github.com/redis/go-redis/v9"}},
		good:    [][2]string{{"storage/redisstore", "github.com/redis/go-redis/v9"}},
		testBad: true,
	},
	"echo at the edge": {
		bad:     [][2]string{{"pkg/login", "github.com/labstack/echo/v4"}, {"pkg/resource", "github.com/labstack/echo/v4"}, {"pkg/oauth/token", "github.com/labstack/echo/v4/middleware"}},
		good:    [][2]string{{"pkg/server", "github.com/labstack/echo/v4"}, {"pkg/web", "github.com/labstack/echo/v4"}, {"pkg/resource/echomw", "github.com/labstack/echo/v4"}},
		testBad: true,
	},
	"SMTP at one post office": {
		bad:     [][2]string{{"pkg/confirm", "github.com/wneessen/go-mail"}, {"pkg/server", "net/smtp"}},
		good:    [][2]string{{"pkg/mail", "github.com/wneessen/go-mail"}, {"pkg/mail", "github.com/wneessen/go-mail/smtp"}},
		testBad: true,
	},
	"LDAP at one door": {
		bad:     [][2]string{{"pkg/login", "github.com/go-ldap/ldap/v3"}, {"pkg/federation", "github.com/go-asn1-ber/asn1-ber"}},
		good:    [][2]string{{"pkg/federation/ldap", "github.com/go-ldap/ldap/v3"}},
		testBad: true,
	},
	"features own their Store": {
		bad:  [][2]string{{"pkg/grant", "storage"}, {"pkg/oauth/token", "storage/gormstore"}, {"pkg/job", "storage/redisstore"}},
		good: [][2]string{{"pkg/server", "storage"}, {"pkg/cli", "storage/gormstore"}, {"pkg/porticotest", "storage"}, {"storage/gormstore", "pkg/grant"}, {"storage", "storage/gormstore"}},
	},
	"the composition stands above all": {
		bad:  [][2]string{{"pkg/web", "pkg/server"}, {"storage/gormstore", "pkg/server"}, {"pkg/console", "pkg/server"}},
		good: [][2]string{{"pkg/cli", "pkg/server"}, {"pkg/porticotest", "pkg/server"}, {"cmd/portico", "pkg/server"}},
	},
	"the command line stands above the composition": {
		bad:  [][2]string{{"pkg/server", "pkg/cli"}, {"pkg/porticotest", "pkg/cli"}},
		good: [][2]string{{"cmd/portico", "pkg/cli"}, {"pkg/cli", "pkg/cli/output"}},
	},
	"the floor carries": {
		bad:     [][2]string{{"pkg/fault", "pkg/audit"}, {"pkg/dpop", "pkg/client"}, {"pkg/safehttp", "pkg/config"}, {"pkg/replay", "storage"}},
		good:    [][2]string{{"pkg/dpop", "pkg/replay"}, {"pkg/jwks", "pkg/safehttp"}, {"pkg/fault", "net/http"}, {"pkg/client", "pkg/fault"}},
		testBad: true,
	},
	"domain draws no pages": {
		bad:  [][2]string{{"pkg/grant", "pkg/web"}, {"pkg/session", "pkg/login"}, {"pkg/client", "pkg/oauth"}, {"pkg/user", "pkg/password"}, {"pkg/audit", "pkg/server"}},
		good: [][2]string{{"pkg/grant", "pkg/session"}, {"pkg/grant", "pkg/fault"}, {"pkg/login", "pkg/web"}},
	},
	"identity knows no protocol": {
		bad:  [][2]string{{"pkg/login", "pkg/oauth/authorize"}, {"pkg/consent", "pkg/oauth"}, {"pkg/account", "pkg/oidc/logout"}},
		good: [][2]string{{"pkg/login", "pkg/flow"}, {"pkg/login", "pkg/password"}, {"pkg/server", "pkg/oauth"}},
	},
	"the protocol knows no way to sign in": {
		bad:  [][2]string{{"pkg/oauth/authorize", "pkg/login"}, {"pkg/oidc/userinfo", "pkg/account"}, {"pkg/oauth/authorize", "pkg/consent"}},
		good: [][2]string{{"pkg/oauth/authorize", "pkg/assurance"}, {"pkg/oauth/authorize", "pkg/flow"}, {"pkg/oidc/logout", "pkg/oauth"}},
	},
	"the HTTP kit serves all and knows none": {
		bad:  [][2]string{{"pkg/web", "pkg/login"}, {"pkg/web", "pkg/oauth"}, {"pkg/web/pages", "pkg/server"}},
		good: [][2]string{{"pkg/web", "pkg/fault"}, {"pkg/web", "templates"}},
	},
	"operators come through services": {
		bad:  [][2]string{{"pkg/admin", "github.com/ory/fosite"}, {"pkg/console", "pkg/cli"}, {"pkg/admin", "pkg/server"}},
		good: [][2]string{{"pkg/admin", "pkg/client"}, {"pkg/console", "pkg/web"}},
	},
	"resource carries no server": {
		bad:  [][2]string{{"pkg/resource", "pkg/keyring"}, {"pkg/resource/echomw", "pkg/web"}, {"pkg/resource", "storage"}},
		good: [][2]string{{"pkg/resource", "pkg/jwks"}, {"pkg/resource/echomw", "pkg/resource"}, {"pkg/resource", "pkg/dpop"}},
	},
	"equipment knows no feature": {
		bad:  [][2]string{{"pkg/config", "pkg/client"}, {"pkg/observe", "pkg/web"}, {"pkg/job", "storage"}},
		good: [][2]string{{"pkg/config", "pkg/secret"}, {"pkg/server", "pkg/config"}},
	},
	"SQL stands without Redis": {
		bad:  [][2]string{{"storage/gormstore", "storage/redisstore"}, {"storage/gormstore", "storage/embedded"}},
		good: [][2]string{{"storage/embedded", "storage/gormstore"}, {"storage", "storage/redisstore"}},
	},
	"Redis stands without SQL": {
		bad:  [][2]string{{"storage/redisstore", "storage/gormstore"}, {"storage/redisstore", "storage/embedded"}},
		good: [][2]string{{"storage", "storage/redisstore"}, {"storage/redisstore", "pkg/flow"}},
	},
	"engines keep, and decide nothing": {
		bad:  [][2]string{{"storage/gormstore", "pkg/web"}, {"storage/redisstore", "pkg/oauth"}, {"storage", "pkg/server"}},
		good: [][2]string{{"storage/gormstore", "pkg/grant"}, {"storage/gormstore", "pkg/passkey"}},
	},
	"test equipment stays out of the product": {
		bad:  [][2]string{{"pkg/server", "testing"}, {"pkg/cli", "storage/throwaway"}, {"storage/gormstore", "storage/storagetest"}, {"pkg/jwks", "github.com/stretchr/testify/require"}},
		good: [][2]string{{"pkg/porticotest", "testing"}, {"storage/throwaway", "testing"}, {"storage/storagetest", "storage/throwaway"}},
	},
	"secrets come from crypto/rand": {
		bad:     [][2]string{{"pkg/secret", "math/rand"}},
		good:    [][2]string{{"pkg/secret", "crypto/rand"}, {"storage/throwaway", "math/rand/v2"}},
		testBad: true,
	},
	"no unsafe, no cgo": {
		bad:     [][2]string{{"pkg/secret", "unsafe"}, {"storage/gormstore", "C"}},
		good:    [][2]string{{"pkg/secret", "crypto/subtle"}},
		testBad: true,
	},
}

func TestEveryRuleCanGoRed(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			s := samples[r.name]
			if len(s.bad) == 0 || len(s.good) == 0 || r.why == "" {
				t.Fatal("the rule has no samples or no reason")
			}
			for _, arrow := range s.bad {
				if got := r.breaches(unit{path: arrow[0], imports: []string{"fmt", arrow[1]}}); len(got) != 1 {
					t.Errorf("%s imports %s: %d breaches, want 1", arrow[0], arrow[1], len(got))
				}
				got := r.breaches(unit{path: arrow[0], tests: []string{arrow[1]}})
				if (len(got) == 1) != s.testBad {
					t.Errorf("%s imports %s in a test: %d breaches, forbidden: %v", arrow[0], arrow[1], len(got), s.testBad)
				}
			}
			for _, arrow := range s.good {
				if got := r.breaches(unit{path: arrow[0], imports: []string{arrow[1]}}); len(got) != 0 {
					t.Errorf("%s imports %s: %q, want no breach", arrow[0], arrow[1], got)
				}
			}
		})
	}
	if len(samples) != len(rules) {
		t.Errorf("%d rules have samples, but there are %d rules", len(samples), len(rules))
	}
}

func TestLoadReadsImportsAndComments(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"good/good.go":        "// Package good says what it is.\npackage good\n\nimport _ \"" + module + "pkg/fault\"\n",
		"good/good_test.go":   "package good\n\nimport _ \"testing\"\n",
		"silent/silent.go":    "//go:build windows\n\npackage silent\n\nimport _ \"no/such/package\"\n",
		"silent/notes.txt":    "no Go at all",
		".hidden/x.go":        "package x\n",
		"node_modules/m/x.go": "package x\n",
		"good/testdata/x.go":  "not even Go",
		"apart/go.mod":        "module apart\n",
		"apart/x.go":          "package x\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	units := map[string]unit{}
	for _, u := range load(t, root) {
		units[u.path] = u
	}
	if len(units) != 2 {
		t.Fatalf("loaded %v, want the packages good and silent", units)
	}
	good, silent := units["good"], units["silent"]
	if !good.doc || !good.code || !match("pkg/fault", good.imports) || !match("testing", good.tests) || match("testing", good.imports) {
		t.Errorf("good = %+v, want a comment, pkg/fault in its code and testing in its tests", good)
	}
	if silent.doc || !silent.code {
		t.Errorf("silent = %+v, want code without a comment", silent)
	}
}
