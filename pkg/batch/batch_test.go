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
