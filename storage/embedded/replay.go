package embedded

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

// Replay implements replay.Store.
type Replay struct{ db *DB }

// Replay returns the set of spent identifiers.
func (db *DB) Replay() *Replay { return &Replay{db} }

// Claim implements replay.Store. It is on the disk before it is acknowledged.
// An identifier is remembered for slack longer than asked: a clock that was
// ahead must not make it claimable again. Its epoch is when the file was
// made: whoever deletes the file gets the refusals that a lost set demands.
func (s *Replay) Claim(ctx context.Context, namespace, id string, issued, expires, now time.Time) error {
	if issued.UnixMicro() <= s.db.epoch {
		return errReplayed
	}
	var written int64
	err := s.db.write(ctx, durable, func(st *statements) error {
		return affected(&written)(st.claim.Exec(digest(namespace, id), expires.UnixMicro(), now.Add(-slack).UnixMicro()))
	})
	if err != nil {
		return err
	}
	if written != 1 {
		return errReplayed
	}
	return nil
}

var errReplayed = fault.New(fault.Conflict, "replayed", "This identifier was used before, or it is from before a time that is remembered.")
