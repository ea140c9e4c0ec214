package session_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

var ctx = context.Background()

// bubble runs a test on a stage with fake time.
func bubble(t *testing.T, run func(t *testing.T, s *stage.Stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, stage.New(t)) })
}

func start(t *testing.T, s *stage.Stage, in session.Start) (string, *session.Session) {
	t.Helper()
	token, opened, err := s.Sessions.Start(ctx, in)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return token, opened
}

// find returns the sid behind a cookie value, "" for anonymous.
func find(t *testing.T, s *stage.Stage, token string) string {
	t.Helper()
	found, err := s.Sessions.FromToken(ctx, token)
	if err != nil {
		t.Fatalf("FromToken: %v", err)
	}
	if found == nil {
		return ""
	}
	return found.ID
}

func TestASessionLivesWithinItsLimits(t *testing.T) {
	t.Run("idle: used in time it goes on, unused it is over", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, ACR: "1"})
			for range 3 {
				time.Sleep(11 * time.Hour)
				if find(t, s, token) != opened.ID {
					t.Fatal("a session used within 12 hours is anonymous")
				}
			}
			time.Sleep(12 * time.Hour)
			if got := find(t, s, token); got != "" {
				t.Errorf("a session unused for 12 hours is %q, want anonymous", got)
			}
		})
	})
	t.Run("absolute: over after 30 days however often it is used", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
			for half := range 60 { // a minute less than 30 days
				time.Sleep(12*time.Hour - time.Second)
				if find(t, s, token) == "" {
					t.Fatalf("over after %d half days", half+1)
				}
			}
			time.Sleep(2 * time.Minute)
			if got := find(t, s, token); got != "" {
				t.Errorf("after 30 days the session is %q, want anonymous", got)
			}
		})
	})
}

func TestUseIsWrittenAtMostOnceAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, s *stage.Stage) {
		token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
		seen := func() time.Time {
			row, err := s.Durable.Sessions.ByID(ctx, opened.ID)
			if err != nil {
				t.Fatal(err)
			}
			return row.LastSeenAt
		}
		first := seen()
		time.Sleep(59 * time.Second)
		find(t, s, token)
		if !seen().Equal(first) {
			t.Error("a use within a minute was written")
		}
		time.Sleep(time.Second)
		find(t, s, token)
		if !seen().After(first) {
			t.Error("a use after a minute was not written")
		}
	})
}

func TestBrokenCookiesAreAnonymous(t *testing.T) {
	s := stage.New(t)
	token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
	for name, cookie := range map[string]string{
		"empty":                  "",
		"garbage":                "garbage",
		"cut":                    token[:len(token)-1],
		"longer":                 token + "A",
		"another letter":         "pts_A" + token[5:],
		"well-formed, not ours":  secret.New(secret.SessionCookie),
		"another kind":           secret.New(secret.BrowserCookie),
		"a NUL byte":             token + "\x00",
		"a very long one":        strings.Repeat("A", 1<<20),
		"the fingerprint itself": s.Prints.Of(secret.SessionCookie, token),
	} {
		t.Run(name, func(t *testing.T) {
			if got := find(t, s, cookie); got != "" {
				t.Errorf("FromToken(%.40q) = %q, want anonymous", cookie, got)
			}
		})
	}
}

func TestOnlyAFingerprintIsStored(t *testing.T) {
	s := stage.New(t)
	token, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
	row, err := s.Durable.Sessions.ByID(ctx, opened.ID)
	if err != nil {
		t.Fatal(err)
	}
	if row.Hash == "" || strings.Contains(row.Hash, token) || strings.Contains(token, row.Hash) || strings.Contains(token, row.ID) {
		t.Errorf("row %+v gives the cookie %q away", row, token)
	}
}

