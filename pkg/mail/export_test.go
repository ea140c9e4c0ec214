package mail

import "time"

// Wake makes the worker look again, as the end of a transaction does.
func (s *Service) Wake() { s.wake() }

// Pause and the bounds of trying, for tests.
var Pause = pause

// Bounds.
const (
	ClaimFor = claimFor
	TryFor   = tryFor
)

// Poll lets the worker look less often, where a test lets days pass.
func (w *Worker) Poll(every time.Duration) *Worker { w.poll = every; return w }
