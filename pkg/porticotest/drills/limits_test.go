package drills

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/server"
)

// Failures at one instance count at the other, for the account and for the
// address; a restart of both gives nobody another try.
func TestLimitsHoldAcrossInstances(t *testing.T) {
	strict := setting(func(c *config.Config) { c.LimitFactor = 1 })
	st := shared(t)
	a := st.instance(t, strict)
	b := st.instance(t, strict, porticotest.Issuer(a.URL))
	browser := a.NewBrowser()
	page := browser.Get(a.AuthorizeURL(web, online))
	guess := func(i int, name string) int {
		t.Helper()
		browser.Via([]*porticotest.Server{a, b}[i%2])
		page = page.Submit(map[string]string{"username": name, "password": "wrong " + strconv.Itoa(i)}, "", "")
		return page.Status
	}
	for i := range 7 {
		if got := guess(i, server.DemoPeople[0]); (got == http.StatusTooManyRequests) != (i >= 5) {
			t.Errorf("failure %d of one account: status %d", i+1, got)
		}
	}
	a.Restart()
	b.Restart()
	if got := guess(1, server.DemoPeople[0]); got != http.StatusTooManyRequests {
		t.Errorf("after a restart of both: status %d", got)
	}
	// Five failures and three refusals stand for the address.
	for i := range 14 {
		if got := guess(i, "nobody"+strconv.Itoa(i)+"@example.test"); (got == http.StatusTooManyRequests) != (i >= 12) {
			t.Errorf("failure %d of one address: status %d", i+9, got)
		}
	}
}

// What one instance learns of a sprayed password the other knows.
func TestASprayedPasswordIsKnownToAllInstances(t *testing.T) {
	st := shared(t)
	a, b := st.two(t)
	browser := a.NewBrowser()
	page := browser.Get(a.AuthorizeURL(web, online))
	for i := range 24 {
		browser.Via([]*porticotest.Server{a, b}[i%2])
		page = page.Submit(map[string]string{"username": "nobody" + strconv.Itoa(i) + "@example.test", "password": "Sprayed-2026"}, "", "")
		if (page.Status == http.StatusTooManyRequests) != (i >= 20) {
			t.Errorf("account %d: status %d", i+1, page.Status)
		}
	}
}
