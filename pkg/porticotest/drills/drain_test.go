package drills

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/portico-id/portico/pkg/protocol"
)

// neverSent reports whether an error says that the request reached nobody.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// drained is a server under load that was told to end.
type drained struct {
	s      *site
	tokens [16]reply
	// away stops clients that look at readiness, as a load balancer does.
	away atomic.Bool
	done atomic.Int64
}

// work sends one request after the other on a connection that stays open,
// until there is no server any more. Every request must be answered.
func (d *drained) work(c *caller, i int) {
	t := d.s.t
	for n := 0; !d.away.Load(); n++ {
		var r reply
		var err error
		switch (i + n) % 3 {
		case 0:
			r, err = c.send(d.s.machine, protocol.PathToken, grantForm(protocol.GrantClientCredentials))
		case 1:
			r, err = c.send(d.s.web, protocol.PathIntrospect, url.Values{protocol.Token: {d.tokens[i].text("access_token")}})
		case 2:
			if r, err = c.send(d.s.web, protocol.PathToken, refreshForm(d.tokens[i].text("refresh_token"))); err == nil {
				d.tokens[i] = r
			}
		}
		if err != nil {
			if !neverSent(err) {
				t.Errorf("a request was dropped: %v", err)
			}
			return
		}
		if r.status != http.StatusOK {
			t.Errorf("got %s, want 200", r)
			return
		}
		d.done.Add(1)
	}
}

// round starts a server, loads it, ends it by SIGTERM and looks that all went
// well. The tokens go on from round to round.
func (d *drained) round(meanwhile func()) {
	t, s := d.s.t, d.s
	server := s.serve()
	c := s.caller()
	if d.tokens[0].json == nil {
		for i := range d.tokens {
			d.tokens[i] = c.must(online)
		}
	}
	d.away.Store(false)
	d.done.Store(0)
	var wg sync.WaitGroup
	for i := range d.tokens {
		wg.Go(func() { d.work(c, i) })
	}
	soon(t, "the server is busy", func() bool { return d.done.Load() > 100 || t.Failed() })
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	wg.Wait()
	if code := s.wait(server); code != 0 {
		t.Errorf("exit status %d, want 0\n%s", code, server.stderr)
	}
	if _, err := s.caller().send(nobody, protocol.PathReady, nil); err == nil || !neverSent(err) {
		t.Errorf("a new connection after the end: got %v, want it refused", err)
	}
}

func TestSIGTERMUnderLoadDropsNoRequest(t *testing.T) {
	st := shared(t)
	d := &drained{s: newSite(t, st.db.URL(), st.rd.URL())}
	d.s.fill()
	for range 4 {
		d.round(func() {})
	}
}

func TestSIGTERMSaysNotReadyBeforeItRefusesAnyone(t *testing.T) {
	st := shared(t)
	d := &drained{s: newSite(t, st.db.URL(), st.rd.URL(), "PORTICO_DRAIN_DELAY=1s")}
	d.s.fill()
	d.round(func() {
		probe := d.s.caller()
		soon(t, "/readyz says draining", func() bool {
			probe.http.CloseIdleConnections() // each probe is a new connection
			r, err := probe.send(nobody, protocol.PathReady, nil)
			if err != nil {
				t.Fatalf("a new connection was refused before readiness said no: %v", err)
			}
			return r.status == http.StatusServiceUnavailable && r.text("status") == "draining"
		})
		// Until the listener closes, whoever has not noticed is served.
		if r, err := d.s.caller().send(d.s.machine, protocol.PathToken, grantForm(protocol.GrantClientCredentials)); err != nil || r.status != http.StatusOK {
			t.Errorf("a new connection while draining: %s %v, want 200", r, err)
		}
		d.away.Store(true)
	})
}
