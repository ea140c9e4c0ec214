package gormstore

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// utc is how a time is stored: Postgres keeps microseconds, and what is read
// must equal what was written on both engines.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// at stores the zero time as NULL.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = utc(t)
	return &t
}

// since reads what at wrote.
func since(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// text stores the empty string as NULL, so that it is never unique and never
// found.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// str reads what text wrote.
func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// findable reports whether anything can be stored under the key. An empty key
// names nothing, and a stranger's NUL or broken UTF-8 cannot be in a text
// column: Postgres would refuse the question.
func findable(keys ...string) bool {
	for _, k := range keys {
		if k == "" || strings.ContainsRune(k, 0) || !utf8.ValidString(k) {
			return false
		}
	}
	return true
}

// printable makes text that strangers wrote storable: user agents and the like.
func printable(s string) string {
	if !strings.ContainsRune(s, 0) && utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// list is a column of texts: JSONB on Postgres, TEXT on SQLite.
type list []string

// Value implements driver.Valuer.
func (l list) Value() (driver.Value, error) {
	if len(l) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal([]string(l))
	return string(b), err
}

// Scan implements sql.Scanner. An empty list is read as nil.
func (l *list) Scan(src any) error {
	var out []string
	if err := unmarshal(src, &out); err != nil {
		return err
	}
	if len(out) == 0 {
		out = nil
	}
	*l = out
	return nil
}

// doc is a column that holds a value as JSON.
type doc[T any] struct{ v T }

// Value implements driver.Valuer.
func (d doc[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(d.v)
	return string(b), err
}

// Scan implements sql.Scanner.
func (d *doc[T]) Scan(src any) error {
	var v T
	if err := unmarshal(src, &v); err != nil {
		return err
	}
	d.v = v
	return nil
}

func unmarshal(src, into any) error {
	switch s := src.(type) {
	case nil:
		return nil
	case []byte:
		return json.Unmarshal(s, into)
	case string:
		return json.Unmarshal([]byte(s), into)
	default:
		return fmt.Errorf("a JSON column holds %T", src)
	}
}
