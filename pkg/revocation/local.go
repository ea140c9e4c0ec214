package revocation

import (
	"sync"
	"time"
)

// name is what makes an entry: of two with the same name the one that reaches
// further stands.
type name struct {
	kind Kind
	id   string
}

// local is this instance's copy of the live set, with the mark it has. Nobody
// edits an entry: it is replaced. An entry is never dropped because the live
// set lacks it, only when it has long expired.
type local struct {
	mu      sync.RWMutex
	mark    Mark // empty: in step with nothing
	entries map[name]*Entry
}

// names are what a token may be revoked by, the narrowest reason first.
func (f *Facts) names() [5]name {
	return [5]name{{Token, f.JTI}, {Grant, f.GrantID}, {Session, f.SessionID}, {Subject, f.UserID}, {Client, f.ClientID}}
}

// lookup answers if the set is at head; why is nil when nothing is revoked.
func (l *local) lookup(head Mark, f Facts) (why *Entry, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mark == "" || l.mark != head {
		return nil, false
	}
	return l.match(f), true
}

// find answers from the set as it is, after a catch-up.
func (l *local) find(f Facts) *Entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.match(f)
}

// match does not look at ExpiresAt: an entry that expired concerns tokens that
// are dead by themselves, and the clock might be wrong.
func (l *local) match(f Facts) *Entry {
	for _, n := range f.names() {
		if n.id == "" {
			continue
		}
		e := l.entries[n]
		if e == nil {
			continue
		}
		if n.kind == Token || n.kind == Grant || !f.IssuedAt.After(e.NotBefore) {
			return e
		}
	}
	return nil
}

func (l *local) at(head Mark) bool { return head != "" && l.head() == head }

func (l *local) head() Mark {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mark
}

// advance adds entries and moves the mark.
func (l *local) advance(entries []Entry, head Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.merge(entries)
	l.mark = head
}

// add adds entries and leaves the mark.
func (l *local) add(entries []Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.merge(entries)
}

func (l *local) merge(entries []Entry) {
	if l.entries == nil {
		l.entries = make(map[name]*Entry, len(entries))
	}
	for i := range entries {
		e := entries[i]
		n := name{e.Kind, e.ID}
		if had := l.entries[n]; had != nil {
			e = had.Extend(e)
		}
		l.entries[n] = &e
	}
}

// missing returns the entries that reach further than what the set holds.
func (l *local) missing(entries []Entry) []Entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return beyond(l.entries, entries)
}

// prune forgets what expired before the time. It looks first and locks after,
// so that checks do not wait for a walk through the whole set.
func (l *local) prune(before time.Time) {
	var old []name
	l.mu.RLock()
	for n, e := range l.entries {
		if e.ExpiresAt.Before(before) {
			old = append(old, n)
		}
	}
	l.mu.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range old {
		if e := l.entries[n]; e != nil && e.ExpiresAt.Before(before) {
			delete(l.entries, n)
		}
	}
}

// index arranges entries by name.
func index(entries []Entry) map[name]*Entry {
	var l local
	l.merge(entries)
	return l.entries
}

// beyond returns the entries that reach further than those of have.
func beyond(have map[name]*Entry, entries []Entry) []Entry {
	var more []Entry
	for _, e := range entries {
		if had := have[name{e.Kind, e.ID}]; had == nil || e.Beyond(*had) {
			more = append(more, e)
		}
	}
	return more
}

// Beyond reports whether e reaches further than had, of the same kind and id:
// it ends later tokens, or stands longer.
func (e Entry) Beyond(had Entry) bool {
	return e.NotBefore.After(had.NotBefore) || e.ExpiresAt.After(had.ExpiresAt)
}

// Extend returns e reaching as far as e and by together.
func (e Entry) Extend(by Entry) Entry {
	if !by.Beyond(e) {
		return e
	}
	if e.NotBefore.After(by.NotBefore) {
		by.NotBefore = e.NotBefore
	}
	if e.ExpiresAt.After(by.ExpiresAt) {
		by.ExpiresAt = e.ExpiresAt
	}
	return by
}
