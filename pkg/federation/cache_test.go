package federation

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestProvidersAreReadOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads int
		var down error
		c := &cache{ttl: 2 * time.Second, load: func(context.Context) ([]Provider, error) {
			reads++
			time.Sleep(100 * time.Millisecond)
			return []Provider{{ID: "a"}}, down
		}}
		want := func(when string, n int, broken bool) {
			t.Helper()
			all, err := c.get(t.Context())
			if reads != n || (err != nil) != broken || !broken && (len(all) != 1 || all[0].ID != "a") {
				t.Errorf("%s: %d reads, %v, %v; want %d", when, reads, all, err, n)
			}
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { _, _ = c.get(t.Context()) })
		}
		wg.Wait()
		want("after fifty at once", 1, false)
		time.Sleep(1800 * time.Millisecond)
		want("within two seconds", 1, false)
		time.Sleep(200 * time.Millisecond)
		want("after two seconds", 2, false)
		c.forget()
		want("after a change here", 3, false)
		down = errors.New("the database is down")
		want("while it is remembered", 3, false)
		time.Sleep(2 * time.Second)
		want("when it is not", 4, true)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.get(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("who goes away waits: %v", err)
		}
		time.Sleep(time.Second) // the read that was begun for them ends
	})
}
