package storagetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
)

// newConfirmation is one that works for an hour.
func newConfirmation(id, userID string, p confirm.Purpose) confirm.Confirmation {
	return confirm.Confirmation{
		ID: id, Purpose: p, UserID: userID, Email: id + "@example.com", LinkHash: "link-" + id, CodeHash: "code-" + id,
		CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour),
	}
}

// ends returns why the confirmation ended, "" while it is open.
func ends(t *testing.T, s confirm.Store, id string) string {
	t.Helper()
	c, err := s.ByID(t.Context(), id)
	must(t, err)
	if c.EndedAt.IsZero() != (c.Reason == "") {
		t.Errorf("%s ended at %v, reason %q: want both or none", id, c.EndedAt, c.Reason)
	}
	return c.Reason
}

// Confirmations checks a confirm.Store.
func Confirmations(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Confirmations
		var c confirm.Confirmation
		fill(t, &c)
		must(t, s.Create(t.Context(), c))
		byID, err := s.ByID(t.Context(), c.ID)
		must(t, err)
		same(t, "ByID", byID, c)
		byLink, err := s.ByLink(t.Context(), c.LinkHash)
		must(t, err)
		same(t, "ByLink", byLink, c)
	})
	t.Run("a later one replaces", func(t *testing.T) { replaceConfirmations(t, open) })
	t.Run("tries", func(t *testing.T) { tryCodes(t, open) })
	t.Run("use", func(t *testing.T) { useConfirmations(t, open) })
	t.Run("end", func(t *testing.T) { endConfirmations(t, open) })
	t.Run("the open ones are listed, oldest first", func(t *testing.T) { listConfirmations(t, open) })
	t.Run("the open one of a person", func(t *testing.T) { openConfirmation(t, open) })
	t.Run("removal", func(t *testing.T) { removeConfirmations(t, open) })
	t.Run("refusals", func(t *testing.T) { refuseConfirmations(t, open) })
}

func replaceConfirmations(t *testing.T, open OpenDurable) {
	t.Run("of the same purpose and person only", func(t *testing.T) {
		s := open(t).Confirmations
		for _, c := range []confirm.Confirmation{
			newConfirmation("first", "alice", confirm.ResetPassword),
			newConfirmation("purpose", "alice", confirm.VerifyEmail),
			newConfirmation("person", "bob", confirm.ResetPassword),
			newConfirmation("nobody", "", confirm.ResetPassword),
			newConfirmation("nobody either", "", confirm.ResetPassword),
			newConfirmation("second", "alice", confirm.ResetPassword),
		} {
			must(t, s.Create(t.Context(), c))
		}
		for id, want := range map[string]string{
			"first": "replaced", "purpose": "", "person": "", "nobody": "", "nobody either": "", "second": "",
		} {
			if got := ends(t, s, id); got != want {
				t.Errorf("%s ended because %q, want %q", id, got, want)
			}
		}
	})
	t.Run("one of many is left open", func(t *testing.T) {
		s := open(t).Confirmations
		if won := race(t, fault.None, func(n int) error {
			return s.Create(t.Context(), newConfirmation(fmt.Sprint(n), "alice", confirm.ResetPassword))
		}); won != racers {
			t.Errorf("%d of %d were created", won, racers)
		}
		left, err := s.Open(t.Context(), confirm.ResetPassword, paging.Page{}, epoch)
		must(t, err)
		if len(left) != 1 {
			t.Errorf("%d are open, want 1", len(left))
		}
	})
	t.Run("what was spent stays spent", func(t *testing.T) {
		s := open(t).Confirmations
		must(t, s.Create(t.Context(), newConfirmation("a", "alice", confirm.ResetPassword)))
		must(t, s.Use(t.Context(), "a", epoch))
		must(t, s.Create(t.Context(), newConfirmation("b", "alice", confirm.ResetPassword)))
		if got := ends(t, s, "a"); got != "used" {
			t.Errorf("ended because %q, want used", got)
		}
	})
}

