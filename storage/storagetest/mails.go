package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
)

// newMail is one that waits and is due at once.
func newMail(id string, after time.Duration) mail.Mail {
	return mail.Mail{
		ID: id, Letter: "verify", State: mail.Waiting, Sealed: []byte("sealed " + id),
		NextAt: epoch.Add(after), CreatedAt: epoch.Add(after),
	}
}

// Mails checks a mail.Store.
func Mails(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Mails
		var m mail.Mail
		fill(t, &m)
		must(t, s.Put(t.Context(), m))
		got, err := s.ByID(t.Context(), m.ID)
		must(t, err)
		same(t, "ByID", got, m)
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).Mails
		must(t, s.Put(t.Context(), newMail("taken", 0)))
		wantKind(t, "a taken id", s.Put(t.Context(), newMail("taken", 0)), fault.Conflict)
		wantKind(t, "no id", s.Put(t.Context(), mail.Mail{State: mail.Waiting}), fault.Invalid)
		wantKind(t, "no state", s.Put(t.Context(), mail.Mail{ID: "new"}), fault.Invalid)
		for name, key := range strangeKeys {
			_, err := s.ByID(t.Context(), key)
			wantKind(t, "ByID of "+name, err, fault.NotFound)
			wantKind(t, "Sent of "+name, s.Sent(t.Context(), key, epoch), fault.Conflict)
			wantKind(t, "Later of "+name, s.Later(t.Context(), key, 0, "", epoch), fault.Conflict)
			wantKind(t, "GiveUp of "+name, s.GiveUp(t.Context(), key, 0, "", epoch), fault.Conflict)
		}
		for _, limit := range []int{0, -1} {
			if got, err := s.Claim(t.Context(), limit, epoch.Add(time.Hour), epoch.Add(2*time.Hour)); len(got) != 0 || err != nil {
				t.Errorf("Claim of %d: %v, %v; want nothing", limit, got, err)
			}
			if got, err := s.Recent(t.Context(), limit); len(got) != 0 || err != nil {
				t.Errorf("Recent of %d: %v, %v; want nothing", limit, got, err)
			}
		}
	})

	t.Run("claims", func(t *testing.T) { claims(t, open) })
	t.Run("ends", func(t *testing.T) { endMails(t, open) })
	t.Run("no mail is claimed twice", func(t *testing.T) { claimRace(t, open) })
	t.Run("one end of many", func(t *testing.T) { endRace(t, open) })
	t.Run("a transaction", func(t *testing.T) { mailsInTx(t, open) })
	t.Run("removal", func(t *testing.T) { removeMails(t, open) })

	t.Run("standing", func(t *testing.T) {
		s := open(t).Mails
		if got, err := s.Standing(t.Context()); err != nil || got != (mail.Standing{}) {
			t.Errorf("an empty outbox: %+v, %v", got, err)
		}
		for _, m := range []mail.Mail{newMail("b", time.Hour), newMail("a", time.Minute), newMail("c", 0), newMail("d", 0)} {
			must(t, s.Put(t.Context(), m))
		}
		must(t, s.GiveUp(t.Context(), "c", 0, "refused", epoch))
		must(t, s.Sent(t.Context(), "d", epoch))
		got, err := s.Standing(t.Context())
		must(t, err)
		same(t, "Standing", got, mail.Standing{Waiting: 2, Oldest: epoch.Add(time.Minute), GivenUp: 1})
	})

	t.Run("what a mail server says can be written", func(t *testing.T) {
		s := open(t).Mails
		must(t, s.Put(t.Context(), newMail("a", 0)))
		must(t, s.Later(t.Context(), "a", 0, "450 \x00\xff later", epoch))
		if _, err := s.ByID(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	})
}

// idsOf lists mails, for comparison.
func idsOf(mails []mail.Mail) string {
	out := ""
	for _, m := range mails {
		out += m.ID
	}
	return out
}

