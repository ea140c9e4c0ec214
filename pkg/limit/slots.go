package limit

import "time"

// Slots is how many slots of time a window is cut into. A counter holds one
// number per slot, so it has a fixed size however large Max is. An attempt
// counts until its slot has left the window as a whole: never are more than
// Max allowed within any window, and a brake lasts at most a sixteenth of the
// window longer than it must.
const Slots = 16

// Width returns the length of a slot, in whole microseconds, rounded up so
// that the slots are never shorter than the window.
func Width(window time.Duration) time.Duration {
	width := (window + Slots*time.Microsecond - 1) / (Slots * time.Microsecond) * time.Microsecond
	return max(width, time.Microsecond)
}

// Counters hold the attempts of one key, one Counter for each bound of its
// rule. They are not safe for concurrent use.
type Counters []Counter

// NewCounters returns empty counters for the rule.
func NewCounters(rule Rule) Counters { return make(Counters, 1+len(rule.Then)) }

// Take counts one attempt against every bound, or none when it is one too
// many for one of them.
func (c Counters) Take(rule Rule, now time.Time) Result {
	if wait := c.full(rule, now); wait > 0 {
		return Result{RetryAfter: wait, Reset: wait}
	}
	var tightest Result
	for i, b := range rule.Bounds() {
		c[i].Counts[0]++
		r := Result{Allowed: true, Remaining: b.Max - c[i].Total(), Reset: c[i].leave(b, 1, now)}
		if i == 0 || r.Remaining < tightest.Remaining {
			tightest = r
		}
	}
	return tightest
}

// full returns how long it takes until every bound has room; zero: now.
func (c Counters) full(rule Rule, now time.Time) (wait time.Duration) {
	for i, b := range rule.Bounds() {
		if b.Max <= 0 {
			return max(b.Window, time.Second)
		}
		c[i].Advance(b.Window, now)
		if over := c[i].Total() - b.Max + 1; over > 0 {
			wait = max(wait, c[i].leave(b, over, now))
		}
	}
	return wait
}

// Give takes the newest attempt back.
func (c Counters) Give(rule Rule, now time.Time) {
	for i, b := range rule.Bounds() {
		c[i].Advance(b.Window, now)
		c[i].giveNewest()
	}
}

// Counter holds the attempts of one key in one window. The zero value holds
// none.
type Counter struct {
	// Newest is the number of the slot that Counts[0] belongs to; Counts[i]
	// belongs to Newest-i.
	Newest int64
	Counts [Slots + 1]uint32
}

// leave returns how long it takes until n of the attempts have left.
func (c *Counter) leave(b Bound, n int, now time.Time) time.Duration {
	for i := Slots; i >= 0; i-- {
		if n -= int(c.Counts[i]); n <= 0 {
			free := (c.Newest - int64(i) + Slots + 1) * Width(b.Window).Microseconds()
			return time.Duration(free-now.UnixMicro()) * time.Microsecond
		}
	}
	return b.Window // not reached: n is at most the sum of all
}

func (c *Counter) giveNewest() {
	for i := range c.Counts {
		if c.Counts[i] > 0 {
			c.Counts[i]--
			return
		}
	}
}

// Total returns how many attempts the counter holds.
func (c *Counter) Total() int {
	total := 0
	for _, n := range c.Counts {
		total += int(n)
	}
	return total
}

// Advance moves the counter to now and drops what left the window. When the
// clock stepped back, what was counted in the future is counted in the
// present: it must not weigh for as long as the clock stepped.
func (c *Counter) Advance(window time.Duration, now time.Time) {
	current := now.UnixMicro() / Width(window).Microseconds()
	switch moved := current - c.Newest; {
	case moved >= int64(len(c.Counts)):
		c.Counts = [Slots + 1]uint32{}
	case moved > 0:
		copy(c.Counts[moved:], c.Counts[:])
		clear(c.Counts[:moved])
	case moved < 0:
		c.back(-moved)
	}
	c.Newest = current
}

// back folds the slots of the future into the present one.
func (c *Counter) back(steps int64) {
	var kept [Slots + 1]uint32
	for i, n := range c.Counts {
		kept[max(int64(i)-steps, 0)] += n
	}
	c.Counts = kept
}
