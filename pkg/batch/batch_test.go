package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/batch"
	"github.com/portico-id/portico/pkg/fault"
)

func TestWritesSoonAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		w := batch.New(func(_ context.Context, records []int) error {
			got = append(got, records...)
			return nil
		}, batch.Config{Every: time.Second})
		w.Put(1)
		w.Put(2)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if !slices.Equal(got, []int{1, 2}) {
			t.Errorf("after a second: %v", got)
		}
		w.Put(3)
		w.Close()
		if !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("after Close: %v", got)
		}
		w.Close() // harmless
	})
}

func TestDropsWhatFindsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		var mu sync.Mutex
		dropped, written := 0, 0
		w := batch.New(func(_ context.Context, records []int) error {
			<-blocked
			mu.Lock()
			defer mu.Unlock()
			written += len(records)
			return nil
		}, batch.Config{Room: 4, Batch: 1, Every: time.Second, Dropped: func(n int) {
			mu.Lock()
			defer mu.Unlock()
			dropped += n
		}})
		for i := range 20 {
			w.Put(i)
			synctest.Wait()
		}
		close(blocked)
		w.Close()
		w.Put(99) // after the end: dropped, never a panic
		if dropped+written != 21 || dropped == 0 || written < 4 {
			t.Errorf("dropped %d, written %d of 21", dropped, written)
		}
	})
}

func TestAStoreThatIsDownLosesRecordsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, dropped := 0, 0
		w := batch.New(func(context.Context, []int) error {
			tries++
			return errors.New("down")
		}, batch.Config{Dropped: func(n int) { dropped += n }})
		w.Put(1)
		w.Close()
		if tries != 2 || dropped != 1 {
			t.Errorf("%d tries, %d dropped; want 2 and 1", tries, dropped)
		}
	})
}

var errAway = fault.New(fault.Unavailable, "temporarily_unavailable", "down")

func TestAnOutageLosesNothingThatFindsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		back := time.Now().Add(time.Minute)
		dropped := 0
		w := batch.New(func(_ context.Context, records []int) error {
			if time.Now().Before(back) {
				return errAway
			}
			got = append(got, records...)
			return nil
		}, batch.Config{Batch: 10, Dropped: func(n int) { dropped += n }})
		for i := range 100 {
			w.Put(i)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		w.Close()
		if len(got) != 100 || !slices.IsSorted(got) || dropped != 0 {
			t.Errorf("%d records of 100 written in order %v, %d dropped", len(got), slices.IsSorted(got), dropped)
		}
	})
}

func TestARecordThatIsRefusedCostsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		dropped := 0
		w := batch.New(func(_ context.Context, records []int) error {
			switch {
			case slices.Contains(records, 3):
				return fault.New(fault.Invalid, "malformed", "This cannot be stored.")
			case slices.Contains(records, 5):
				return fault.New(fault.Conflict, "conflict", "This is there already.")
			}
			got = append(got, records...)
			return nil
		}, batch.Config{Dropped: func(n int) { dropped += n }})
		for i := range 8 {
			w.Put(i)
		}
		w.Close()
		if !slices.Equal(got, []int{0, 1, 2, 4, 6, 7}) || dropped != 1 {
			t.Errorf("written %v, dropped %d", got, dropped)
		}
	})
}

func TestCloseDoesNotWaitForAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, dropped := 0, 0
		w := batch.New(func(ctx context.Context, _ []int) error {
			tries++
			<-ctx.Done() // a store that does not even refuse
			return errAway
		}, batch.Config{Batch: 10, Timeout: time.Second, Dropped: func(n int) { dropped += n }})
		for i := range 1000 {
			w.Put(i)
		}
		begun := time.Now()
		w.Close()
		if took := time.Since(begun); took > 3*time.Second || dropped != 1000 {
			t.Errorf("Close took %s and %d tries, dropped %d of 1000", took, tries, dropped)
		}
	})
}

func TestAnIdleWriterSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		w := batch.New(func(context.Context, []int) error { writes++; return nil }, batch.Config{})
		time.Sleep(1000 * time.Hour) // instant unless a clock ticks all the while
		w.Close()
		if writes != 0 {
			t.Errorf("%d writes of nothing", writes)
		}
	})
}