func claims(t *testing.T, open OpenDurable) {
	s := open(t).Mails
	for i, id := range []string{"b", "a", "c", "d"} {
		must(t, s.Put(t.Context(), newMail(id, time.Duration(i)*time.Minute)))
	}
	must(t, s.Sent(t.Context(), "c", epoch))
	claim := func(limit int, at time.Duration) []mail.Mail {
		t.Helper()
		got, err := s.Claim(t.Context(), limit, epoch.Add(at), epoch.Add(at+10*time.Minute))
		must(t, err)
		return got
	}
	for _, step := range []struct {
		limit int
		at    time.Duration
		want  string
	}{
		{5, -time.Microsecond, ""},
		{1, 2 * time.Minute, "b"}, // the longest due
		{5, 2 * time.Minute, "a"}, // sent ones and those of the future stay
		{5, 12*time.Minute - time.Microsecond, "d"},
		{5, 12 * time.Minute, "ba"}, // a claim that has run out is given again
		{5, 12 * time.Minute, ""},
	} {
		if got := idsOf(claim(step.limit, step.at)); got != step.want {
			t.Errorf("Claim(%d) after %v = %q, want %q", step.limit, step.at, got, step.want)
		}
	}
	got, err := s.ByID(t.Context(), "b")
	must(t, err)
	want := newMail("b", 0)
	want.Tries, want.NextAt = 2, epoch.Add(22*time.Minute)
	same(t, "a mail claimed twice", got, want)

	// Only who holds the newest claim may give it back.
	wantKind(t, "Later of an old claim", s.Later(t.Context(), "b", 1, "late", epoch), fault.Conflict)
	wantKind(t, "GiveUp of an old claim", s.GiveUp(t.Context(), "b", 1, "late", epoch), fault.Conflict)
	must(t, s.Later(t.Context(), "b", 2, "450 busy", epoch.Add(time.Hour)))
	if got := idsOf(claim(5, time.Hour-time.Microsecond)); got != "ad" {
		t.Errorf("before its time: %q, want the others", got)
	}
	again := claim(5, time.Hour)
	if idsOf(again) != "b" || again[0].Tries != 3 || again[0].Problem != "450 busy" || string(again[0].Sealed) != "sealed b" {
		t.Errorf("at its time: %+v, want b at its third try", again)
	}
}

func endMails(t *testing.T, open OpenDurable) {
	s := open(t).Mails
	for _, id := range []string{"sent", "refused", "late"} {
		must(t, s.Put(t.Context(), newMail(id, 0)))
	}
	_, err := s.Claim(t.Context(), 3, epoch, epoch.Add(time.Minute))
	must(t, err)
	must(t, s.Sent(t.Context(), "sent", epoch.Add(time.Second)))
	must(t, s.GiveUp(t.Context(), "refused", 1, "550 nobody", epoch.Add(time.Second)))
	_, err = s.Claim(t.Context(), 3, epoch.Add(time.Hour), epoch.Add(2*time.Hour)) // by another sender
	must(t, err)
	must(t, s.Sent(t.Context(), "late", epoch.Add(time.Second))) // and yet the first one had sent it
	for id, want := range map[string]mail.Mail{
		"sent":    {State: mail.Sent, Tries: 1, EndedAt: epoch.Add(time.Second), NextAt: epoch.Add(time.Minute)},
		"refused": {State: mail.GivenUp, Tries: 1, EndedAt: epoch.Add(time.Second), NextAt: epoch.Add(time.Minute), Problem: "550 nobody"},
		"late":    {State: mail.Sent, Tries: 2, EndedAt: epoch.Add(time.Second), NextAt: epoch.Add(2 * time.Hour)},
	} {
		got, err := s.ByID(t.Context(), id)
		must(t, err)
		want.ID, want.Letter, want.CreatedAt = id, "verify", epoch
		same(t, id+" (and what it said is erased)", got, want)
		wantKind(t, "Sent again", s.Sent(t.Context(), id, epoch), fault.Conflict)
		wantKind(t, "Later of an ended one", s.Later(t.Context(), id, want.Tries, "", epoch), fault.Conflict)
		wantKind(t, "GiveUp of an ended one", s.GiveUp(t.Context(), id, want.Tries, "", epoch), fault.Conflict)
	}
	if got, err := s.Claim(t.Context(), 3, epoch.Add(9*time.Hour), epoch.Add(10*time.Hour)); len(got) != 0 || err != nil {
		t.Errorf("claimed after the end: %v, %v", got, err)
	}
}

