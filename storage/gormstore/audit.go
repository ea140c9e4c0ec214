package gormstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/paging"
)

// Audit implements audit.Store.
type Audit struct{ db *DB }

// Audit returns the store of audit events.
func (d *DB) Audit() *Audit { return &Audit{d} }

type auditRow struct {
	ID                           string `gorm:"primaryKey"`
	Name                         string
	At                           time.Time
	Actor                        string
	UserID, ClientID, SessionID  string
	Remote, UserAgent, RequestID string
	Data                         doc[map[string]string]
}

// TableName implements gorm's Tabler.
func (auditRow) TableName() string { return "audit_events" }

func rowOfEvent(e audit.Event) auditRow {
	data := make(map[string]string, len(e.Data))
	for k, v := range e.Data {
		data[printable(k)] = printable(v)
	}
	return auditRow{
		ID: e.ID, Name: string(e.Name), At: utc(e.At), Actor: printable(e.Actor),
		UserID: printable(e.UserID), ClientID: printable(e.ClientID), SessionID: printable(e.SessionID),
		Remote: printable(e.Remote), UserAgent: printable(e.UserAgent), RequestID: printable(e.RequestID),
		Data: doc[map[string]string]{data},
	}
}

func (r auditRow) event() audit.Event {
	e := audit.Event{
		ID: r.ID, Name: audit.Name(r.Name), At: r.At.UTC(), Actor: r.Actor, UserID: r.UserID, ClientID: r.ClientID,
		SessionID: r.SessionID, Remote: r.Remote, UserAgent: r.UserAgent, RequestID: r.RequestID,
	}
	if len(r.Data.v) > 0 {
		e.Data = r.Data.v
	}
	return e
}

// Append implements audit.Store. An event that is there already stays as it
// is, so a batch may be repeated.
func (s *Audit) Append(ctx context.Context, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := make([]auditRow, len(events))
	for i, e := range events {
		if !findable(e.ID) {
			return malformed
		}
		rows[i] = rowOfEvent(e)
	}
	return s.db.append(ctx, "audit.append", rows)
}

// Recent implements audit.Store.
func (s *Audit) Recent(ctx context.Context, userID string, limit int) ([]audit.Event, error) {
	if limit <= 0 || (userID != "" && !findable(userID)) {
		return nil, nil
	}
	var rows []auditRow
	if err := s.db.read(ctx, "audit.recent", func(tx *gorm.DB) error {
		if userID != "" {
			tx = tx.Where("user_id = ? AND user_id <> ''", userID)
		}
		return tx.Order("at DESC, id DESC").Limit(limit).Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]audit.Event, len(rows))
	for i, r := range rows {
		out[i] = r.event()
	}
	return out, nil
}

// OfUser implements audit.Store. For an unknown cursor the comparison is with
// NULL, which nothing is before.
func (s *Audit) OfUser(ctx context.Context, userID string, page paging.Page, names ...audit.Name) ([]audit.Event, error) {
	if !findable(userID) || page.Cursor != "" && !findable(page.Cursor) {
		return nil, nil
	}
	var rows []auditRow
	if err := s.db.read(ctx, "audit.of_user", func(tx *gorm.DB) error {
		tx = tx.Where("user_id = ? AND user_id <> ''", userID)
		if page.Cursor != "" {
			tx = tx.Where("(at, id) < (SELECT at, id FROM audit_events WHERE id = ? AND user_id = ?)", page.Cursor, userID)
		}
		if len(names) > 0 {
			tx = tx.Where("name IN ?", names)
		}
		return tx.Order("at DESC, id DESC").Limit(page.Limit()).Find(&rows).Error
	}); err != nil {
		return nil, err
	}
	out := make([]audit.Event, len(rows))
	for i, r := range rows {
		out[i] = r.event()
	}
	return out, nil
}

// DeleteBefore implements audit.Store.
func (s *Audit) DeleteBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.db.prune(ctx, "audit.delete_before",
		"DELETE FROM audit_events WHERE id IN (SELECT id FROM audit_events WHERE at < ? ORDER BY at LIMIT ?)", before, limit)
}
