package session_test

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
)

const day = 24 * time.Hour

func TestWhoStaysSignedInMayBeAwayForLonger(t *testing.T) {
	t.Run("idle: 14 days instead of 12 hours", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, Remember: true})
			time.Sleep(14*day - time.Second)
			if find(t, s, token) == "" {
				t.Fatal("anonymous within 14 days")
			}
			time.Sleep(14*day - time.Second)
			if find(t, s, token) == "" {
				t.Fatal("the use did not move the limit by 14 days")
			}
		})
		bubble(t, func(t *testing.T, s *stage.Stage) {
			token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, Remember: true})
			time.Sleep(14 * day)
			if find(t, s, token) != "" {
				t.Error("still signed in after 14 days without a request")
			}
		})
	})
	t.Run("absolute: 30 days all the same", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, Remember: true})
			if got := opened.CookieLife(time.Now()); got != 30*day {
				t.Errorf("the browser keeps the cookie for %s, want 30 days", got)
			}
			for range 29 {
				time.Sleep(day)
				if find(t, s, token) == "" {
					t.Fatal("anonymous within 30 days of daily use")
				}
			}
			time.Sleep(day)
			if find(t, s, token) != "" {
				t.Error("still signed in after 30 days")
			}
		})
	})
	t.Run("who did not ask ends with the browser", func(t *testing.T) {
		s := stage.New(t)
		if _, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID}); opened.CookieLife(time.Now()) != 0 {
			t.Error("the cookie outlives the browser")
		}
	})
}

func TestTheLatestLoginSaysWhetherItIsRemembered(t *testing.T) {
	for name, tt := range map[string]struct{ first, second bool }{
		"no longer": {first: true, second: false},
		"from now":  {first: false, second: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *stage.Stage) {
				ann := s.Person(t, "a@example.test")
				old, first := start(t, s, session.Start{UserID: ann.ID, Remember: tt.first})
				time.Sleep(day / 4)
				token, second := start(t, s, session.Start{UserID: ann.ID, Remember: tt.second, Replace: old})
				if second.ID != first.ID || second.Remembered != tt.second {
					t.Errorf("the session is %+v, want the same sid, remembered %v", second, tt.second)
				}
				if life := second.CookieLife(time.Now()); life != 0 != tt.second || life > 30*day-day/4 {
					t.Errorf("the browser keeps the cookie for %s", life)
				}
				time.Sleep(day / 2)
				if got := find(t, s, token) != ""; got != tt.second {
					t.Errorf("after 12 hours without a request signed in is %v, want %v", got, tt.second)
				}
			})
		})
	}
	t.Run("a fresh authentication within it changes nothing of it", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			_, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, Remember: true})
			time.Sleep(13 * day)
			token, err := s.Sessions.Renew(ctx, opened, "1", []string{"pwd"})
			if err != nil || !opened.Remembered {
				t.Fatalf("Renew: %v, remembered %v", err, opened.Remembered)
			}
			time.Sleep(13 * day)
			if find(t, s, token) == "" {
				t.Error("anonymous within 14 days of a renewal")
			}
		})
	})
	t.Run("a use through a copy keeps the long limit", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, Remember: true})
			for range 4 {
				time.Sleep(40 * time.Second)
				find(t, s, token)
			}
			time.Sleep(13 * day)
			if find(t, s, token) == "" {
				t.Error("anonymous within 14 days of the last use")
			}
		})
	})
}
