package bench

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/password"
)

// BenchmarkLoad measures the hot paths of portico serve on Postgres and Redis
// and prints each beside its budget.
func BenchmarkLoad(b *testing.B) {
	if b.N > 1 {
		return // one run measures everything; there is nothing to repeat
	}
	s := open(b)
	idle := memory(s.serverPID)
	bare := s.floorRun(b, "floor: bare handler", "/bare")
	sign := s.floorRun(b, "floor: handler + ES256", "/sign")
	hash := hashCost(b)
	results := []figures{bare, sign}
	for _, w := range s.works(b, bare.serverMS, sign.serverMS, hash) {
		if strings.Contains(w.name, *only) {
			results = append(results, s.run(b, w))
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%d connections, %s each; CPU milliseconds per operation\n%s\n", connections, measureFor, header)
	for _, f := range results {
		fmt.Fprintln(&out, f)
	}
	fmt.Fprintf(&out, "\nas ratios: client credentials %s x floor with signature (budget 1.3), discovery %s and JWKS %s x bare handler (1.25)\n",
		ratio(results, "client credentials", sign), ratio(results, "discovery", bare), ratio(results, "JWKS", bare))
	fmt.Fprintf(&out, "one password hash: %.1f ms\n", hash)
	fmt.Fprintf(&out, "start to first answer: %s (budget 100 ms on a migrated schema)\n", s.started.Round(time.Millisecond))
	fmt.Fprintf(&out, "memory: %.0f MB idle (budget 30), %.0f MB after load (budget 80)\n", idle, memory(s.serverPID))
	_, _ = os.Stdout.WriteString(out.String())
	b.ReportMetric(0, "ns/op")
}

// only picks works by a part of their name.
var only = flag.String("operation", "", "measure only works whose name contains this")

// ratio returns what a work costs in units of the bound.
func ratio(results []figures, name string, bound figures) string {
	for _, f := range results {
		if strings.HasPrefix(f.name, name) {
			return fmt.Sprintf("%.2f", f.serverMS/bound.serverMS)
		}
	}
	return "-"
}

// hashCost returns the CPU milliseconds of one password hash with the default
// parameters.
func hashCost(b *testing.B) float64 {
	b.Helper()
	p, err := password.NewService(nil, nil, nil, password.Config{Parallel: 1})
	if err != nil {
		b.Fatal(err)
	}
	const n = 20
	before := cpuOf(os.Getpid())
	for range n {
		if _, err := p.Hash(b.Context(), "some password or other"); err != nil {
			b.Fatal(err)
		}
	}
	return (cpuOf(os.Getpid()) - before).Seconds() * 1000 / n
}

// signedIn returns people with a session and a refresh token of the
// application, one for each connection.
func (s *site) signedIn(b *testing.B, app credentials) (people []*person, chains []string, access string) {
	b.Helper()
	for range connections {
		p, err := s.newPerson(app)
		if err != nil {
			b.Fatal(err)
		}
		code, err := p.login("openid offline_access")
		if err != nil {
			b.Fatal(err)
		}
		t, err := p.exchange(code)
		if err != nil {
			b.Fatal(err)
		}
		people, chains, access = append(people, p), append(chains, t.Refresh), t.Access
	}
	return people, chains, access
}

// works are the operations in the order of performance.md: the last one is
// the whole login.
func (s *site) works(b *testing.B, bare, sign, hash float64) []work {
	b.Helper()
	c := newClient()
	people, chains, access := s.signedIn(b, s.web)
	rsaPeople, rsaChains, _ := s.signedIn(b, s.rsa)
	machine := url.Values{"grant_type": {"client_credentials"}}
	refresh := func(people []*person, chains []string) func(int) error {
		return func(i int) error {
			t, err := people[i].refresh(chains[i])
			chains[i] = t.Refresh
			return err
		}
	}
	exchange := func(people []*person) func(int) error {
		return func(i int) error {
			code, err := people[i].again("openid")
			if err != nil {
				return err
			}
			_, err = people[i].exchange(code)
			return err
		}
	}
	return []work{
		{name: "client credentials, JWT", server: 1.3 * sign, do: func(int) error {
			return c.ok(http.MethodPost, s.URL+"/oauth2/token", basic(s.machine), machine)
		}},
		{name: "introspection of a JWT", server: 0.085, do: func(int) error {
			return c.ok(http.MethodPost, s.URL+"/oauth2/introspect", basic(s.web), url.Values{"token": {access}})
		}},
		{name: "refresh, ES256 ID token", server: 0.30, postgres: 0.25, do: refresh(people, chains)},
		{name: "refresh, RS256 ID token", do: refresh(rsaPeople, rsaChains)},
		{name: "code: authorize + exchange, ES256", do: exchange(people)},
		{name: "code: authorize + exchange, RS256", do: exchange(rsaPeople)},
		{name: "userinfo", do: func(int) error {
			return c.ok(http.MethodGet, s.URL+"/oauth2/userinfo", "Bearer "+access, nil)
		}},
		{name: "discovery", server: 1.25 * bare, do: func(int) error {
			return c.ok(http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil)
		}},
		{name: "JWKS", server: 1.25 * bare, do: func(int) error {
			return c.ok(http.MethodGet, s.URL+"/oauth2/jwks", "", nil)
		}},
		{name: "login, 5 requests, with its hash", server: 1.2 + hash, postgres: 0.6, do: s.wholeLogin},
	}
}

// wholeLogin is authorize, login page, login form, code and userinfo by a
// browser that has never been here.
func (s *site) wholeLogin(int) error {
	p, err := s.newPerson(s.web)
	if err != nil {
		return err
	}
	defer p.http.CloseIdleConnections()
	code, err := p.login("openid profile")
	if err != nil {
		return err
	}
	t, err := p.exchange(code)
	if err != nil {
		return err
	}
	return p.ok(http.MethodGet, s.URL+"/oauth2/userinfo", "Bearer "+t.Access, nil)
}
