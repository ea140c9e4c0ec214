package revocation_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
)

// sql is a ledger and its transactions. Entries added in a transaction appear
// when it commits.
type sql struct {
	mu      sync.Mutex
	rows    []revocation.Entry
	down    error
	retries int // how often the database asks to run a transaction again
	reads   int
}

type txKey struct{}

func (d *sql) InTx(ctx context.Context, fn func(context.Context) error) error {
	for {
		d.mu.Lock()
		down, again := d.down, d.retries > 0
		d.retries = max(0, d.retries-1)
		d.mu.Unlock()
		if down != nil {
			return down
		}
		var pending []revocation.Entry
		if err := fn(context.WithValue(ctx, txKey{}, &pending)); err != nil {
			return err
		}
		if again {
			continue
		}
		d.commit(pending...)
		return nil
	}
}

func (d *sql) commit(entries ...revocation.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows = append(d.rows, entries...)
}

func (d *sql) Add(ctx context.Context, entries ...revocation.Entry) error {
	pending, ok := ctx.Value(txKey{}).(*[]revocation.Entry)
	if !ok {
		return fmt.Errorf("Add outside of a transaction")
	}
	*pending = append(*pending, entries...)
	return nil
}

func (d *sql) Standing(_ context.Context, now time.Time) ([]revocation.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	var standing []revocation.Entry
	for _, e := range d.rows {
		if e.ExpiresAt.After(now) {
			standing = append(standing, e)
		}
	}
	return standing, d.down
}

func (d *sql) DeleteExpired(context.Context, time.Time, int) (int, error) { return 0, nil }

func (d *sql) set(down error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

// cache is a live set that can be flushed, fail over, and be unreachable.
type cache struct {
	mu      sync.Mutex
	built   bool
	server  int // changes with a failover, and is part of the mark
	entries []revocation.Entry
	marks   []revocation.Mark // marks[i] is the head when entries[:i] were there
	serial  int
	down    error

	heads, sinces int
	before        func(call string) // runs unlocked before a call
	slow          func()            // runs unlocked after Head has read the mark
}

func (c *cache) enter(call string) (leave func(), err error) {
	c.mu.Lock()
	hook := c.before
	c.mu.Unlock()
	if hook != nil {
		hook(call)
	}
	c.mu.Lock()
	if c.down != nil {
		return c.mu.Unlock, c.down
	}
	if !c.built && call != "rebuild" {
		return c.mu.Unlock, fault.New(fault.NotFound, "not_found", "There is no set.")
	}
	return c.mu.Unlock, nil
}

func (c *cache) mint() revocation.Mark {
	c.serial++
	return revocation.Mark(fmt.Sprintf("%d-%d", c.server, c.serial))
}

func (c *cache) head() revocation.Mark { return c.marks[len(c.marks)-1] }

func (c *cache) Head(ctx context.Context) (revocation.Mark, error) {
	head, slow, err := c.look()
	if slow != nil {
		slow()
	}
	if ctx.Err() != nil {
		return "", errDown
	}
	return head, err
}

func (c *cache) look() (head revocation.Mark, slow func(), err error) {
	leave, err := c.enter("head")
	defer leave()
	c.heads++
	if err != nil {
		return "", c.slow, err
	}
	return c.head(), c.slow, nil
}

func (c *cache) Since(_ context.Context, after revocation.Mark) ([]revocation.Entry, revocation.Mark, bool, error) {
	leave, err := c.enter("since")
	defer leave()
	c.sinces++
	if err != nil {
		return nil, "", false, err
	}
	if i := slices.Index(c.marks, after); i >= 0 {
		return slices.Clone(c.entries[i:]), c.head(), false, nil
	}
	return slices.Clone(c.entries), c.head(), true, nil
}

func (c *cache) Append(_ context.Context, entries ...revocation.Entry) (revocation.Mark, error) {
	leave, err := c.enter("append")
	defer leave()
	if err != nil {
		return "", err
	}
	c.append(entries)
	return c.head(), nil
}

func (c *cache) append(entries []revocation.Entry) {
	for _, e := range entries {
		c.entries = append(c.entries, e)
		c.marks = append(c.marks, c.mint())
	}
}

func (c *cache) Rebuild(_ context.Context, entries []revocation.Entry) (revocation.Mark, error) {
	leave, err := c.enter("rebuild")
	defer leave()
	if err != nil {
		return "", err
	}
	if !c.built {
		c.built, c.entries, c.marks = true, nil, []revocation.Mark{c.mint()}
	}
	c.append(entries)
	return c.head(), nil
}

// flush empties the server, as a restart without persistence does.
func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.built, c.entries, c.marks = false, nil, nil
}

// failover promotes a replica that lacks the newest n entries.
func (c *cache) failover(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server++
	c.entries = slices.Clone(c.entries[:len(c.entries)-n])
	c.marks = nil
	for range len(c.entries) + 1 {
		c.marks = append(c.marks, c.mint())
	}
}

func (c *cache) set(down error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *cache) hook(before func(call string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = before
}

func (c *cache) holds(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.entries, func(e revocation.Entry) bool { return e.ID == id })
}

var errDown = fault.New(fault.Unavailable, "temporarily_unavailable", "down")

// token is an entry that ends one access token for an hour.
func token(jti string) revocation.Entry {
	return revocation.Entry{Kind: revocation.Token, ID: jti, ExpiresAt: time.Now().Add(time.Hour)}
}

// because returns a cause that yields the entries.
func because(entries ...revocation.Entry) func(context.Context) ([]revocation.Entry, error) {
	return func(context.Context) ([]revocation.Entry, error) { return entries, nil }
}

func revoke(t *testing.T, s *revocation.Service, entries ...revocation.Entry) {
	t.Helper()
	if err := s.Revoke(t.Context(), because(entries...)); err != nil {
		t.Fatal(err)
	}
}

// wantRevoked fails unless the token is refused, or accepted, without error.
func wantRevoked(t *testing.T, s *revocation.Service, jti string, want bool) {
	t.Helper()
	got, _, err := s.Check(t.Context(), revocation.Facts{JTI: jti, IssuedAt: time.Now()})
	if err != nil || got != want {
		t.Errorf("Check(%s) = %v, %v; want %v", jti, got, err, want)
	}
}