func TestStartReplacesWhatTheBrowserHad(t *testing.T) {
	t.Run("ASVS 7.2.4 the same person: new cookie, old one dead, same sid", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			ann := s.Person(t, "a@example.test")
			old, first := start(t, s, session.Start{UserID: ann.ID, ACR: "1", AMR: []string{"pwd"}})
			time.Sleep(time.Hour)
			token, second := start(t, s, session.Start{UserID: ann.ID, ACR: "1", AMR: []string{"pwd"}, Replace: old})
			if token == old || find(t, s, old) != "" {
				t.Error("the cookie from before the login still works")
			}
			if second.ID != first.ID || find(t, s, token) != first.ID {
				t.Errorf("sid %q, want %q: applications know it", second.ID, first.ID)
			}
			if got := time.Since(second.AuthTime); got != 0 {
				t.Errorf("auth_time is %v old, want now", got)
			}
			if !second.ExpiresAt.Equal(first.ExpiresAt) {
				t.Error("the absolute limit moved")
			}
		})
	})
	t.Run("another person: the old session ends with its grants", func(t *testing.T) {
		s := stage.New(t)
		ann, ben := s.Person(t, "a@example.test"), s.Person(t, "b@example.test")
		old, first := start(t, s, session.Start{UserID: ann.ID})
		g := give(t, s, ann, first.ID, false)
		_, second := start(t, s, session.Start{UserID: ben.ID, Replace: old})
		if second.ID == first.ID || find(t, s, old) != "" {
			t.Error("the session of the person before still works")
		}
		if !revoked(t, s, g) {
			t.Error("the grant of the person before stands")
		}
	})
	t.Run("a session that is over is not taken up", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *stage.Stage) {
			ann := s.Person(t, "a@example.test")
			old, first := start(t, s, session.Start{UserID: ann.ID})
			time.Sleep(13 * time.Hour)
			_, second := start(t, s, session.Start{UserID: ann.ID, Replace: old})
			if second.ID == first.ID {
				t.Error("an expired session came back to life")
			}
		})
	})
	t.Run("a made-up cookie opens nothing", func(t *testing.T) {
		s := stage.New(t)
		fixed := secret.New(secret.SessionCookie)
		token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, Replace: fixed})
		if token == fixed || find(t, s, fixed) != "" {
			t.Error("a cookie that existed before the login is signed in")
		}
	})
}

