package stage

import (
	"context"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/session"
)

// outage is a dependency that a test can take away.
type outage struct {
	mu   sync.Mutex
	down bool
}

// SetDown takes the dependency away, or brings it back.
func (o *outage) SetDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *outage) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return fault.New(fault.Unavailable, "temporarily_unavailable", "We cannot answer right now.")
	}
	return nil
}

// Flows is a flow.Store in memory.
type Flows struct {
	outage
	records sync.Map // guarded by lock for what must be atomic
	lock    sync.Mutex
}

var _ flow.Store = (*Flows)(nil)

// Put implements flow.Store.
func (s *Flows) Put(_ context.Context, key string, rec flow.Record, now time.Time) error {
	if err := s.check(); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	have := 0
	if v, ok := s.records.Load(key); ok && now.Before(v.(flow.Record).ExpiresAt) {
		have = v.(flow.Record).Version
	}
	if have != rec.Version-1 {
		return fault.New(fault.Conflict, "conflict", "Somebody else was first.")
	}
	s.records.Store(key, rec)
	return nil
}

// Get implements flow.Store.
func (s *Flows) Get(_ context.Context, key string, now time.Time) (flow.Record, error) {
	if err := s.check(); err != nil {
		return flow.Record{}, err
	}
	v, ok := s.records.Load(key)
	if !ok || !now.Before(v.(flow.Record).ExpiresAt) {
		return flow.Record{}, fault.New(fault.NotFound, "not_found", "There is no such record.")
	}
	return v.(flow.Record), nil
}

// Take implements flow.Store.
func (s *Flows) Take(ctx context.Context, key string, now time.Time) (flow.Record, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	rec, err := s.Get(ctx, key, now)
	if err == nil {
		s.records.Delete(key)
	}
	return rec, err
}

// Limits is a limit.Store in memory.
type Limits struct {
	outage
	lock sync.Mutex
	log  map[string]limit.Counters
}

var _ limit.Store = (*Limits)(nil)

// Take implements limit.Store.
func (s *Limits) Take(_ context.Context, rule limit.Rule, key string, now time.Time) (limit.Result, error) {
	if err := s.check(); err != nil {
		return limit.Result{}, err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.log == nil {
		s.log = map[string]limit.Counters{}
	}
	key = rule.Name + " " + key
	if s.log[key] == nil {
		s.log[key] = limit.NewCounters(rule)
	}
	return s.log[key].Take(rule, now), nil
}

// Give implements limit.Store.
func (s *Limits) Give(_ context.Context, rule limit.Rule, key string, now time.Time) error {
	if err := s.check(); err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	key = rule.Name + " " + key
	if c := s.log[key]; c != nil {
		c.Give(rule, now)
	}
	return nil
}

// Reset implements limit.Store.
func (s *Limits) Reset(_ context.Context, rule limit.Rule, key string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.log, rule.Name+" "+key)
	return s.check()
}

// Count returns the attempts that stand under every key of the rule.
func (s *Limits) Count(rule string) map[string]int {
	s.lock.Lock()
	defer s.lock.Unlock()
	counts := map[string]int{}
	for key, log := range s.log {
		if len(key) > len(rule) && key[:len(rule)+1] == rule+" " {
			counts[key[len(rule)+1:]] = log[0].Total()
		}
	}
	return counts
}

// Spreads is a limit.Spreads in memory.
type Spreads struct {
	outage
	lock sync.Mutex
	met  map[string]map[string]time.Time
}

var _ limit.Spreads = (*Spreads)(nil)

// Spread implements limit.Spreads.
func (s *Spreads) Spread(_ context.Context, rule limit.Rule, key, member string, now time.Time) (int, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	key = rule.Name + " " + key
	if s.met == nil {
		s.met = map[string]map[string]time.Time{}
	}
	if s.met[key] == nil {
		s.met[key] = map[string]time.Time{}
	}
	s.met[key][member] = now
	return s.count(rule, key, now), nil
}

