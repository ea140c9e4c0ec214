package drills

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

func TestMoreWorkersThanConnectionsEndWithoutADeadlock(t *testing.T) {
	s := shared(t).instance(t, setting(func(c *config.Config) { c.DatabaseMaxConnections = 2 }))
	browser := s.NewBrowser()
	const workers = 64
	codes := make([]string, workers)
	for i := range codes { // one session: the codes come without a page
		codes[i] = s.Code(browser, web, everything)
	}
	var good, busy atomic.Int64
	began := time.Now()
	race(workers, func(i int) {
		tokens := insist(t, s, &good, &busy, codeForm(web, codes[i]))
		for range 3 {
			if tokens == nil {
				return
			}
			tokens = insist(t, s, &good, &busy, refreshForm(tokens.Text("refresh_token")))
		}
	})
	t.Logf("%d answers of 200, %d of 503 in %v", good.Load(), busy.Load(), time.Since(began))
	if want := int64(workers * 4); good.Load() != want {
		t.Errorf("got %d answers of 200, want %d: a 503 spends nothing", good.Load(), want)
	}
	if !ready(s) {
		t.Error("not ready after the rush")
	}
}

// insist sends a token request until the answer is not 503; nil when it is
// not 200 either.
func insist(t *testing.T, s *porticotest.Server, good, busy *atomic.Int64, form url.Values) *porticotest.Answer {
	for began := time.Now(); time.Since(began) < patience; {
		a, err := s.TrySend(web, protocol.PathToken, form)
		switch {
		case err != nil:
			t.Errorf("the connection broke: %v", err)
			return nil
		case a.Status == http.StatusOK:
			good.Add(1)
			return a
		case a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "":
			t.Errorf("got %d %s, want 200 or 503 with Retry-After", a.Status, a.Raw)
			return nil
		}
		busy.Add(1)
	}
	t.Errorf("only 503 for %v", patience)
	return nil
}