// give makes a grant in a session.
func give(t *testing.T, s *stage.Stage, u *user.User, sid string, offline bool) string {
	t.Helper()
	c := s.Client(t)
	id := secret.ID()
	err := s.Durable.Grants.Create(ctx, grant.Grant{
		ID: id, ClientID: c.ID, UserID: u.ID, SessionID: sid,
		CodeHash: secret.ID(), CodeExpiresAt: time.Now().Add(time.Minute), Offline: offline, CreatedAt: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func revoked(t *testing.T, s *stage.Stage, id string) bool {
	t.Helper()
	g, err := s.Durable.Grants.ByID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return g.Revoked()
}

func TestEndIsDurableAndComplete(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	token, opened := start(t, s, session.Start{UserID: ann.ID})
	plain, offline := give(t, s, ann, opened.ID, false), give(t, s, ann, opened.ID, true)
	if err := s.Sessions.End(ctx, opened.ID, "logout"); err != nil {
		t.Fatal(err)
	}
	if find(t, s, token) != "" {
		t.Error("the cookie of an ended session works")
	}
	if !revoked(t, s, plain) || revoked(t, s, offline) {
		t.Errorf("grant revoked %v, offline grant revoked %v; want true, false", revoked(t, s, plain), revoked(t, s, offline))
	}
	got := map[revocation.Kind]string{}
	for _, e := range s.Revoker.Entries() {
		got[e.Kind] = e.ID
		if !e.ExpiresAt.After(time.Now().Add(23 * time.Hour)) {
			t.Errorf("entry %+v is forgotten while a token of 24 hours may live", e)
		}
	}
	if got[revocation.Session] != opened.ID || got[revocation.Grant] != plain || len(s.Revoker.Entries()) != 2 {
		t.Errorf("live set has %v, want the session and its grant", s.Revoker.Entries())
	}
	if events := s.Audit.Named(audit.SessionEnded); len(events) != 1 || events[0].SessionID != opened.ID || events[0].UserID != ann.ID {
		t.Errorf("audit has %+v, want one end of the session", events)
	}

	t.Run("repeating it is harmless and told once", func(t *testing.T) {
		if err := s.Sessions.End(ctx, opened.ID, "logout"); err != nil {
			t.Errorf("second End: %v", err)
		}
		if n := len(s.Audit.Named(audit.SessionEnded)); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	})
	t.Run("an unknown session is no error", func(t *testing.T) {
		if err := s.Sessions.End(ctx, "nobody", "logout"); err != nil {
			t.Errorf("End of an unknown sid: %v", err)
		}
	})
	t.Run("an ended session cannot be renewed", func(t *testing.T) {
		if _, err := s.Sessions.Renew(ctx, opened, "1", nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("Renew of an ended session: %v, want a conflict", err)
		}
	})
}

func TestEndIsNotAcknowledgedWhileTheLiveSetIsDown(t *testing.T) {
	s := stage.New(t)
	_, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
	s.Revoker.SetDown(true)
	if err := s.Sessions.End(ctx, opened.ID, "logout"); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("End with the live set down: %v, want unavailable", err)
	}
	s.Revoker.SetDown(false)
	if err := s.Sessions.End(ctx, opened.ID, "logout"); err != nil {
		t.Fatalf("End again: %v", err)
	}
	if len(s.Revoker.Entries()) == 0 {
		t.Error("the second try acknowledged without telling the live set")
	}
	if n := len(s.Audit.Named(audit.SessionEnded)); n != 1 {
		t.Errorf("%d events of one end, want 1", n)
	}
}

func TestEndOfUser(t *testing.T) {
	s := stage.New(t)
	ann, ben := s.Person(t, "a@example.test"), s.Person(t, "b@example.test")
	kept, keptSession := start(t, s, session.Start{UserID: ann.ID})
	lost, lostSession := start(t, s, session.Start{UserID: ann.ID})
	other, _ := start(t, s, session.Start{UserID: ben.ID})
	offline := give(t, s, ann, lostSession.ID, true)
	foreign := give(t, s, ben, "elsewhere", false)

	t.Run("nothing holds when its reason does not", func(t *testing.T) {
		failed := fault.New(fault.Conflict, "conflict", "No.")
		err := s.Sessions.EndOfUser(ctx, ann.ID, "", "test", func(context.Context) error { return failed })
		if !fault.Is(err, fault.Conflict) || find(t, s, lost) == "" || revoked(t, s, offline) {
			t.Errorf("EndOfUser = %v; session alive %v, grant revoked %v; want a conflict and no change", err, find(t, s, lost) != "", revoked(t, s, offline))
		}
	})
	if err := s.Sessions.EndOfUser(ctx, ann.ID, keptSession.ID, "password changed", nil); err != nil {
		t.Fatal(err)
	}
	if find(t, s, kept) == "" || find(t, s, lost) != "" || find(t, s, other) == "" {
		t.Error("want the excepted session and the other person's alive, the rest dead")
	}
	if !revoked(t, s, offline) || revoked(t, s, foreign) {
		t.Error("want offline grants of the person dead too, those of others alive")
	}
	cutOff := false
	for _, e := range s.Revoker.Entries() {
		cutOff = cutOff || e.Kind == revocation.Subject && e.ID == ann.ID && !e.NotBefore.IsZero()
	}
	if !cutOff {
		t.Errorf("entries %+v, want a cut-off for every token of the person", s.Revoker.Entries())
	}
}

func TestEndOne(t *testing.T) {
	s := stage.New(t)
	ann, ben := s.Person(t, "a@example.test"), s.Person(t, "b@example.test")
	token, opened := start(t, s, session.Start{UserID: ann.ID})
	kept, _ := start(t, s, session.Start{UserID: ann.ID})
	plain, offline := give(t, s, ann, opened.ID, false), give(t, s, ann, opened.ID, true)

	for name, who := range map[string][2]string{
		"another person's":   {ben.ID, opened.ID},
		"nobody's":           {"", opened.ID},
		"one that is not":    {ann.ID, "nobody"},
		"one without a name": {ann.ID, ""},
		"the cookie's value": {ann.ID, token},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Sessions.EndOne(ctx, who[0], who[1], "person"); !fault.Is(err, fault.NotFound) {
				t.Errorf("EndOne = %v, want not found", err)
			}
			if find(t, s, token) == "" || revoked(t, s, plain) || len(s.Revoker.Entries()) != 0 || len(s.Audit.Named(audit.SessionEnded)) != 0 {
				t.Error("something changed")
			}
		})
	}
	for range 2 { // repeating it is harmless
		if err := s.Sessions.EndOne(ctx, ann.ID, opened.ID, "person"); err != nil {
			t.Fatal(err)
		}
	}
	if find(t, s, token) != "" || find(t, s, kept) == "" {
		t.Error("want this session dead and the other alive")
	}
	if !revoked(t, s, plain) || !revoked(t, s, offline) {
		t.Errorf("grant revoked %v, offline grant revoked %v; want both", revoked(t, s, plain), revoked(t, s, offline))
	}
	if events := s.Audit.Named(audit.SessionEnded); len(events) != 1 || events[0].Actor != ann.ID || events[0].SessionID != opened.ID {
		t.Errorf("audit has %+v, want one end by the person", events)
	}
}