// Spreads implements limit.Spreads.
func (s *Spreads) Spreads(_ context.Context, spots []limit.Spot, now time.Time) ([]int, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	counts := make([]int, len(spots))
	for i, spot := range spots {
		counts[i] = s.count(spot.Rule, spot.Rule.Name+" "+spot.Key, now)
	}
	return counts, nil
}

func (s *Spreads) count(rule limit.Rule, key string, now time.Time) int {
	n := 0
	for _, at := range s.met[key] {
		if now.Sub(at) < rule.Window {
			n++
		}
	}
	return min(n, rule.Kept())
}

// Keys returns everything that is kept, keys and members.
func (s *Spreads) Keys() (all []string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for key, members := range s.met {
		all = append(all, key)
		for m := range members {
			all = append(all, m)
		}
	}
	return all
}

// Audit keeps events in memory.
type Audit struct {
	lock   sync.Mutex
	events []audit.Event
}

// Record implements audit.Recorder.
func (a *Audit) Record(_ context.Context, e audit.Event) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.events = append(a.events, e)
}

// Events returns what was recorded so far.
func (a *Audit) Events() []audit.Event {
	a.lock.Lock()
	defer a.lock.Unlock()
	return append([]audit.Event(nil), a.events...)
}

// Named returns the events of the name.
func (a *Audit) Named(name audit.Name) []audit.Event {
	var found []audit.Event
	for _, e := range a.Events() {
		if e.Name == name {
			found = append(found, e)
		}
	}
	return found
}

// Revoker commits to the ledger of the database and keeps the entries that
// reached the live set, which a test can take away.
type Revoker struct {
	outage
	Tx interface {
		InTx(ctx context.Context, fn func(ctx context.Context) error) error
	}
	Ledger revocation.Ledger

	lock    sync.Mutex
	entries []revocation.Entry
}

// Revoke does what revocation.Service promises.
func (r *Revoker) Revoke(ctx context.Context, cause func(ctx context.Context) ([]revocation.Entry, error)) error {
	var entries []revocation.Entry
	err := r.Tx.InTx(ctx, func(ctx context.Context) error {
		var err error
		if entries, err = cause(ctx); err != nil || len(entries) == 0 {
			return err
		}
		return r.Ledger.Add(ctx, entries...)
	})
	if err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return fault.Hide(revocation.ErrCommitted, fault.Unavailable, "temporarily_unavailable", "We cannot answer right now.")
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.entries = append(r.entries, entries...)
	return nil
}

// Check does what revocation.Service promises, for sessions.
func (r *Revoker) Check(_ context.Context, f revocation.Facts) (bool, *revocation.Entry, error) {
	if err := r.check(); err != nil {
		return false, nil, err
	}
	for _, e := range r.Entries() {
		if e.Kind == revocation.Session && e.ID == f.SessionID && !f.IssuedAt.After(e.NotBefore) {
			return true, &e, nil
		}
	}
	return false, nil, nil
}

// Entries returns what reached the live set.
func (r *Revoker) Entries() []revocation.Entry {
	r.lock.Lock()
	defer r.lock.Unlock()
	return append([]revocation.Entry(nil), r.entries...)
}

// Copies is the session cache of the embedded store, which a test can take
// away.
type Copies struct {
	outage
	session.Cache
}

// Get implements session.Cache.
func (c *Copies) Get(ctx context.Context, hash string, now time.Time) (session.Copy, error) {
	if err := c.check(); err != nil {
		return session.Copy{}, err
	}
	return c.Cache.Get(ctx, hash, now)
}

// Put implements session.Cache.
func (c *Copies) Put(ctx context.Context, s session.Copy, now time.Time) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.Cache.Put(ctx, s, now)
}

// Drop implements session.Cache.
func (c *Copies) Drop(ctx context.Context, hashes []string, now time.Time) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.Cache.Drop(ctx, hashes, now)
}
