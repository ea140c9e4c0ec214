package storagetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/session"
)

// newCopy is one that is due in a minute.
func newCopy(hash string) session.Copy {
	s := newSession("sid of "+hash, "alice")
	s.Hash = hash
	return session.Copy{Session: s, Until: epoch.Add(session.CopyLife)}
}

// SessionCache checks a session.Cache.
func SessionCache(t *testing.T, open OpenShortLived) {
	absent := func(t *testing.T, s session.Cache, hash string, now time.Time, why string) {
		t.Helper()
		_, err := s.Get(t.Context(), hash, now)
		wantKind(t, why, err, fault.NotFound)
	}

	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Sessions
		var want session.Copy
		fill(t, &want)
		want.Until = epoch.Add(session.CopyLife)
		must(t, s.Put(t.Context(), want, epoch))
		got, err := s.Get(t.Context(), want.Hash, epoch)
		must(t, err)
		same(t, "Get", got, want)
		got.AMR[0] = "changed by its reader"
		again, err := s.Get(t.Context(), want.Hash, epoch)
		must(t, err)
		same(t, "Get once more", again, want)
	})

	t.Run("any fingerprint is its own", func(t *testing.T) {
		s := open(t).Sessions
		hashes := []string{"h", "H", "h ", "h\x00", "{h}", "-", "é", "e\u0301", "\xff", strings.Repeat("h", 4096)}
		for _, h := range hashes {
			absent(t, s, h, epoch, "before it was put")
			must(t, s.Put(t.Context(), newCopy(h), epoch))
		}
		for i, h := range hashes {
			got, err := s.Get(t.Context(), h, epoch)
			must(t, err)
			if got.Hash != h {
				t.Errorf("the copy %d came back under %q, want %q", i, got.Hash, h)
			}
		}
		must(t, s.Drop(t.Context(), hashes[:1], epoch))
		for _, h := range hashes[1:] {
			if _, err := s.Get(t.Context(), h, epoch); err != nil {
				t.Errorf("%q went with another: %v", h, err)
			}
		}
	})

	t.Run("a later copy takes the place", func(t *testing.T) {
		s := open(t).Sessions
		must(t, s.Put(t.Context(), newCopy("h"), epoch))
		next := newCopy("h")
		next.LastSeenAt, next.Until = epoch.Add(time.Second), epoch.Add(time.Second+session.CopyLife)
		must(t, s.Put(t.Context(), next, epoch.Add(time.Second)))
		got, err := s.Get(t.Context(), "h", epoch.Add(session.CopyLife))
		must(t, err)
		same(t, "Get", got, next)
	})

	t.Run("due by the clock that is passed", func(t *testing.T) {
		s := open(t).Sessions
		must(t, s.Put(t.Context(), newCopy("h"), epoch))
		due := newCopy("h").Until
		if _, err := s.Get(t.Context(), "h", due.Add(-time.Millisecond)); err != nil {
			t.Errorf("just before it is due: %v", err)
		}
		absent(t, s, "h", due, "when it is due")
		past := newCopy("past")
		past.Until = epoch
		must(t, s.Put(t.Context(), past, epoch))
		absent(t, s, "past", epoch, "one that was due when it was put")
	})

	t.Run("dropped", func(t *testing.T) { dropCopies(t, open) })
}

func dropCopies(t *testing.T, open OpenShortLived) {
	put := func(t *testing.T, s session.Cache, hash string, now time.Time) (there bool) {
		t.Helper()
		c := newCopy(hash)
		c.Until = now.Add(session.CopyLife)
		must(t, s.Put(t.Context(), c, now))
		_, err := s.Get(t.Context(), hash, now)
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		return err == nil
	}

	t.Run("what is dropped stays away", func(t *testing.T) {
		s := open(t).Sessions
		put(t, s, "a", epoch)
		put(t, s, "b", epoch)
		for range 2 {
			must(t, s.Drop(t.Context(), []string{"a", "", "never put"}, epoch))
		}
		if _, err := s.Get(t.Context(), "b", epoch); err != nil {
			t.Errorf("another copy went with it: %v", err)
		}
		for _, after := range []time.Duration{0, session.CopyLife, session.DropLife - time.Millisecond} {
			for _, h := range []string{"a", "never put"} {
				if put(t, s, h, epoch.Add(after)) {
					t.Errorf("%s after the drop a copy of %q was put", after, h)
				}
			}
		}
		must(t, s.Drop(t.Context(), nil, epoch))
		must(t, s.Drop(t.Context(), []string{""}, epoch))
	})

	t.Run("thousands at once", func(t *testing.T) {
		s := open(t).Sessions
		hashes := make([]string, 2500)
		for i := range hashes {
			hashes[i] = fmt.Sprint("h", i)
		}
		for _, i := range []int{0, 499, 500, 2499} {
			put(t, s, hashes[i], epoch)
		}
		must(t, s.Drop(t.Context(), hashes, epoch))
		for _, i := range []int{0, 499, 500, 1234, 2499} {
			if put(t, s, hashes[i], epoch) {
				t.Errorf("a copy of the %dth was put", i)
			}
		}
	})

	// A reader that saw the session alive puts its copy whenever it likes:
	// after the drop was acknowledged none is there, and none comes.
	t.Run("readers race with it", func(t *testing.T) {
		s := open(t).Sessions
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range racers {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := s.Put(t.Context(), newCopy("h"), epoch); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 20 {
			if _, err := s.Get(t.Context(), "h", epoch); err == nil {
				break
			}
		}
		must(t, s.Drop(t.Context(), []string{"h"}, epoch))
		for range 100 {
			if _, err := s.Get(t.Context(), "h", epoch); !fault.Is(err, fault.NotFound) {
				t.Errorf("after the drop: %v, want nothing there", err)
				break
			}
		}
		close(stop)
		wg.Wait()
	})
}