// claimRace lets many senders take from one outbox at once.
func claimRace(t *testing.T, open OpenDurable) {
	s := open(t).Mails
	const mails = 200
	for n := range mails {
		must(t, s.Put(t.Context(), newMail(fmt.Sprintf("%03d", n), time.Duration(n)*time.Millisecond)))
	}
	var mu sync.Mutex
	taken := map[string]int{}
	race(t, fault.None, func(n int) error {
		for {
			got, err := s.Claim(t.Context(), 1+n%7, epoch.Add(time.Hour), epoch.Add(2*time.Hour))
			if err != nil {
				return err
			}
			if len(got) > 1+n%7 {
				t.Errorf("%d mails for a claim of %d", len(got), 1+n%7)
			}
			mu.Lock()
			for _, m := range got {
				taken[m.ID]++
			}
			left := mails - len(taken)
			mu.Unlock()
			if len(got) == 0 && left <= 0 {
				return nil
			}
		}
	})
	for id, times := range taken {
		if times != 1 {
			t.Errorf("mail %s was claimed %d times", id, times)
		}
	}
	if len(taken) != mails {
		t.Errorf("%d mails were claimed, want %d", len(taken), mails)
	}
}

func endRace(t *testing.T, open OpenDurable) {
	s := open(t).Mails
	must(t, s.Put(t.Context(), newMail("a", 0)))
	if won := race(t, fault.Conflict, func(n int) error {
		if n%2 == 0 {
			return s.GiveUp(t.Context(), "a", 0, "refused", epoch)
		}
		return s.Sent(t.Context(), "a", epoch)
	}); won != 1 {
		t.Errorf("%d ends counted, want 1", won)
	}
}

func mailsInTx(t *testing.T, open OpenDurable) {
	d := open(t)
	woken := 0
	queue := func(ctx context.Context, id string) {
		must(t, d.Mails.Put(ctx, newMail(id, 0)))
		d.AfterCommit(ctx, func() { woken++ })
	}
	broken := errors.New("the cause broke")
	if err := d.InTx(t.Context(), func(ctx context.Context) error {
		queue(ctx, "a")
		if got, err := d.Mails.Recent(ctx, 5); err != nil || idsOf(got) != "a" {
			t.Errorf("a transaction does not see its own mail: %v, %v", got, err)
		}
		return broken
	}); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the work", err)
	}
	if got, err := d.Mails.Recent(t.Context(), 5); err != nil || len(got) != 0 || woken != 0 {
		t.Errorf("after the rollback: %v, %v; woken %d times", got, err, woken)
	}
	must(t, d.InTx(t.Context(), func(ctx context.Context) error {
		queue(ctx, "b")
		if woken != 0 {
			t.Error("woken before the commit")
		}
		return d.InTx(ctx, func(ctx context.Context) error { queue(ctx, "c"); return nil })
	}))
	if woken != 2 {
		t.Errorf("woken %d times after the commit, want 2", woken)
	}
	queue(t.Context(), "d")
	if woken != 3 {
		t.Errorf("woken %d times without a transaction, want 3", woken)
	}
}

func removeMails(t *testing.T, open OpenDurable) {
	fresh := func(t *testing.T) mail.Store {
		t.Helper()
		s := open(t).Mails
		for i, id := range []string{"a", "b", "c", "d", "e"} {
			must(t, s.Put(t.Context(), newMail(id, time.Duration(i)*time.Minute)))
			if id != "b" {
				must(t, s.Sent(t.Context(), id, epoch.Add(time.Duration(i)*time.Hour)))
			}
		}
		return s
	}
	left := func(s mail.Store) string {
		t.Helper()
		all, err := s.Recent(t.Context(), 10)
		must(t, err)
		slices.Reverse(all)
		return idsOf(all)
	}
	t.Run("of what ended long ago", func(t *testing.T) {
		s := fresh(t)
		for i, want := range []int{2, 1, 0} { // b waits, however old it is
			if n, err := s.DeleteEnded(t.Context(), epoch.Add(4*time.Hour), 2); err != nil || n != want {
				t.Errorf("batch %d: removed %d, %v; want %d", i, n, err, want)
			}
		}
		if got := left(s); got != "be" {
			t.Errorf("left: %s, want be", got)
		}
	})
	t.Run("of what has no room", func(t *testing.T) {
		s := fresh(t)
		for _, limit := range []int{0, -1} {
			if n, err := s.Trim(t.Context(), 2, limit); err != nil || n != 0 {
				t.Errorf("Trim with limit %d removed %d, %v", limit, n, err)
			}
		}
		if n, err := s.Trim(t.Context(), 2, 10); err != nil || n != 2 {
			t.Errorf("Trim removed %d, %v; want 2", n, err)
		}
		if got := left(s); got != "bde" {
			t.Errorf("left: %s, want bde", got)
		}
		if n, err := s.Trim(t.Context(), -1, 10); err != nil || n != 0 {
			t.Errorf("Trim to less than nothing removed %d, %v", n, err)
		}
	})
}