func TestEndOthers(t *testing.T) {
	s := stage.New(t)
	ann, ben := s.Person(t, "a@example.test"), s.Person(t, "b@example.test")
	here, hereSession := start(t, s, session.Start{UserID: ann.ID})
	there, thereSession := start(t, s, session.Start{UserID: ann.ID})
	other, otherSession := start(t, s, session.Start{UserID: ben.ID})
	alive := []string{give(t, s, ann, hereSession.ID, false), give(t, s, ann, hereSession.ID, true), give(t, s, ben, otherSession.ID, false)}
	dead := []string{give(t, s, ann, thereSession.ID, false), give(t, s, ann, thereSession.ID, true)}

	s.Revoker.SetDown(true)
	if err := s.Sessions.EndOthers(ctx, ann.ID, hereSession.ID, "person"); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("EndOthers with the live set down: %v, want unavailable", err)
	}
	s.Revoker.SetDown(false)
	for range 2 {
		if err := s.Sessions.EndOthers(ctx, ann.ID, hereSession.ID, "person"); err != nil {
			t.Fatal(err)
		}
	}
	if events := s.Audit.Named(audit.SessionEnded); len(events) != 1 || events[0].SessionID != thereSession.ID || events[0].Actor != ann.ID {
		t.Errorf("audit has %+v, want one end by the person", events)
	}
	if find(t, s, here) == "" || find(t, s, there) != "" || find(t, s, other) == "" {
		t.Error("want the kept session and the other person's alive, the rest dead")
	}
	for _, id := range alive {
		if revoked(t, s, id) {
			t.Errorf("grant %s is revoked; want those of the kept session and of others alive", id)
		}
	}
	for _, id := range dead {
		if !revoked(t, s, id) {
			t.Errorf("grant %s stands; want those of the ended session dead, offline ones too", id)
		}
	}
	told := map[string]bool{}
	for _, e := range s.Revoker.Entries() {
		if e.Kind == revocation.Subject {
			t.Error("a cut-off for every token of the person ends the kept session's too")
		}
		told[e.ID] = true
	}
	if !told[thereSession.ID] || told[hereSession.ID] || told[otherSession.ID] {
		t.Errorf("the live set heard of %v, want the ended session", told)
	}
}

func TestEndOthersKeepsNobodyElses(t *testing.T) {
	s := stage.New(t)
	ann, ben := s.Person(t, "a@example.test"), s.Person(t, "b@example.test")
	mine, _ := start(t, s, session.Start{UserID: ann.ID})
	other, otherSession := start(t, s, session.Start{UserID: ben.ID})
	for name, keep := range map[string]string{"another person's": otherSession.ID, "none": ""} {
		if err := s.Sessions.EndOthers(ctx, ann.ID, keep, "person"); err != nil {
			t.Fatal(err)
		}
		if find(t, s, mine) != "" || find(t, s, other) == "" {
			t.Errorf("keeping %s: want all of the person's own dead, the other person's alive", name)
		}
	}
}

func TestAStoreThatIsDownIsNoAnonymousVisitor(t *testing.T) {
	s := stage.New(t)
	token, _ := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID})
	s.Copies.SetDown(true)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if found, err := s.Sessions.FromToken(gone, token); err == nil {
		t.Errorf("FromToken without an answer of the store = %v, nil; want an error", found)
	}
}

func TestWhatABrowserSaysIsBounded(t *testing.T) {
	s := stage.New(t)
	_, opened := start(t, s, session.Start{UserID: s.Person(t, "a@example.test").ID, UserAgent: "x\nforged line" + strings.Repeat("y", 5000)})
	if len(opened.UserAgent) > 300 || strings.Contains(opened.UserAgent, "\n") {
		t.Errorf("user agent of %d bytes is kept: %.40q", len(opened.UserAgent), opened.UserAgent)
	}
}
