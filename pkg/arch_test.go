// Package pkg_test keeps the arrows of the house: who may import whom, each
// rule with its reason. A rule that is in the way is changed here, with a new
// reason, and never worked around.
package pkg_test

import (
	"slices"
	"strings"
	"testing"
)

const module = "github.com/portico-id/portico/"

// A unit is one package, with the imports of its ordinary files and of its
// test files apart. Paths of our own packages are relative to the module.
type unit struct {
	path    string
	doc     bool
	code    bool // has files that are not tests
	imports []string
	tests   []string
}

// A rule forbids an arrow: what matches from, and not except, must not import
// what matches to, and not allow. A pattern is a path, or a path and "/..." for
// it and all below it.
type rule struct {
	name   string
	why    string
	from   []string // empty: everybody
	except []string
	to     []string
	allow  []string
	// tests holds test files to the rule as well. They are exempt from most:
	// a test may wire a feature to a real store or to the whole server.
	tests bool
}

var (
	floor = []string{
		"pkg/fault", "pkg/protocol", "pkg/secret", "pkg/trail", "pkg/paging", "pkg/safehttp",
		"pkg/jwks", "pkg/replay", "pkg/dpop", "pkg/batch", "pkg/clock",
	}
	domain = []string{
		"pkg/audit", "pkg/client", "pkg/scope", "pkg/user", "pkg/claims", "pkg/grant", "pkg/session", "pkg/flow",
		"pkg/assurance", "pkg/keyring", "pkg/access", "pkg/apikey", "pkg/limit", "pkg/mail/...", "pkg/webhook",
		"pkg/revocation", "pkg/explain", "pkg/intake", "pkg/sms",
	}
	identity = []string{
		"pkg/password/...", "pkg/confirm/...", "pkg/totp/...", "pkg/passkey/...", "pkg/recovery/...",
		"pkg/federation/...", "pkg/factor/...", "pkg/onetime/...", "pkg/recoverycode/...", "pkg/consent/...", "pkg/login/...", "pkg/account/...", "pkg/signup/...", "pkg/terms/...",
	}
	kit       = []string{"pkg/web/..."}
	engine    = []string{"pkg/oauth/...", "pkg/oidc/..."}
	operators = []string{"pkg/admin/...", "pkg/console/...", "pkg/playground/..."}
	public    = []string{"pkg/resource/..."}
	equipment = []string{"pkg/config/...", "pkg/observe/...", "pkg/job/...", "pkg/brand"}
	compose   = []string{"pkg/server/...", "pkg/cli/...", "cmd/..."}
	proving   = []string{"pkg/porticotest/...", "pkg/bench/...", "storage/storagetest/...", "storage/throwaway/..."}
)

func join(lists ...[]string) []string { return slices.Concat(lists...) }

