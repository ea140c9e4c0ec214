//go:build unix

// Package throwaway starts real Postgres, Redis and OpenLDAP servers from the
// binaries of this machine, for tests and benchmarks only, and leaves nothing behind.
// It knows nothing of schemas: a test that wants tables brings its migration.
//
// Nothing outlives the test process: servers are asked to stop when a test or
// [Main] ends, a guard process stops what is left when the test process dies
// in any other way (panic, timeout, SIGKILL), and on Linux the kernel signals
// the servers besides. A server that cannot be had fails the test, with one
// line that says what to install; no test is ever skipped for it.
//
// Functions that take a testing.TB must be called from the goroutine that
// runs the test, because they end it when something fails.
package throwaway

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"
)

// startLimit bounds how long a server may take to accept connections. It is
// generous because a loaded machine under the race detector is slow; no test
// waits longer than its server needs.
const startLimit = 60 * time.Second

// process is what this test process has running. It is the one piece of state
// that outlives a test: a Postgres costs a second to make, so tests share one.
var process struct {
	mu    sync.Mutex
	root  string // scratch folder; removed by Main or by the guard
	guard *guard

	shared sharedPostgres
}

// Main runs the tests of a package and then stops every server it started, so
// that nothing is left when the process ends:
//
//	func TestMain(m *testing.M) { os.Exit(throwaway.Main(m)) }
//
// It returns the exit status. Without Main the guard does the same work a
// moment after the process has ended.
func Main(m *testing.M) int {
	defer Close()
	return m.Run()
}

// Close stops the shared server and removes the scratch folder, for a program
// that has more to do in its TestMain than Main does. Repeating it is
// harmless; a later call to Postgres starts a new server.
func Close() {
	process.shared.close()
	process.mu.Lock()
	defer process.mu.Unlock()
	if process.guard == nil {
		return
	}
	process.guard.release()
	process.guard, process.root = nil, ""
}

// scratch returns a new, empty folder below the scratch folder of this
// process, and starts the guard on first use. The guard removes the folder
// when the process ends; callers remove it earlier when they can.
func scratch(pattern string) (string, error) {
	process.mu.Lock()
	defer process.mu.Unlock()
	if process.guard == nil {
		root, err := os.MkdirTemp("", "portico-throwaway-")
		if err != nil {
			return "", err
		}
		// A server that runs as another user must reach its own folder,
		// and need not list its neighbours.
		if err := os.Chmod(root, 0o711); err != nil { //nolint:gosec // see above
			return "", err
		}
		g, err := newGuard(root)
		if err != nil {
			_ = os.RemoveAll(root)
			return "", err
		}
		process.guard, process.root = g, root
	}
	return os.MkdirTemp(process.root, pattern)
}

// within returns a context for one start or stop; it follows the test, except
// during clean-up, when the context of a test is over already.
func within(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}

// poll calls ready every few milliseconds until it reports true or ctx ends,
// and reports which of the two happened.
func poll(ctx context.Context, ready func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-ctx.Done():
			return ready()
		case <-tick.C:
		}
	}
	return true
}
