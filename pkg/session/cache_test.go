package session_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/storage/embedded"
)

// watched is a Store that counts what it is asked for, and lets a test step in
// between the reading of a row and its return.
type watched struct {
	session.Store
	asked atomic.Int32
	then  func()
}

func (w *watched) ByHash(ctx context.Context, hash string) (session.Session, error) {
	w.asked.Add(1)
	found, err := w.Store.ByHash(ctx, hash)
	if w.then != nil {
		w.then()
	}
	return found, err
}

// instance returns another service over the same database, with a cache of
// its own or a shared one.
func instance(s *stage.Stage, cache session.Cache) (*session.Service, *watched) {
	store := &watched{Store: s.Durable.Sessions}
	return session.NewService(store, s.Durable.Grants, s.Revoker, s.Prints, s.Audit, session.Config{Cache: cache}), store
}

// sees returns the sid that a service finds behind a cookie.
func sees(t *testing.T, svc *session.Service, token string) string {
	t.Helper()
	found, err := svc.FromToken(ctx, token)
	if err != nil {
		t.Fatalf("FromToken: %v", err)
	}
	if found == nil {
		return ""
	}
	return found.ID
}

func TestAWarmSessionAsksNoDatabase(t *testing.T) {
	bubble(t, func(t *testing.T, s *stage.Stage) {
		svc, store := instance(s, s.Copies)
		token, opened, err := svc.Start(ctx, session.Start{UserID: s.Person(t, "a@example.test").ID})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(11 * time.Second)
			if sees(t, svc, token) != opened.ID {
				t.Fatal("the session is anonymous")
			}
		}
		if n := store.asked.Load(); n != 0 {
			t.Errorf("the first minute asked the store %d times, want none", n)
		}
		time.Sleep(10 * time.Second) // a copy is not believed for longer than a minute
		for range 5 {
			sees(t, svc, token)
		}
		if n := store.asked.Load(); n != 1 {
			t.Errorf("the second minute asked the store %d times, want once", n)
		}
	})
}

func TestACopyIsTheSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *stage.Stage) {
		svc, _ := instance(s, s.Copies)
		token, _, err := svc.Start(ctx, session.Start{
			UserID: s.Person(t, "a@example.test").ID, ACR: "1", AMR: []string{"pwd"}, UserAgent: "Firefox", Address: "192.0.2.1", Remember: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		stored, _ := instance(s, nil)
		want, err := stored.FromToken(ctx, token) // touches
		if err != nil {
			t.Fatal(err)
		}
		sees(t, svc, token)
		got, err := svc.FromToken(ctx, token)
		if err != nil || got == nil || got.UserID != want.UserID || got.ID != want.ID || got.Hash != want.Hash || !got.AuthTime.Equal(want.AuthTime) ||
			got.ACR != "1" || len(got.AMR) != 1 || got.UserAgent != "Firefox" || got.Address != "192.0.2.1" || !got.Remembered ||
			!got.IdleExpiresAt.Equal(want.IdleExpiresAt) || !got.LastSeenAt.Equal(want.LastSeenAt) || !got.ExpiresAt.Equal(want.ExpiresAt) {
			t.Errorf("the copy is %+v, %v; want %+v", got, err, want)
		}
	})
}

// ends are the ways in which the cookie of a session dies.
var ends = map[string]func(svc *session.Service, of *session.Session, token string) error{
	"End": func(svc *session.Service, of *session.Session, _ string) error { return svc.End(ctx, of.ID, "test") },
	"EndOne": func(svc *session.Service, of *session.Session, _ string) error {
		return svc.EndOne(ctx, of.UserID, of.ID, "test")
	},
	"EndOthers": func(svc *session.Service, of *session.Session, _ string) error {
		return svc.EndOthers(ctx, of.UserID, "", "test")
	},
	"EndOfUser": func(svc *session.Service, of *session.Session, _ string) error {
		return svc.EndOfUser(ctx, of.UserID, "", "test", nil)
	},
	"Renew": func(svc *session.Service, of *session.Session, _ string) error {
		_, err := svc.Renew(ctx, of, "1", nil)
		return err
	},
	"Rotate": func(svc *session.Service, of *session.Session, _ string) error {
		_, err := svc.Rotate(ctx, of)
		return err
	},
	"the same person signs in": func(svc *session.Service, of *session.Session, token string) error {
		_, _, err := svc.Start(ctx, session.Start{UserID: of.UserID, Replace: token})
		return err
	},
	"another person signs in": func(svc *session.Service, _ *session.Session, token string) error {
		_, _, err := svc.Start(ctx, session.Start{UserID: "somebody else", Replace: token})
		return err
	},
}

