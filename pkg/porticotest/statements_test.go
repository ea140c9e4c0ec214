package porticotest_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// sent collects the statements of requests. Background work is left out, and
// so are applications, which are cached for seconds.
type sent struct {
	mu  sync.Mutex
	ops []string
}

func (s *sent) note(op string) {
	for _, feature := range []string{"users.", "passwords.", "sessions.", "consents.", "grants."} {
		if strings.HasPrefix(op, feature) && !strings.HasSuffix(op, ".delete_expired") {
			s.mu.Lock()
			s.ops = append(s.ops, op)
			s.mu.Unlock()
		}
	}
}

// during returns what was sent while do ran.
func (s *sent) during(do func()) []string {
	s.mu.Lock()
	s.ops = nil
	s.mu.Unlock()
	do()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops
}

// TestALoginCostsAFixedNumberOfStatements counts what a person's way through
// the pages sends to the database. Whoever makes a number larger makes every
// login slower.
func TestALoginCostsAFixedNumberOfStatements(t *testing.T) {
	all := &sent{}
	s := porticotest.New(t, porticotest.Statements(all.note))
	finish := func(code string) {
		tokens := s.Exchange(porticotest.Web, code)
		if tokens.Status != http.StatusOK || s.Fetch(protocol.PathUserinfo, tokens.Text("access_token")).Status != http.StatusOK {
			t.Fatalf("code exchange and userinfo: %d %s", tokens.Status, tokens.Raw)
		}
	}
	b, later := s.NewBrowser(), s.NewBrowser()
	for _, walk := range []struct {
		name string
		from *porticotest.Browser
		most int
	}{
		{"a login with a consent", b, 18},
		{"the next request of that browser", b, 7},
		{"a later login", later, 12},
	} {
		ops := all.during(func() { finish(s.Code(walk.from, porticotest.Web, "openid profile")) })
		if len(ops) > walk.most {
			t.Errorf("%s sent %d statements, want at most %d:\n%s", walk.name, len(ops), walk.most, strings.Join(ops, "\n"))
		}
		for _, op := range ops {
			if op == "sessions.by_hash" || op == "sessions.touch" {
				t.Errorf("%s looked up a warm session in the database", walk.name)
			}
		}
	}
}
