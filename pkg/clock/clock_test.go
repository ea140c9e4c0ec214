package clock_test

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/clock"
)

func TestJumpsAddUpAndComeBack(t *testing.T) {
	ahead := clock.Jump(time.Hour)
	behind := clock.Jump(-2 * time.Hour)
	if d := time.Until(clock.Now()); d > -59*time.Minute || d < -61*time.Minute {
		t.Errorf("the clock is %s ahead, want an hour behind", d)
	}
	ahead()
	behind()
	if d := clock.Until(time.Now()).Abs() + clock.Since(time.Now()).Abs(); d > time.Second {
		t.Errorf("still %s away", d)
	}
}
