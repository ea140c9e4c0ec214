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
func Width(rule Rule) time.Duration {
	width := (rule.Window + Slots*time.Microsecond - 1) / (Slots * time.Microsecond) * time.Microsecond
	return max(width, time.Microsecond)
}

// Counter holds the attempts of one key. The zero value holds none. It is not
// safe for concurrent use.
type Counter struct {
	// Newest is the number of the slot that Counts[0] belongs to; Counts[i]
	// belongs to Newest-i.
	Newest int64
	Counts [Slots + 1]uint32
}

// Take counts one attempt against the rule, unless it is one too many.
func (c *Counter) Take(rule Rule, now time.Time) Result {
	if rule.Max <= 0 {
		return Result{RetryAfter: rule.Window, Reset: rule.Window}
	}
	c.Advance(rule, now)
	total := c.Total()
	if total < rule.Max {
		c.Counts[0]++
		return Result{Allowed: true, Remaining: rule.Max - total - 1, Reset: c.leave(rule, 1, now)}
	}
	wait := c.leave(rule, total-rule.Max+1, now)
	return Result{RetryAfter: wait, Reset: wait}
}

// leave returns how long it takes until n of the attempts have left.
func (c *Counter) leave(rule Rule, n int, now time.Time) time.Duration {
	for i := Slots; i >= 0; i-- {
		if n -= int(c.Counts[i]); n <= 0 {
			free := (c.Newest - int64(i) + Slots + 1) * Width(rule).Microseconds()
			return time.Duration(free-now.UnixMicro()) * time.Microsecond
		}
	}
	return rule.Window // not reached: n is at most the sum of all
}

// Give takes the newest attempt back.
func (c *Counter) Give(rule Rule, now time.Time) {
	c.Advance(rule, now)
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
func (c *Counter) Advance(rule Rule, now time.Time) {
	current := now.UnixMicro() / Width(rule).Microseconds()
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
