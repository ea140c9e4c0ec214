package embedded

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

func TestManyCountersNeitherPileUpNorAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := Open(t.Context(), filepath.Join(t.TempDir(), "short.db"), Options{Fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		db.limits.room = 16 // small memory, so that few keys fill it
		once, now := limit.Rule{Name: "once", Max: 1, Window: time.Hour}, time.Now()
		const keys = 5000
		for i := range keys {
			if r, err := db.limits.Take(t.Context(), once, fmt.Sprint(i), now); err != nil || !r.Allowed {
				t.Fatalf("first attempt of %d: %+v, %v", i, r, err)
			}
			if i%200 == 0 {
				time.Sleep(2 * behind)
			}
		}
		time.Sleep(2 * behind)
		held := 0
		for i := range db.limits.shards {
			held += len(db.limits.shards[i].counters)
		}
		if most := shards*16 + 400; held > most {
			t.Errorf("%d counters in memory, want at most %d", held, most)
		}
		for i := range keys {
			if r, err := db.limits.Take(t.Context(), once, fmt.Sprint(i), now); err != nil || r.Allowed {
				t.Fatalf("second attempt of %d: %+v, %v", i, r, err)
			}
		}
	})
}