func TestAnAcknowledgedEndHoldsForCopies(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t)
			here, _ := instance(s, s.Copies)
			there, _ := instance(s, s.Copies)
			token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
			if sees(t, there, token) != opened.ID {
				t.Fatal("the other instance does not see the session")
			}
			if err := end(here, opened, token); err != nil {
				t.Fatal(err)
			}
			if got := sees(t, there, token); got != "" {
				t.Errorf("the other instance sees %q after the end", got)
			}
		})
		// Whoever read the row a moment before must not bring it back.
		t.Run(name+" while somebody reads", func(t *testing.T) {
			s := stage.New(t)
			token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
			s.Copies.Cache = embedded.NewSessions() // nothing is warm
			reader, store := instance(s, s.Copies)
			other, _ := instance(s, s.Copies)
			store.then = func() {
				if err := end(other, opened, token); err != nil {
					t.Error(err)
				}
			}
			sees(t, reader, token)
			store.then = nil
			if got := sees(t, reader, token); got != "" {
				t.Errorf("the reader sees %q after the end", got)
			}
			if _, err := s.Copies.Get(ctx, s.Prints.Of(secret.SessionCookie, token), time.Now()); !fault.Is(err, fault.NotFound) {
				t.Errorf("the cache of the ended session says %v, want nothing there", err)
			}
		})
		t.Run(name+" is not acknowledged while the cache is away", func(t *testing.T) {
			s := stage.New(t)
			svc, _ := instance(s, s.Copies)
			token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
			s.Copies.SetDown(true)
			if err := end(svc, opened, token); !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v, want unavailable", err)
			}
			s.Copies.SetDown(false)
			if err := end(svc, opened, token); err != nil {
				t.Errorf("again: %v", err)
			}
			if got := sees(t, svc, token); got != "" {
				t.Errorf("after the repetition: %q", got)
			}
			if _, err := s.Copies.Get(ctx, s.Prints.Of(secret.SessionCookie, token), time.Now()); !fault.Is(err, fault.NotFound) {
				t.Errorf("the cache of the ended session says %v, want nothing there", err)
			}
		})
	}
}

// TestACacheThatForgotADropIsNotBelieved: a failover may take back the newest
// writes, and a command of the shell cannot reach the memory of the server.
func TestACacheThatForgotADropIsNotBelieved(t *testing.T) {
	for _, name := range []string{"End", "EndOne", "EndOthers", "EndOfUser", "another person signs in"} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t)
			server, store := instance(s, embedded.NewSessions())
			shell, _ := instance(s, embedded.NewSessions())
			token, opened, err := server.Start(ctx, session.Start{UserID: s.Person(t, "a@example.test").ID})
			if err != nil {
				t.Fatal(err)
			}
			if err := ends[name](shell, opened, token); err != nil {
				t.Fatal(err)
			}
			if got := sees(t, server, token); got != "" {
				t.Errorf("a copy answered for a session that ended: %q", got)
			}
			if store.asked.Load() != 1 {
				t.Error("the store was not asked")
			}
		})
	}
}

// TestATurnThatFailsCostsNobodyTheirSession: no cookie is dead before its
// successor is known.
func TestATurnThatFailsCostsNobodyTheirSession(t *testing.T) {
	for _, name := range []string{"Renew", "Rotate", "the same person signs in"} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t)
			token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
			s.Copies.SetDown(true)
			if err := ends[name](s.Sessions, opened, token); !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v, want unavailable", err)
			}
			if find(t, s, token) != opened.ID {
				t.Error("the cookie is dead, and there is no other")
			}
		})
	}
}

func TestRotationProvesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *stage.Stage) {
		old, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, ACR: "1", AMR: []string{"pwd"}, Remember: true})
		signedIn := opened.AuthTime
		time.Sleep(time.Hour)
		token, err := s.Sessions.Rotate(ctx, opened)
		if err != nil {
			t.Fatal(err)
		}
		for name, from := range map[string]*stage.Copies{"the cache": s.Copies, "the store": nil} {
			var cache session.Cache
			if from != nil {
				cache = from
			}
			svc, _ := instance(s, cache)
			got, err := svc.FromToken(ctx, token)
			if err != nil || got == nil || !got.AuthTime.Equal(signedIn) || got.ACR != "1" || len(got.AMR) != 1 || !got.Remembered {
				t.Errorf("%s has %+v, %v; want what the sign-in said", name, got, err)
			}
		}
		if token == old || find(t, s, old) != "" {
			t.Error("the old cookie still works")
		}
	})
}

func TestTheStoreAnswersWhenTheCacheCannot(t *testing.T) {
	bubble(t, func(t *testing.T, s *stage.Stage) {
		svc, store := instance(s, s.Copies)
		token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
		for name, away := range map[string]interface{ SetDown(bool) }{"the cache": s.Copies, "the revocations": s.Revoker} {
			away.SetDown(true)
			before := store.asked.Load()
			if sees(t, svc, token) != opened.ID || store.asked.Load() != before+1 {
				t.Errorf("with %s away: the store was asked %d times, want once", name, store.asked.Load()-before)
			}
			away.SetDown(false)
		}
	})
}

func TestWhatIsNotKept(t *testing.T) {
	hash := func(s *stage.Stage, token string) string { return s.Prints.Of(secret.SessionCookie, token) }
	t.Run("what took long to read", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			svc, store := instance(s, s.Copies)
			token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
			s.Copies.Cache = embedded.NewSessions()
			store.then = func() { time.Sleep(session.CopyLife) }
			sees(t, svc, token)
			if _, err := s.Copies.Get(ctx, hash(s, token), time.Now().Add(-session.CopyLife)); !fault.Is(err, fault.NotFound) {
				t.Errorf("a copy of a minute ago was put: %v", err)
			}
		})
	})
	t.Run("a copy of a clock that was ahead does not count", func(t *testing.T) {
		s := stage.New(t)
		svc, store := instance(s, s.Copies)
		token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
		if err := s.Copies.Put(ctx, session.Copy{Session: *opened, Until: time.Now().Add(time.Hour)}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if sees(t, svc, token); store.asked.Load() != 1 {
			t.Error("a copy answered that is to live for an hour")
		}
	})
	t.Run("cookies that open nothing", func(t *testing.T) {
		s := stage.New(t)
		svc, _ := instance(s, s.Copies)
		made := secret.New(secret.SessionCookie)
		sees(t, svc, made)
		if _, err := s.Copies.Get(ctx, hash(s, made), time.Now()); !fault.Is(err, fault.NotFound) {
			t.Errorf("the cache says %v of a cookie that nobody has", err)
		}
	})
}

// TestAKeptSessionOutlivesTheEndOfTheOthers holds although the person's
// tokens were cut off.
func TestAKeptSessionOutlivesTheEndOfTheOthers(t *testing.T) {
	s := stage.New(t)
	token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
	if err := s.Sessions.EndOfUser(ctx, opened.UserID, opened.ID, "password changed", nil); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Revoker.Entries() {
		if e.Kind == revocation.Session {
			t.Errorf("the kept session is among the ended: %+v", e)
		}
	}
	s.Copies.SetDown(true)
	fromStore := find(t, s, token)
	s.Copies.SetDown(false)
	if find(t, s, token) != opened.ID || fromStore != opened.ID {
		t.Error("the kept session is anonymous")
	}
}
