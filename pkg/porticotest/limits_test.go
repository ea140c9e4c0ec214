package porticotest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/server"
)

// strict makes limits those of a server that nobody configured.
func strict(c *config.Config) { c.LimitFactor = 1 }

// guesser sends wrong passwords from a browser.
type guesser struct {
	b    *porticotest.Browser
	page *porticotest.Page
	n    int
}

func newGuesser(t *testing.T, s *porticotest.Server) *guesser {
	t.Helper()
	b := s.NewBrowser()
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid"))
	if !page.Has("login-submit") {
		t.Fatalf("no login page: %d %s", page.Status, page.Text())
	}
	return &guesser{b: b, page: page}
}

// from sends one guess at a name of its own, with X-Forwarded-For as given.
func (g *guesser) from(forwarded ...string) *porticotest.Page {
	g.b.Header = http.Header{}
	if len(forwarded) > 0 {
		g.b.Header["X-Forwarded-For"] = forwarded
	}
	g.n++
	name := "nobody" + strconv.Itoa(g.n) + "@example.test"
	g.page = g.page.Submit(map[string]string{"username": name, "password": "wrong " + strconv.Itoa(g.n)}, "", "")
	return g.page
}

func TestLimitsFollowTheRealAddress(t *testing.T) {
	t.Run("a forged X-Forwarded-For is no other address", func(t *testing.T) {
		g := newGuesser(t, porticotest.New(t, porticotest.With(strict)))
		for i := range 25 {
			page := g.from(fmt.Sprintf("198.51.%d.1", i))
			if want := i >= 20; (page.Status == http.StatusTooManyRequests) != want {
				t.Errorf("guess %d: status %d, want it refused: %v", i+1, page.Status, want)
			}
		}
	})
	t.Run("a trusted proxy tells it, and only the end that it wrote", func(t *testing.T) {
		s := porticotest.New(t, porticotest.With(strict), porticotest.With(func(c *config.Config) {
			c.TrustedProxies = []string{"127.0.0.0/8", "::1/128"}
		}))
		g := newGuesser(t, s)
		for i := range 22 {
			page := g.from(fmt.Sprintf("203.0.%d.1, 198.51.100.7", i)) // the client made up the first
			if want := i >= 20; (page.Status == http.StatusTooManyRequests) != want {
				t.Errorf("guess %d: status %d, want it refused: %v", i+1, page.Status, want)
			}
		}
		for _, elsewhere := range []string{"192.0.2.9", "198.51.100.8", "2001:db8::1"} {
			if page := g.from(elsewhere); page.Status != http.StatusOK {
				t.Errorf("from %s: status %d, want it looked at", elsewhere, page.Status)
			}
		}
		if page := g.from("192.0.2.9", "198.51.100.7"); page.Status != http.StatusTooManyRequests {
			t.Errorf("two header lines: status %d, want the last to count", page.Status)
		}
	})
}

func TestARefusalTellsHowLongToWait(t *testing.T) {
	s := porticotest.New(t, porticotest.With(strict))
	g := newGuesser(t, s)
	for i := range 20 {
		if got := g.from().Header.Get("RateLimit-Remaining"); got != strconv.Itoa(19-i) {
			t.Errorf("guess %d: %q left, want %d", i+1, got, 19-i)
		}
	}
	page := g.from()
	wait, err := strconv.Atoi(page.Header.Get("Retry-After"))
	if page.Status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 960 || !page.Has("login-submit") {
		t.Fatalf("one too many: status %d, Retry-After %q, form %v", page.Status, page.Header.Get("Retry-After"), page.Has("login-submit"))
	}
	for name, want := range map[string]string{
		"RateLimit-Limit": "20", "RateLimit-Remaining": "0", "RateLimit-Reset": page.Header.Get("Retry-After"),
		"RateLimit": `"login-address";r=0;t=` + page.Header.Get("Retry-After"), "RateLimit-Policy": `"login-address";q=20;w=900`,
	} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestARestartForgetsNoFailure(t *testing.T) {
	s := porticotest.New(t, porticotest.With(strict))
	g := newGuesser(t, s)
	for range 20 {
		g.from()
	}
	s.Restart()
	g.b.Via(s)
	if page := g.from(); page.Status != http.StatusTooManyRequests {
		t.Errorf("after a restart: status %d, want the twenty failures remembered", page.Status)
	}
}

// Fifty people of one office sign in, at the limits that nobody raised.
func TestGoodLoginsOfOneAddressAreNotLimited(t *testing.T) {
	s := porticotest.New(t, porticotest.With(strict))
	for i := range 50 {
		page := s.NewBrowser().SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[i%len(server.DemoPeople)])
		if page.URL.Query().Get("code") == "" {
			t.Fatalf("login %d ends at %s (%d)", i+1, page.URL, page.Status)
		}
		if left, limit := page.Header.Get("RateLimit-Remaining"), page.Header.Get("RateLimit-Limit"); left != limit {
			t.Fatalf("login %d left %s of %s", i+1, left, limit)
		}
	}
}
