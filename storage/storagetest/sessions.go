package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/session"
)

// newSession is one that may be idle for an hour and lives for a day.
func newSession(id, userID string) session.Session {
	return session.Session{
		ID: id, Hash: "cookie-" + id, UserID: userID, AuthTime: epoch, CreatedAt: epoch, LastSeenAt: epoch,
		IdleExpiresAt: epoch.Add(time.Hour), ExpiresAt: epoch.Add(24 * time.Hour),
	}
}

// Sessions checks a session.Store.
func Sessions(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Sessions
		var n session.Session
		fill(t, &n)
		must(t, s.Create(t.Context(), n))
		byID, err := s.ByID(t.Context(), n.ID)
		must(t, err)
		same(t, "ByID", byID, n)
		byHash, err := s.ByHash(t.Context(), n.Hash)
		must(t, err)
		same(t, "ByHash", byHash, n)
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).Sessions
		must(t, s.Create(t.Context(), newSession("taken", "alice")))
		must(t, s.Create(t.Context(), session.Session{ID: "no cookie"}))
		must(t, s.Create(t.Context(), session.Session{ID: "no cookie either"}))
		wantKind(t, "a taken id", s.Create(t.Context(), session.Session{ID: "taken"}), fault.Conflict)
		wantKind(t, "a taken cookie", s.Create(t.Context(), session.Session{ID: "new", Hash: "cookie-taken"}), fault.Conflict)
		wantKind(t, "no id", s.Create(t.Context(), session.Session{}), fault.Invalid)
		for name, key := range strangeKeys {
			_, err := s.ByID(t.Context(), key)
			wantKind(t, "ByID of "+name, err, fault.NotFound)
			_, err = s.ByHash(t.Context(), key)
			wantKind(t, "ByHash of "+name, err, fault.NotFound)
			must(t, s.Touch(t.Context(), key, epoch, epoch))
			wantKind(t, "Renew of "+name, s.Renew(t.Context(), renewal(key, "new cookie")), fault.Conflict)
			if did, err := s.End(t.Context(), key, "test", epoch); did || err != nil {
				t.Errorf("End of %s: %v, %v; want false and no error", name, did, err)
			}
			if ids, err := s.EndOfUser(t.Context(), key, "", "test", epoch, epoch); len(ids) != 0 || err != nil {
				t.Errorf("EndOfUser of %s: %v, %v; want nothing", name, ids, err)
			}
			if of, err := s.OfUser(t.Context(), key, epoch); len(of) != 0 || err != nil {
				t.Errorf("OfUser of %s: %v, %v; want nothing", name, of, err)
			}
		}
	})

	t.Run("what a browser says of itself may be anything", func(t *testing.T) {
		s := open(t).Sessions
		n := newSession("a", "alice")
		n.UserAgent = "Mozilla\x00/5.0 \xff\xfe"
		must(t, s.Create(t.Context(), n))
		if _, err := s.ByID(t.Context(), "a"); err != nil {
			t.Errorf("ByID: %v", err)
		}
	})

	t.Run("touch", func(t *testing.T) { touch(t, open) })
	t.Run("renew", func(t *testing.T) { renew(t, open) })
	t.Run("end", func(t *testing.T) { endSessions(t, open) })
	t.Run("removal", func(t *testing.T) { removeSessions(t, open) })
}

func touch(t *testing.T, open OpenDurable) {
	s := open(t).Sessions
	for _, id := range []string{"live", "ended", "other"} {
		must(t, s.Create(t.Context(), newSession(id, "alice")))
	}
	if _, err := s.End(t.Context(), "ended", "logout", epoch); err != nil {
		t.Fatal(err)
	}
	must(t, s.Touch(t.Context(), "live", epoch.Add(time.Minute), epoch.Add(2*time.Hour)))
	must(t, s.Touch(t.Context(), "ended", epoch.Add(time.Minute), epoch.Add(2*time.Hour)))
	for id, want := range map[string]time.Duration{"live": 2 * time.Hour, "ended": time.Hour, "other": time.Hour} {
		got, err := s.ByID(t.Context(), id)
		must(t, err)
		same(t, "the idle limit of "+id, got.IdleExpiresAt, epoch.Add(want))
	}
	// Too late: what is over is not brought back.
	must(t, s.Touch(t.Context(), "live", epoch.Add(2*time.Hour), epoch.Add(5*time.Hour)))
	got, err := s.ByID(t.Context(), "live")
	must(t, err)
	same(t, "the idle limit after it passed", got.IdleExpiresAt, epoch.Add(2*time.Hour))
	same(t, "last seen", got.LastSeenAt, epoch.Add(time.Minute))
}

