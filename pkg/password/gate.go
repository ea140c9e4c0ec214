package password

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// gate bounds how many slow hashes run at once and how many may wait, so that
// a storm of logins neither takes the memory nor starves the tokens.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
	most    int64
	timeout time.Duration
}

// waitersPerSlot bounds the queue: at some 20 ms for each hash more could not
// be served before their time-out.
const waitersPerSlot = 200

func newGate(slots int, timeout time.Duration) *gate {
	return &gate{slots: make(chan struct{}, slots), most: int64(slots) * waitersPerSlot, timeout: timeout}
}

// enter waits for a turn; the caller calls leave after its hash.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-g.slots }
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	default:
	}
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		return nil, busy()
	}
	defer g.waiting.Add(-1)
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	case <-timer.C:
		return nil, busy()
	case <-ctx.Done():
		return nil, busy().Because(ctx.Err())
	}
}

func busy() *fault.Error {
	return fault.New(fault.Unavailable, protocol.ErrTemporarilyUnavailable,
		"Too many people are signing in. Please try again in a moment.").After(2 * time.Second)
}
