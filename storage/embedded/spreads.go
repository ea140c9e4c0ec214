package embedded

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

// Spreads implements limit.Spreads, in the file. What is in the future by more
// than a window was met before the clock stepped back, and is forgotten.
type Spreads struct{ db *DB }

// Spreads returns the store of spreads.
func (db *DB) Spreads() *Spreads { return &Spreads{db} }

// Spread implements limit.Spreads.
func (s *Spreads) Spread(ctx context.Context, rule limit.Rule, key, member string, now time.Time) (n int, err error) {
	id, from, to := spanOf(limit.Spot{Rule: rule, Key: key}, now)
	err = s.db.write(ctx, relaxed, func(st *statements) error {
		if _, err := st.forget.Exec(id, from, to); err != nil {
			return err
		}
		if _, err := st.meet.Exec(id, digest(member), now.UnixMicro(), now.Add(2*rule.Window).UnixMicro()); err != nil {
			return err
		}
		if _, err := st.crowd.Exec(id, rule.Kept()); err != nil {
			return err
		}
		return st.met.QueryRow(id, from, to).Scan(&n)
	})
	return n, err
}

// Spreads implements limit.Spreads.
func (s *Spreads) Spreads(ctx context.Context, spots []limit.Spot, now time.Time) ([]int, error) {
	counts := make([]int, len(spots))
	for i, spot := range spots {
		id, from, to := spanOf(spot, now)
		if err := s.db.read.met.QueryRowContext(ctx, id, from, to).Scan(&counts[i]); err != nil {
			return nil, away(err)
		}
	}
	return counts, nil
}

// spanOf returns the key of a spot, and after when and until when its members
// count.
func spanOf(spot limit.Spot, now time.Time) (id string, from, to int64) {
	id = digest("spread", spot.Rule.Name, spot.Rule.Shape(), spot.Key)
	return id, now.Add(-spot.Rule.Window).UnixMicro(), now.Add(spot.Rule.Window).UnixMicro()
}
