package drills

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/protocol"
)

// chain is one family of refresh tokens, as its client sees it.
type chain struct {
	access string    // the newest
	live   string    // the newest that came with a 200
	asked  time.Time // when the last refresh was sent
	before string    // the token that live replaced
	dead   bool      // its revocation was acknowledged
	unsure bool      // its revocation was sent and got no answer
}

// step does one thing with the chain and reports false when the server died.
func (k *chain) step(t *testing.T, c *caller, revoke bool) bool {
	if revoke {
		r, err := c.send(c.s.web, protocol.PathRevoke, url.Values{protocol.Token: {k.live}})
		k.unsure = err != nil
		if err == nil && r.status == http.StatusOK {
			k.dead = true
		}
		return err == nil
	}
	k.asked = time.Now()
	r, err := c.send(c.s.web, protocol.PathToken, refreshForm(k.live))
	if err != nil {
		return false
	}
	if r.status != http.StatusOK {
		t.Errorf("refresh of a live token: %s", r)
		return false
	}
	k.before, k.live, k.access = k.live, r.text("refresh_token"), r.text("access_token")
	return true
}

// look compares the chain with what the restarted server says.
func (k *chain) look(t *testing.T, c *caller) {
	t.Helper()
	if k.dead {
		k.lookDead(t, c)
		return
	}
	first, err := c.send(c.s.web, protocol.PathToken, refreshForm(k.live))
	if err != nil {
		t.Fatal(err)
	}
	if k.unsure && first.status == http.StatusBadRequest {
		return // revoked, though nobody could say so
	}
	if time.Since(k.asked) > 9*time.Second {
		return // too late to ask again for an answer that may have been lost
	}
	if first.status != http.StatusOK {
		t.Errorf("the newest token that was acknowledged is refused: %s", first)
		return
	}
	// A retry within ten seconds gets the same answer, also when the request
	// that rotated the token died with its server.
	second, err := c.send(c.s.web, protocol.PathToken, refreshForm(k.live))
	if err != nil {
		t.Fatal(err)
	}
	if second.status != http.StatusOK || second.text("refresh_token") != first.text("refresh_token") {
		t.Errorf("one refresh token got two successors: %d, then %s", first.status, second)
	}
	if k.before == "" {
		return
	}
	// One before the live one is reuse, and ends the family.
	reuse, err := c.send(c.s.web, protocol.PathToken, refreshForm(k.before))
	if err != nil {
		t.Fatal(err)
	}
	if reuse.text("error") != protocol.ErrInvalidGrant {
		t.Errorf("a superseded refresh token: %s", reuse)
	}
	k.live = first.text("refresh_token")
	k.lookDead(t, c)
}

func (k *chain) lookDead(t *testing.T, c *caller) {
	t.Helper()
	r, err := c.send(c.s.web, protocol.PathToken, refreshForm(k.live))
	if err != nil {
		t.Fatal(err)
	}
	if r.text("error") != protocol.ErrInvalidGrant {
		t.Errorf("refresh of a revoked family: %s", r)
	}
	i, err := c.send(c.s.web, protocol.PathIntrospect, url.Values{protocol.Token: {k.access}})
	if err != nil {
		t.Fatal(err)
	}
	if i.json["active"] != false {
		t.Errorf("introspection of a revoked family: %s", i)
	}
	u, err := c.userinfo(k.access)
	if err != nil {
		t.Fatal(err)
	}
	if u.status != http.StatusUnauthorized {
		t.Errorf("userinfo of a revoked family: %s", u)
	}
}

func TestAKilledServerForgetsNothingItAcknowledged(t *testing.T) {
	st := shared(t)
	s := newSite(t, st.db.URL(), st.rd.URL())
	s.fill()
	for round := range 2 {
		server := s.serve()
		c := s.caller()
		chains := make([]*chain, 24)
		for i := range chains {
			r := c.must(online)
			chains[i] = &chain{live: r.text("refresh_token"), access: r.text("access_token")}
		}
		var steps, revoked atomic.Int64
		var wg sync.WaitGroup
		for i, k := range chains {
			wg.Go(func() {
				for n := 0; ; n++ {
					revoke := i%2 == 0 && n > i/2 // half of them end, one after the other
					if !k.step(t, c, revoke) || k.dead {
						break
					}
					steps.Add(1)
				}
				if k.dead {
					revoked.Add(1)
				}
			})
		}
		soon(t, "refreshes and revocations are under way", func() bool { return revoked.Load() >= 4 || t.Failed() })
		if err := server.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		s.wait(server)
		if round == 1 { // and the live set went with it
			st.rd.FlushAll()
		}
		again := s.serve()
		for _, k := range chains {
			k.look(t, c)
		}
		t.Logf("round %d: %d steps, %d revocations acknowledged before the kill", round, steps.Load(), revoked.Load())
		_ = again.cmd.Process.Kill()
		s.wait(again)
	}
}

func TestAKilledServerOnEmbeddedStoresForgetsNothing(t *testing.T) {
	s := newSite(t, "sqlite://"+t.TempDir()+"/portico.db", "")
	s.fill()
	server := s.serve()
	c := s.caller()
	chains := make([]*chain, 8)
	for i := range chains {
		r := c.must(online)
		chains[i] = &chain{live: r.text("refresh_token"), access: r.text("access_token")}
	}
	var revoked atomic.Int64
	var wg sync.WaitGroup
	for i, k := range chains {
		wg.Go(func() {
			for n := 0; k.step(t, c, i%2 == 0 && n > i) && !k.dead; n++ {
			}
			if k.dead {
				revoked.Add(1)
			}
		})
	}
	soon(t, "a revocation is acknowledged", func() bool { return revoked.Load() >= 2 || t.Failed() })
	if err := server.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	s.wait(server)
	s.serve()
	for _, k := range chains {
		k.look(t, c)
	}
}