var rules = []rule{
	{
		name:   "fosite behind one door",
		why:    "its gaps are closed in pkg/oauth; elsewhere it would be used without them",
		except: []string{"pkg/oauth/...", "pkg/server/..."},
		to:     []string{"github.com/ory/fosite/..."}, tests: true,
	},
	{
		name:   "one JOSE version",
		why:    "v3 is fosite's own; keys and tokens of the two versions do not mix",
		except: []string{"pkg/oauth/..."},
		to:     []string{"github.com/go-jose/go-jose/v3/..."}, tests: true,
	},
	{
		name:   "gorm in one engine",
		why:    "row types and SQL stay where the migrations are; features see their Store",
		except: []string{"storage/gormstore/..."},
		to:     []string{"gorm.io/..."}, tests: true,
	},
	{
		name:   "migrations in one engine",
		why:    "one place decides what the schema is",
		except: []string{"storage/gormstore/..."},
		to:     []string{"github.com/pressly/goose/..."}, tests: true,
	},
	{
		name:   "database drivers in one engine",
		why:    "their settings decide durability and time format; a second opener of a file would choose others",
		except: []string{"storage/gormstore/...", "storage/embedded/...", "storage/throwaway", "deploy/..."},
		to:     []string{"github.com/jackc/pgx/...", "modernc.org/sqlite/..."},
	},
	{
		name:   "Redis in one engine",
		why:    "retries of consume-once commands and hash tags are decided there",
		except: []string{"storage/redisstore/..."},
		to:     []string{"github.com/redis/...", "github.com/go-redis/..."}, tests: true,
	},
	{
		name:   "echo at the edge",
		why:    "handlers are plain net/http, so that the next major version of echo is a change of two packages",
		except: []string{"pkg/server/...", "pkg/web/...", "pkg/resource/echomw", "pkg/bench"}, // a bare echo is what the benchmarks compare with
		to:     []string{"github.com/labstack/..."}, tests: true,
	},
	{
		name:   "SMTP at one post office",
		why:    "what may stand in a header, and where a password may go, is decided there",
		except: []string{"pkg/mail"},
		to:     []string{"github.com/wneessen/...", "net/smtp"}, tests: true,
	},
	{
		name:   "LDAP at one door",
		why:    "what was typed becomes a part of a filter there, and nowhere without being escaped",
		except: []string{"pkg/federation/ldap"},
		to:     []string{"github.com/go-ldap/...", "github.com/go-asn1-ber/..."}, tests: true,
	},
	{
		name: "features own their Store",
		why:  "engines implement the interface that the feature wrote; the other way round every feature would know every engine",
		from: []string{"pkg/..."}, except: join(compose, proving),
		to: []string{"storage/..."},
	},
	{
		name:   "the composition stands above all",
		why:    "what imports the wiring can be wired by nobody",
		except: join(compose, proving),
		to:     []string{"pkg/server/..."},
	},
	{
		name:   "the command line stands above the composition",
		why:    "it is the program; only its main function starts it",
		except: []string{"cmd/...", "pkg/cli/..."},
		to:     []string{"pkg/cli/..."},
	},
	{
		name: "the floor carries",
		why:  "what everything stands on imports nothing of ours above it",
		from: floor,
		to:   []string{"pkg/...", "storage/...", "cmd/...", "templates/...", "static/..."}, allow: floor, tests: true,
	},
	{
		name: "domain draws no pages",
		why:  "types, Stores and services are used by pages, protocol, shell and tests alike, and know none of them",
		from: domain,
		to:   join(kit, identity, engine, operators, compose),
	},
	{
		name: "identity knows no protocol",
		why:  "how a person signs in and what an application gets meet in flow, session, claims and assurance",
		from: identity,
		to:   engine,
	},
	{
		name: "the protocol knows no way to sign in",
		why:  "a new way to sign in must not touch the engine",
		from: engine,
		to:   identity,
	},
	{
		name: "the HTTP kit serves all and knows none",
		why:  "a kit that knows its users is a part of them",
		from: kit,
		to:   join(identity, engine, operators, compose),
	},
	{
		name: "operators come through services",
		why:  "the console and the admin API do what the shell does, by the same services, and reach into no engine",
		from: operators,
		to:   []string{"github.com/ory/fosite/...", "pkg/server/...", "pkg/cli/..."},
	},
	{
		name: "resource carries no server",
		why:  "an API that validates tokens links this package and must not get an authorization server with it",
		from: public,
		to:   []string{"pkg/...", "storage/...", "templates/...", "static/..."}, allow: join(floor, public),
	},
	{
		name: "equipment knows no feature",
		why:  "settings, telemetry and the job runner are handed to features by the wiring, and serve whichever there are",
		from: equipment,
		to:   join(domain, kit, identity, engine, operators, compose, []string{"storage/..."}),
	},
	{
		name: "SQL stands without Redis",
		why:  "one node runs on SQLite alone; what dies soon goes to embedded or redisstore, by choice of the wiring",
		from: []string{"storage/gormstore/..."},
		to:   []string{"storage/redisstore/...", "storage/embedded/..."},
	},
	{
		name: "Redis stands without SQL",
		why:  "what Redis loses is rebuilt by the wiring, which knows both",
		from: []string{"storage/redisstore/..."},
		to:   []string{"storage/gormstore/...", "storage/embedded/..."},
	},
	{
		name: "engines keep, and decide nothing",
		why:  "a Store that knew pages or endpoints would hold rules that the other engines lack",
		from: []string{"storage/..."}, except: proving,
		to: join(kit, []string{"pkg/login/...", "pkg/account/..."}, engine, operators, compose),
	},
	{
		name:   "test equipment stays out of the product",
		why:    "it starts servers, knows demo secrets and forgives no failure",
		except: proving,
		to:     []string{"pkg/porticotest/...", "pkg/bench/...", "storage/storagetest/...", "storage/throwaway/...", "testing", "github.com/stretchr/testify/...", "pgregory.net/rapid", "github.com/chromedp/...", "github.com/alicebob/miniredis/...", "github.com/emersion/..."},
	},
	{
		name: "secrets come from crypto/rand",
		why:  "the first math/rand has guessable seeds and a global state; v2 is left to jitter and tests",
		to:   []string{"math/rand"}, tests: true,
	},
	{
		name: "no unsafe, no cgo",
		why:  "the binary is built without cgo, and memory safety is why it is written in Go",
		to:   []string{"unsafe", "C"}, tests: true,
	},
}

// match reports whether path is one of the patterns.
func match(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if tree, ok := strings.CutSuffix(p, "/..."); ok {
			return path == tree || strings.HasPrefix(path, tree+"/")
		}
		return path == p
	})
}

// breaches returns a sentence for every arrow of u that r forbids.
func (r rule) breaches(u unit) []string {
	if len(r.from) > 0 && !match(u.path, r.from) || match(u.path, r.except) {
		return nil
	}
	imports := u.imports
	if r.tests {
		imports = join(u.imports, u.tests)
	}
	var found []string
	for _, to := range imports {
		if match(to, r.to) && !match(to, r.allow) {
			found = append(found, u.path+" imports "+to+": "+r.name+" ("+r.why+")")
		}
	}
	return found
}

func TestArrows(t *testing.T) {
	units := load(t, "..")
	if len(units) < 5 {
		t.Fatalf("found %d packages, want the whole module", len(units))
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, u := range units {
				for _, breach := range r.breaches(u) {
					t.Error(breach)
				}
			}
		})
	}
}

// A package that no list names would be held to no rule.
func TestEveryPackageHasItsPlace(t *testing.T) {
	known := join(floor, domain, kit, identity, engine, operators, public, equipment, compose, proving)
	for _, u := range load(t, "..") {
		if strings.HasPrefix(u.path, "pkg/") && !match(u.path, known) {
			t.Errorf("%s stands in none of the lists above: say what it is, so that the rules hold it", u.path)
		}
	}
}

// Every package says in its first comment what it owns and what it leaves
// alone: the reader of a folder should not have to guess.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, u := range load(t, "..") {
		if u.code && !u.doc {
			t.Errorf("%s has no package comment", u.path)
		}
	}
}
