// Package storagetest is the suite that every storage engine passes: one
// function for each Store, which checks behaviour, concurrency, expiry,
// isolation and that transactions are really opened. The contracts stand in
// the features; what a test asserts is written there.
package storagetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/storage"
)

// OpenDurable returns an empty, migrated database of one subtest.
type OpenDurable = func(*testing.T) *storage.Durable

// Durable runs the whole suite of the durable side.
func Durable(t *testing.T, open OpenDurable) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, OpenDurable)
	}{
		{"clients", Clients},
		{"apis", APIs},
		{"users", Users},
		{"passwords", Passwords},
		{"grants", Grants},
		{"grants end", GrantsEnd},
		{"sessions", Sessions},
		{"consents", Consents},
		{"confirmations", Confirmations},
		{"browsers", Browsers},
		{"totps", TOTPs},
		{"passkeys", Passkeys},
		{"recovery codes", RecoveryCodes},
		{"contacts", Contacts},
		{"federation", Federation},
		{"keys", Keys},
		{"revocations", Revocations},
		{"audit", Audit},
		{"refusals", Refusals},
		{"leases", Leases},
		{"mails", Mails},
		{"factor recoveries", FactorRecoveries},
		{"transactions", Transactions},
		{"dumps", Dumps},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, open) })
	}
}

// epoch is when every test begins. Its odd nanoseconds are there to be
// rounded off.
var epoch = time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.FixedZone("east", 3*3600))

// racers is how many calls race for what only one may have.
const racers = 50

// race runs fn in many goroutines at once and returns how many had no error.
// Any fault but lost is an error of the test.
func race(t *testing.T, lost fault.Kind, fn func(n int) error) (winners int) {
	t.Helper()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		start = make(chan struct{})
	)
	for n := range racers {
		wg.Go(func() {
			<-start
			err := fn(n)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				winners++
			case fault.KindOf(err) != lost:
				t.Errorf("racer %d got %v, want kind %v", n, err, lost)
			}
		})
	}
	close(start)
	wg.Wait()
	return winners
}

// must ends the test when err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected: %v", err)
	}
}

// wantKind checks the kind of a fault.
func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if fault.KindOf(err) != want {
		t.Errorf("%s: got %v (kind %v), want kind %v", what, err, fault.KindOf(err), want)
	}
}

// same compares values whose times may be in another zone and are kept to the
// microsecond, and whose empty lists may be nil.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b time.Time) bool {
		return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
	})); diff != "" {
		t.Errorf("%s: got the lines with +, want those with -:\n%s", what, diff)
	}
}