// renewal is one a minute after the beginning.
func renewal(id, hash string) session.Renewal {
	return session.Renewal{
		ID: id, OldHash: "cookie-" + id, Hash: hash, At: epoch.Add(time.Minute), AuthTime: epoch.Add(time.Second), ACR: "urn:acr:2", AMR: []string{"pwd", "otp"},
		IdleExpiresAt: epoch.Add(2 * time.Hour), Remembered: true,
	}
}

func renew(t *testing.T, open OpenDurable) {
	s := open(t).Sessions
	for _, id := range []string{"a", "ended", "idle", "over"} {
		n := newSession(id, "alice")
		switch id {
		case "ended":
			n.EndedAt = epoch
		case "idle":
			n.IdleExpiresAt = epoch.Add(time.Minute)
		case "over":
			n.ExpiresAt = epoch.Add(time.Minute)
		}
		must(t, s.Create(t.Context(), n))
	}
	r := renewal("a", "fresh")
	must(t, s.Renew(t.Context(), r))
	got, err := s.ByHash(t.Context(), "fresh")
	must(t, err)
	want := newSession("a", "alice")
	want.Hash, want.AuthTime, want.ACR, want.AMR = "fresh", r.AuthTime, r.ACR, r.AMR
	want.LastSeenAt, want.IdleExpiresAt, want.Remembered = r.At, r.IdleExpiresAt, true
	same(t, "the renewed session", got, want)
	_, err = s.ByHash(t.Context(), "cookie-a")
	wantKind(t, "the old cookie", err, fault.NotFound)
	for _, id := range []string{"ended", "idle", "over"} {
		wantKind(t, "one that is "+id, s.Renew(t.Context(), renewal(id, "x")), fault.Conflict)
	}
	again := renewal("a", "fresher")
	wantKind(t, "of a cookie that was replaced", s.Renew(t.Context(), again), fault.Conflict)
	again.OldHash = ""
	wantKind(t, "of no cookie", s.Renew(t.Context(), again), fault.Conflict)
	again.OldHash, again.Hash = "fresh", "cookie-ended"
	wantKind(t, "a taken cookie", s.Renew(t.Context(), again), fault.Conflict)
	again.Hash = ""
	wantKind(t, "no new cookie", s.Renew(t.Context(), again), fault.Invalid)
	again.Hash, again.Remembered = "fresher", false
	must(t, s.Renew(t.Context(), again))
	got, err = s.ByID(t.Context(), "a")
	must(t, err)
	if got.Remembered {
		t.Error("still remembered after a renewal without the wish")
	}
	if won := race(t, fault.Conflict, func(n int) error {
		r := renewal("a", fmt.Sprint("raced ", n))
		r.OldHash = "fresher"
		return s.Renew(t.Context(), r)
	}); won != 1 {
		t.Errorf("%d calls renewed the session, want 1", won)
	}
}