func tryCodes(t *testing.T, open OpenDurable) {
	t.Run("no more than most of many", func(t *testing.T) {
		s := open(t).Confirmations
		must(t, s.Create(t.Context(), newConfirmation("a", "alice", confirm.SignUp)))
		must(t, s.Create(t.Context(), newConfirmation("b", "bob", confirm.SignUp)))
		if won := race(t, fault.Conflict, func(int) error { return s.Try(t.Context(), "a", 5, epoch) }); won != 5 {
			t.Errorf("%d tries were let through, want 5", won)
		}
		for id, want := range map[string]int{"a": 5, "b": 0} {
			if c, err := s.ByID(t.Context(), id); err != nil || c.Tries != want {
				t.Errorf("%s has had %d tries, %v; want %d", id, c.Tries, err, want)
			}
		}
	})
	t.Run("only while it is open", func(t *testing.T) {
		s := open(t).Confirmations
		must(t, s.Create(t.Context(), newConfirmation("over", "alice", confirm.SignUp)))
		must(t, s.Create(t.Context(), newConfirmation("ended", "bob", confirm.SignUp)))
		must(t, s.End(t.Context(), "ended", "withdrawn", epoch))
		wantKind(t, "a code that ended", s.Try(t.Context(), "ended", 5, epoch), fault.Conflict)
		must(t, s.Try(t.Context(), "over", 5, epoch.Add(time.Hour-time.Second)))
		wantKind(t, "a code at its end", s.Try(t.Context(), "over", 5, epoch.Add(time.Hour)), fault.Conflict)
	})
}

func useConfirmations(t *testing.T, open OpenDurable) {
	t.Run("once", func(t *testing.T) {
		s := open(t).Confirmations
		must(t, s.Create(t.Context(), newConfirmation("a", "alice", confirm.ResetPassword)))
		if won := race(t, fault.Conflict, func(int) error { return s.Use(t.Context(), "a", epoch) }); won != 1 {
			t.Errorf("%d calls used it, want 1", won)
		}
		if got := ends(t, s, "a"); got != "used" {
			t.Errorf("ended because %q, want used", got)
		}
		wantKind(t, "a second use", s.Use(t.Context(), "a", epoch), fault.Conflict)
	})
	t.Run("only in its time", func(t *testing.T) {
		s := open(t).Confirmations
		must(t, s.Create(t.Context(), newConfirmation("late", "alice", confirm.ResetPassword)))
		must(t, s.Create(t.Context(), newConfirmation("in time", "bob", confirm.ResetPassword)))
		wantKind(t, "a use at its end", s.Use(t.Context(), "late", epoch.Add(time.Hour)), fault.Conflict)
		must(t, s.Use(t.Context(), "in time", epoch.Add(time.Hour-time.Second)))
	})
	t.Run("not after its end", func(t *testing.T) {
		s := open(t).Confirmations
		must(t, s.Create(t.Context(), newConfirmation("a", "alice", confirm.ResetPassword)))
		must(t, s.End(t.Context(), "a", "withdrawn", epoch))
		wantKind(t, "a use", s.Use(t.Context(), "a", epoch), fault.Conflict)
	})
}

func endConfirmations(t *testing.T, open OpenDurable) {
	s := open(t).Confirmations
	for _, c := range []confirm.Confirmation{
		newConfirmation("reset", "alice", confirm.ResetPassword),
		newConfirmation("verify", "alice", confirm.VerifyEmail),
		newConfirmation("change", "alice", confirm.ChangeEmail),
		newConfirmation("bob", "bob", confirm.ResetPassword),
		newConfirmation("nobody", "", confirm.ResetPassword),
	} {
		must(t, s.Create(t.Context(), c))
	}
	want := map[string]string{"reset": "", "verify": "", "change": "", "bob": "", "nobody": ""}
	check := func(after string) {
		t.Helper()
		for id, why := range want {
			if got := ends(t, s, id); got != why {
				t.Errorf("after %s: %s ended because %q, want %q", after, id, got, why)
			}
		}
	}
	must(t, s.EndOfUser(t.Context(), "alice", "first", epoch, confirm.ResetPassword, confirm.VerifyEmail))
	want["reset"], want["verify"] = "first", "first"
	check("two purposes of a person")
	must(t, s.EndOfUser(t.Context(), "alice", "second", epoch))
	want["change"] = "second"
	check("everything of a person")
	must(t, s.End(t.Context(), "nobody", "third", epoch))
	must(t, s.End(t.Context(), "nobody", "again", epoch))
	want["nobody"] = "third"
	check("one by its id, twice")
}

