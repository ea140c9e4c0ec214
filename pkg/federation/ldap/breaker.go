package ldap

import (
	"sync"
	"time"
)

// A directory that failed breakerFailures times in a row is left alone for
// breakerPause: those who come meanwhile do not wait for it, and a bind
// account with a wrong password is not locked out by every login.
const (
	breakerFailures = 2
	breakerPause    = 15 * time.Second
)

type breaker struct {
	mu       sync.Mutex
	failures int
	until    time.Time
}

// open reports whether the directory may be asked. After a pause one caller
// tries, and the others wait for what comes of it.
func (b *breaker) open(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakerFailures {
		return true
	}
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(breakerPause)
	return true
}

// tripped reports whether the directory failed and has not answered since.
func (b *breaker) tripped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= breakerFailures
}

func (b *breaker) done(fine bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fine {
		b.failures = 0
		return
	}
	if b.failures++; b.failures >= breakerFailures {
		b.until = now.Add(breakerPause)
	}
}