func endSessions(t *testing.T, open OpenDurable) {
	t.Run("once", func(t *testing.T) {
		s := open(t).Sessions
		must(t, s.Create(t.Context(), newSession("a", "alice")))
		if won := race(t, fault.Conflict, func(n int) error {
			did, err := s.End(t.Context(), "a", fmt.Sprint(n), epoch)
			if err == nil && !did {
				return fault.New(fault.Conflict, "lost", "lost")
			}
			return err
		}); won != 1 {
			t.Errorf("%d calls ended the session, want 1", won)
		}
		got, err := s.ByHash(t.Context(), "cookie-a")
		must(t, err)
		if got.EndedAt.IsZero() || got.Live(epoch) {
			t.Errorf("got %+v, want it ended", got)
		}
	})

	t.Run("all of a person but one", func(t *testing.T) {
		s := open(t).Sessions
		for id, userID := range map[string]string{"a": "alice", "b": "alice", "c": "alice", "d": "bob", "e": ""} {
			must(t, s.Create(t.Context(), newSession(id, userID)))
		}
		old := newSession("z", "alice")
		old.EndedAt = epoch.Add(-time.Minute)
		must(t, s.Create(t.Context(), old))
		end := func(userID, except string, since, now time.Time, want ...session.Ended) {
			t.Helper()
			got, err := s.EndOfUser(t.Context(), userID, except, "password changed", since, now)
			must(t, err)
			slices.SortFunc(got, func(a, b session.Ended) int { return strings.Compare(a.ID, b.ID) })
			same(t, "ended of "+userID+" but for "+except, got, want)
		}
		over := func(id string, before bool) session.Ended {
			return session.Ended{ID: id, Hash: "cookie-" + id, Before: before}
		}
		soon := epoch.Add(time.Second)
		end("alice", "b", epoch, epoch, over("a", false), over("c", false))
		end("alice", "b", epoch, soon, over("a", true), over("c", true)) // repeated
		end("alice", "b", soon, soon)
		end("alice", "", epoch, soon, over("a", true), over("b", false), over("c", true))
		end("alice", "a", epoch.Add(-time.Hour), soon, over("b", true), over("c", true), over("z", true))
		end("", "", epoch, epoch)
		if got, err := s.ByID(t.Context(), "d"); err != nil || !got.EndedAt.IsZero() {
			t.Errorf("the session of another: %+v, %v; want it alive", got, err)
		}
	})

	t.Run("the live ones are listed, newest first", func(t *testing.T) {
		s := open(t).Sessions
		for i, id := range []string{"old", "new", "ended", "idle", "over"} {
			n := newSession(id, "alice")
			n.CreatedAt = epoch.Add(time.Duration(i) * time.Second)
			switch id {
			case "ended":
				n.EndedAt = epoch
			case "idle":
				n.IdleExpiresAt = epoch.Add(time.Minute)
			case "over":
				n.ExpiresAt = epoch.Add(time.Minute)
			}
			must(t, s.Create(t.Context(), n))
		}
		got, err := s.OfUser(t.Context(), "alice", epoch.Add(time.Minute))
		must(t, err)
		if len(got) != 2 || got[0].ID != "new" || got[1].ID != "old" {
			t.Errorf("OfUser = %+v, want new, old", got)
		}
	})
}

func removeSessions(t *testing.T, open OpenDurable) {
	s := open(t).Sessions
	for _, id := range []string{"live", "over", "ended", "ended late", "idle"} {
		n := newSession(id, "alice")
		switch id {
		case "over":
			n.ExpiresAt = epoch.Add(-time.Second)
		case "ended":
			n.EndedAt = epoch.Add(-time.Second)
		case "ended late":
			n.EndedAt = epoch
		case "idle": // refresh asks for it until its absolute limit
			n.IdleExpiresAt = epoch.Add(-time.Hour)
		}
		must(t, s.Create(t.Context(), n))
	}
	for i, want := range []int{0, 1, 1, 0} {
		if n, err := s.DeleteExpired(t.Context(), epoch, min(i, 1)); err != nil || n != want {
			t.Errorf("batch %d: removed %d, %v; want %d", i, n, err, want)
		}
	}
	for id, want := range map[string]fault.Kind{"live": fault.None, "idle": fault.None, "ended late": fault.None, "over": fault.NotFound, "ended": fault.NotFound} {
		_, err := s.ByID(t.Context(), id)
		wantKind(t, id, err, want)
	}
}
