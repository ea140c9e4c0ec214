package session_test

import (
	"slices"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
)

func TestAStepUpRaisesASessionUnderANewCookie(t *testing.T) {
	bubble(t, func(t *testing.T, s *stage.Stage) {
		old, opened := start(t, s, session.Start{
			UserID: s.Person(t, "a@example.test").ID, ACR: "1", AMR: []string{"pwd"}, Trusted: true, Remember: true,
		})
		first := opened.AuthTime
		if !opened.Trusted {
			t.Fatal("the session does not say that its browser is remembered")
		}
		time.Sleep(time.Hour)
		token, err := s.Sessions.StepUp(ctx, opened, "2", []string{"pwd", "otp", "mfa"})
		if err != nil {
			t.Fatal(err)
		}
		if find(t, s, old) != "" {
			t.Error("security §10.1: the cookie from before the step-up still opens the session")
		}
		kept, err := s.Sessions.FromToken(ctx, token)
		if err != nil || kept == nil {
			t.Fatalf("the new cookie opens %v, %v", kept, err)
		}
		stored, err := s.Sessions.Get(ctx, opened.ID)
		if err != nil {
			t.Fatal(err)
		}
		for where, got := range map[string]*session.Session{"answer": opened, "cookie": kept, "store": stored} {
			if got.ACR != "2" || !slices.Equal(got.AMR, []string{"pwd", "otp", "mfa"}) || got.Trusted || !got.Remembered || got.ID != opened.ID {
				t.Errorf("%s: %+v", where, got)
			}
			if !got.AuthTime.Equal(first) {
				t.Errorf("%s: auth_time moved from %s to %s; it is that of the oldest factor", where, first, got.AuthTime)
			}
		}
		if err := s.Sessions.End(ctx, opened.ID, "over"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sessions.StepUp(ctx, opened, "2", nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("StepUp of an ended session = %v, want a conflict", err)
		}
	})
}

func TestALoginSaysAnewWhetherItsBrowserIsRemembered(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	token, _ := start(t, s, session.Start{UserID: ann.ID, ACR: "1", Trusted: true})
	_, again := start(t, s, session.Start{UserID: ann.ID, ACR: "1", Replace: token})
	if again.Trusted {
		t.Error("the trust of the login before holds for the next")
	}
}
