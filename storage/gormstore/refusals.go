package gormstore

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/fault"
)

// Refusals implements explain.Store.
type Refusals struct{ db *DB }

// Refusals returns the store of refusals.
func (d *DB) Refusals() *Refusals { return &Refusals{d} }

type refusalRow struct {
	RequestID                string `gorm:"primaryKey"`
	At                       time.Time
	Method, Path             string
	Status                   int
	Code, Say, Rule          string
	Compared                 doc[[]fault.Value]
	Hint, Cause              string
	ClientID, UserID, Remote string
}

// TableName implements gorm's Tabler.
func (refusalRow) TableName() string { return "refusals" }

func rowOfRefusal(r explain.Refusal) refusalRow {
	compared := make([]fault.Value, len(r.Compared))
	for i, v := range r.Compared {
		compared[i] = fault.Value{Name: printable(v.Name), Want: printable(v.Want), Got: printable(v.Got)}
	}
	return refusalRow{
		RequestID: r.RequestID, At: utc(r.At), Method: printable(r.Method), Path: printable(r.Path), Status: r.Status,
		Code: printable(r.Code), Say: printable(r.Say), Rule: printable(r.Rule), Compared: doc[[]fault.Value]{compared},
		Hint: printable(r.Hint), Cause: printable(r.Cause),
		ClientID: printable(r.ClientID), UserID: printable(r.UserID), Remote: printable(r.Remote),
	}
}

func (r refusalRow) refusal() explain.Refusal {
	out := explain.Refusal{
		RequestID: r.RequestID, At: r.At.UTC(), Method: r.Method, Path: r.Path, Status: r.Status,
		Code: r.Code, Say: r.Say, Rule: r.Rule, Hint: r.Hint, Cause: r.Cause,
		ClientID: r.ClientID, UserID: r.UserID, Remote: r.Remote,
	}
	if len(r.Compared.v) > 0 {
		out.Compared = r.Compared.v
	}
	return out
}

// Append implements explain.Store. The first refusal of a request counts.
func (s *Refusals) Append(ctx context.Context, refusals []explain.Refusal) error {
	if len(refusals) == 0 {
		return nil
	}
	rows := make([]refusalRow, len(refusals))
	for i, r := range refusals {
		if !findable(r.RequestID) {
			return malformed
		}
		rows[i] = rowOfRefusal(r)
	}
	return s.db.append(ctx, "refusals.append", rows)
}

// ByID implements explain.Store.
func (s *Refusals) ByID(ctx context.Context, requestID string) (explain.Refusal, error) {
	var row refusalRow
	err := s.db.first(ctx, "refusals.by_id", &row, "request_id = ?", requestID)
	return row.refusal(), err
}

// DeleteBefore implements explain.Store.
func (s *Refusals) DeleteBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "refusals.delete_before",
		"DELETE FROM refusals WHERE request_id IN (SELECT request_id FROM refusals WHERE at < ? ORDER BY at LIMIT ?)", before, limit)
}
