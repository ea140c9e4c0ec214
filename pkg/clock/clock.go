// Package clock is where Portico reads the time. It is time.Now, but for
// tests that let a running server's clock jump: expiry compares this clock
// and nobody else's, so that is all it takes.
package clock

import (
	"sync/atomic"
	"time"
)

// offset is how far the clock is ahead, in nanoseconds. Only tests move it.
var offset atomic.Int64

// Now returns the time of this process's clock.
func Now() time.Time { return time.Now().Add(time.Duration(offset.Load())) }

// Since returns how long ago t was.
func Since(t time.Time) time.Duration { return Now().Sub(t) }

// Until returns how far ahead t is.
func Until(t time.Time) time.Duration { return t.Sub(Now()) }

// Jump moves the clock of the process, forward or back, and returns how to
// move it back. For tests; jumps add up.
func Jump(by time.Duration) (back func()) {
	offset.Add(int64(by))
	return func() { offset.Add(-int64(by)) }
}
