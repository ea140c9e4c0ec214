package mail

// Wake makes the worker look again, as the end of a transaction does.
func (s *Service) Wake() { s.wake() }

// Pause and the bounds of trying, for tests.
var Pause = pause

// Bounds.
const (
	ClaimFor = claimFor
	TryFor   = tryFor
)