func listConfirmations(t *testing.T, open OpenDurable) {
	s := open(t).Confirmations
	for i, id := range []string{"c", "a", "ended", "over", "b"} {
		c := newConfirmation(id, "", confirm.Invitation)
		c.CreatedAt = epoch.Add(time.Duration(i) * time.Second)
		if id == "over" {
			c.ExpiresAt = epoch.Add(time.Minute)
		}
		must(t, s.Create(t.Context(), c))
	}
	must(t, s.Create(t.Context(), newConfirmation("another", "", confirm.SignUp)))
	must(t, s.End(t.Context(), "ended", "withdrawn", epoch))
	list := func(page paging.Page) string {
		got, err := s.Open(t.Context(), confirm.Invitation, page, epoch.Add(time.Minute))
		must(t, err)
		ids := []string{}
		for _, c := range got {
			ids = append(ids, c.ID)
		}
		return strings.Join(ids, " ")
	}
	for name, tt := range map[string]struct {
		page paging.Page
		want string
	}{
		"all":                       {paging.Page{}, "c a b"},
		"two":                       {paging.Page{Size: 2}, "c a"},
		"after one":                 {paging.Page{Cursor: "a"}, "b"},
		"after one that ended":      {paging.Page{Cursor: "ended"}, "b"},
		"after the last":            {paging.Page{Cursor: "b"}, ""},
		"after one that nobody has": {paging.Page{Cursor: "unknown"}, ""},
		"after a NUL":               {paging.Page{Cursor: "a\x00"}, ""},
	} {
		if got := list(tt.page); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func removeConfirmations(t *testing.T, open OpenDurable) {
	s := open(t).Confirmations
	for i := range 5 {
		c := newConfirmation(fmt.Sprint(i), "", confirm.SignUp)
		c.ExpiresAt = epoch.Add(time.Duration(i) * time.Minute)
		must(t, s.Create(t.Context(), c))
	}
	for _, step := range []struct{ limit, want int }{{2, 2}, {10, 1}, {10, 0}, {0, 0}} {
		n, err := s.DeleteExpired(t.Context(), epoch.Add(3*time.Minute), step.limit)
		if err != nil || n != step.want {
			t.Errorf("DeleteExpired of at most %d = %d, %v; want %d", step.limit, n, err, step.want)
		}
	}
	for i := range 5 {
		_, err := s.ByID(t.Context(), fmt.Sprint(i))
		if i < 3 {
			wantKind(t, fmt.Sprint("the old one ", i), err, fault.NotFound)
		} else {
			wantKind(t, fmt.Sprint("the later one ", i), err, fault.None)
		}
	}
}

func refuseConfirmations(t *testing.T, open OpenDurable) {
	s := open(t).Confirmations
	taken := newConfirmation("taken", "taken", confirm.SignUp)
	taken.LinkHash = "taken"
	must(t, s.Create(t.Context(), taken))
	must(t, s.Create(t.Context(), confirm.Confirmation{ID: "no link", Purpose: confirm.SignUp}))
	must(t, s.Create(t.Context(), confirm.Confirmation{ID: "no link either", Purpose: confirm.SignUp}))
	for name, c := range map[string]confirm.Confirmation{
		"a taken id":   {ID: "taken", Purpose: confirm.SignUp},
		"a taken link": {ID: "new", Purpose: confirm.SignUp, LinkHash: "taken"},
	} {
		wantKind(t, name, s.Create(t.Context(), c), fault.Conflict)
	}
	for name, c := range map[string]confirm.Confirmation{
		"no id":               {Purpose: confirm.SignUp},
		"a NUL in its id":     {ID: "a\x00", Purpose: confirm.SignUp},
		"no purpose":          {ID: "new"},
		"a NUL in the person": {ID: "new", Purpose: confirm.SignUp, UserID: "a\x00"},
	} {
		wantKind(t, name, s.Create(t.Context(), c), fault.Invalid)
	}
	huge := strings.Repeat("x", 1<<20)
	for name, key := range strangeKeys {
		refuseKey(t, s, name, key)
	}
	refuseKey(t, s, "a megabyte", huge)
	strange := newConfirmation("strange", "", confirm.SignUp)
	strange.Email = "a\x00@\xff\xfe"
	must(t, s.Create(t.Context(), strange))
	if got := ends(t, s, "taken"); got != "" {
		t.Errorf("after all that it ended because %q", got)
	}
}

func refuseKey(t *testing.T, s confirm.Store, name, key string) {
	t.Helper()
	_, err := s.ByLink(t.Context(), key)
	wantKind(t, "ByLink of "+name, err, fault.NotFound)
	_, err = s.ByID(t.Context(), key)
	wantKind(t, "ByID of "+name, err, fault.NotFound)
	wantKind(t, "Try of "+name, s.Try(t.Context(), key, 5, epoch), fault.Conflict)
	wantKind(t, "Use of "+name, s.Use(t.Context(), key, epoch), fault.Conflict)
	must(t, s.End(t.Context(), key, "test", epoch))
	must(t, s.EndOfUser(t.Context(), key, "test", epoch))
	got, err := s.Open(t.Context(), confirm.Purpose(key), paging.Page{}, epoch)
	if len(got) != 0 || err != nil {
		t.Errorf("Open of %s: %v, %v; want nothing", name, got, err)
	}
}
