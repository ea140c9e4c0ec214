package confirm_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/storage/storagetest"
)

var ctx = context.Background()

// wish is what belongs to a confirmation of these tests.
type wish struct{ Name string }

func ask(t *testing.T, s *stage.Stage, a confirm.Ask) confirm.Asked {
	t.Helper()
	if a.For == 0 {
		a.For = 30 * time.Minute
	}
	asked, err := s.Confirmations.Ask(ctx, a)
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	return asked
}

// signUp asks for a proof with a code.
func signUp(t *testing.T, s *stage.Stage) confirm.Asked {
	t.Helper()
	return ask(t, s, confirm.Ask{Purpose: confirm.SignUp, Email: "cleo@example.test", Code: true, Payload: wish{"Cleo Example"}})
}

// wantOver checks that a link or code is over, and says so in the same way.
func wantOver(t *testing.T, what string, c *confirm.Confirmation, err error) {
	t.Helper()
	f := fault.As(err)
	if c != nil || f == nil || f.Kind != fault.Gone || f.Code != "link_over" || f.Rule == "" {
		t.Errorf("%s: %v, %v; want link_over under a rule", what, c, err)
	}
}

func wrong(code string) string {
	if code == "0000 0000" {
		return "00000001"
	}
	return "00000000"
}

func TestALinkProvesOnce(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	if _, ok := secret.Unwrap(secret.ConfirmLink, asked.Link); !ok {
		t.Fatalf("the link is %q", asked.Link)
	}
	for range 2 { // looking does not spend it
		c, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link)
		if err != nil || c.ID != asked.ID || c.Email != "cleo@example.test" {
			t.Fatalf("ByLink = %+v, %v", c, err)
		}
		var got wish
		if err := s.Confirmations.Payload(c, &got); err != nil || got.Name != "Cleo Example" {
			t.Errorf("the payload is %+v, %v", got, err)
		}
	}
	c, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link)
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := s.Confirmations.Use(ctx, c); err == nil {
				won.Add(1)
			} else if !fault.Is(err, fault.Gone) || fault.CodeOf(err) != "link_over" {
				t.Errorf("a loser got %v, want link_over", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 50 used the link, want 1", won.Load())
	}
	c, err = s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link)
	wantOver(t, "a spent link", c, err)
	c, err = s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, asked.Code)
	wantOver(t, "the code of a spent link", c, err)
}

func TestUsingItSharesATransaction(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	c, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the account cannot be made")
	if err := s.Durable.InTx(ctx, func(ctx context.Context) error {
		return errors.Join(s.Confirmations.Use(ctx, c), broken)
	}); !errors.Is(err, broken) {
		t.Fatalf("InTx = %v", err)
	}
	if _, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link); err != nil {
		t.Errorf("what did not happen spent the link: %v", err)
	}
}

func TestLinksThatProveNothing(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	for name, link := range map[string]string{
		"nothing":              "",
		"garbage":              "garbage",
		"never given":          secret.New(secret.ConfirmLink),
		"of another kind":      secret.New(secret.SessionCookie),
		"another prefix":       "pts" + strings.TrimPrefix(asked.Link, "ptl"),
		"cut":                  asked.Link[:len(asked.Link)-1],
		"longer":               asked.Link + "A",
		"blanks around":        " " + asked.Link + " ",
		"upper case":           strings.ToUpper(asked.Link),
		"a NUL":                asked.Link + "\x00",
		"a look-alike letter":  strings.Replace(asked.Link, "p", "р", 1), // Cyrillic
		"a megabyte":           "ptl_" + strings.Repeat("A", 1<<20),
		"its id":               asked.ID,
		"its code":             asked.Code,
		"the fingerprint":      s.Prints.Of(secret.ConfirmLink, asked.Link),
		"wrapped in its shape": secret.Wrap(secret.ConfirmLink, []byte(asked.ID)),
	} {
		c, err := s.Confirmations.ByLink(ctx, confirm.SignUp, link)
		wantOver(t, name, c, err)
	}
	for _, p := range []confirm.Purpose{confirm.ResetPassword, confirm.Invitation, confirm.VerifyEmail, confirm.ChangeEmail, ""} {
		c, err := s.Confirmations.ByLink(ctx, p, asked.Link)
		wantOver(t, "for the purpose "+string(p), c, err)
		c, err = s.Confirmations.ByCode(ctx, p, asked.ID, asked.Code)
		wantOver(t, "the code for the purpose "+string(p), c, err)
	}
	if c, err := s.Durable.Confirmations.ByID(ctx, asked.ID); err != nil || c.Tries != 0 {
		t.Errorf("another purpose cost %d tries, %v", c.Tries, err)
	}
	if _, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link); err != nil {
		t.Errorf("after all that the link is over: %v", err)
	}
}

func TestACodeIsTakenAsPeopleTypeIt(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	if !regexp.MustCompile(`^\d{4} \d{4}$`).MatchString(asked.Code) {
		t.Fatalf("the code is %q, want two groups of four", asked.Code)
	}
	plain := strings.ReplaceAll(asked.Code, " ", "")
	for _, typed := range []string{asked.Code, plain, " " + plain[:2] + "-" + plain[2:] + "\t", plain[:4] + "\u2013\u00a0" + plain[4:]} {
		if c, err := s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, typed); err != nil || c.ID != asked.ID {
			t.Errorf("ByCode(%q) = %v, %v", typed, c, err)
		}
	}
}

func TestCodesThatProveNothing(t *testing.T) {
	for name, typed := range map[string]func(code string) string{
		"nothing":               func(string) string { return "" },
		"another":               wrong,
		"seven digits of it":    func(code string) string { return code[:8] },
		"nine digits":           func(code string) string { return code + "0" },
		"a NUL":                 func(code string) string { return code + "\x00" },
		"letters":               func(string) string { return "abcdefgh" },
		"digits of elsewhere":   func(code string) string { return strings.Map(arabic, code) },
		"a megabyte of blanks":  func(code string) string { return strings.Repeat(" ", 1<<20) + code },
		"a megabyte of digits":  func(string) string { return strings.Repeat("1", 1<<20) },
		"the code twice":        func(code string) string { return code + code },
		"not UTF-8 between":     func(code string) string { return code[:4] + "\xff" + code[4:] },
		"an invisible mark":     func(code string) string { return code + "\u200b" },
		"the other way of zero": func(code string) string { return "+" + code },
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t)
			asked := signUp(t, s)
			c, err := s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, typed(asked.Code))
			f := fault.As(err)
			if c != nil || f == nil || f.Kind != fault.Unauthenticated || f.Code != "code_wrong" || f.Rule == "" {
				t.Errorf("ByCode = %v, %v; want code_wrong under a rule", c, err)
			}
			if got, err := s.Durable.Confirmations.ByID(ctx, asked.ID); err != nil || got.Tries != 1 {
				t.Errorf("it counts %d tries, %v; want 1", got.Tries, err)
			}
		})
	}
}

func arabic(r rune) rune {
	if r >= '0' && r <= '9' {
		return r - '0' + '\u0660'
	}
	return r
}

func TestACodeBelongsToItsConfirmation(t *testing.T) {
	s := stage.New(t)
	first, second := signUp(t, s), signUp(t, s)
	if _, err := s.Confirmations.ByCode(ctx, confirm.SignUp, first.ID, second.Code); fault.CodeOf(err) != "code_wrong" {
		t.Errorf("the code of another: %v, want code_wrong", err)
	}
	without := ask(t, s, confirm.Ask{Purpose: confirm.SignUp, Email: "a@example.test"})
	if without.Code != "" {
		t.Errorf("a code %q that nobody asked for", without.Code)
	}
	for name, id := range map[string]string{
		"of one without a code": without.ID,
		"of nobody":             secret.ID(),
		"of nothing":            "",
		"of a NUL":              first.ID + "\x00",
		"of a megabyte":         strings.Repeat("x", 1<<20),
		"of the link":           first.Link,
	} {
		c, err := s.Confirmations.ByCode(ctx, confirm.SignUp, id, "")
		wantOver(t, "the code "+name, c, err)
		c, err = s.Confirmations.ByCode(ctx, confirm.SignUp, id, first.Code)
		wantOver(t, "the code "+name, c, err)
	}
}

func TestFiftyGuessesAreFive(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	var looked, refused atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch _, err := s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, wrong(asked.Code)); fault.CodeOf(err) {
			case "code_wrong":
				looked.Add(1)
			case "link_over":
				refused.Add(1)
			default:
				t.Errorf("a guess got %v", err)
			}
		})
	}
	wg.Wait()
	if looked.Load() != confirm.MaxTries || refused.Load() != 50-confirm.MaxTries {
		t.Errorf("%d guesses were looked at, %d were not; want %d and the rest", looked.Load(), refused.Load(), confirm.MaxTries)
	}
	c, err := s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, asked.Code)
	wantOver(t, "the right code, too late", c, err)
	if _, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link); err != nil {
		t.Errorf("guessing the code takes the link from who has the mail: %v", err)
	}
}

func TestTheLastTryMayBeRight(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	for range confirm.MaxTries - 1 {
		if _, err := s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, wrong(asked.Code)); fault.CodeOf(err) != "code_wrong" {
			t.Fatalf("a wrong code: %v", err)
		}
	}
	if _, err := s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, asked.Code); err != nil {
		t.Errorf("the fifth try, which is right: %v", err)
	}
}

func TestItsTimeIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage.New(t)
		asked := signUp(t, s)
		c, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Minute - time.Second)
		if _, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link); err != nil {
			t.Errorf("a second before its end: %v", err)
		}
		if _, err := s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, asked.Code); err != nil {
			t.Errorf("its code, a second before its end: %v", err)
		}
		time.Sleep(time.Second)
		got, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link)
		wantOver(t, "a link after 30 minutes", got, err)
		got, err = s.Confirmations.ByCode(ctx, confirm.SignUp, asked.ID, asked.Code)
		wantOver(t, "a code after 30 minutes", got, err)
		wantOver(t, "a use after 30 minutes of what was found before", nil, s.Confirmations.Use(ctx, c))
		if n, err := s.Confirmations.DeleteExpired(ctx, 10); n != 0 || err != nil {
			t.Errorf("removed %d, %v at once: nobody could be told why it was refused", n, err)
		}
		time.Sleep(24*time.Hour + time.Second)
		if n, err := s.Confirmations.DeleteExpired(ctx, 10); n != 1 || err != nil {
			t.Errorf("removed %d, %v a day later; want 1", n, err)
		}
	})
}

func TestALaterOneReplaces(t *testing.T) {
	s := stage.New(t)
	reset := confirm.Ask{Purpose: confirm.ResetPassword, UserID: "ann", Email: "ann@example.test"}
	first := ask(t, s, reset)
	verify := ask(t, s, confirm.Ask{Purpose: confirm.VerifyEmail, UserID: "ann", Email: "ann@example.test"})
	second := ask(t, s, reset)
	c, err := s.Confirmations.ByLink(ctx, confirm.ResetPassword, first.Link)
	wantOver(t, "the older link", c, err)
	if got := fault.As(err).Compared; len(got) != 1 || got[0].Got != confirm.Replaced {
		t.Errorf("explain is told %+v, want that it was replaced", got)
	}
	if _, err := s.Confirmations.ByLink(ctx, confirm.ResetPassword, second.Link); err != nil {
		t.Errorf("the newer link: %v", err)
	}
	if err := s.Confirmations.End(ctx, "ann", "used", confirm.ResetPassword); err != nil {
		t.Fatal(err)
	}
	c, err = s.Confirmations.ByLink(ctx, confirm.ResetPassword, second.Link)
	wantOver(t, "an ended link", c, err)
	if _, err := s.Confirmations.ByLink(ctx, confirm.VerifyEmail, verify.Link); err != nil {
		t.Errorf("a link of another purpose: %v", err)
	}
}

func TestWhatIsPendingCanBeWithdrawn(t *testing.T) {
	s := stage.New(t)
	kept := ask(t, s, confirm.Ask{Purpose: confirm.Invitation, Email: "a@example.test"})
	gone := ask(t, s, confirm.Ask{Purpose: confirm.Invitation, Email: "b@example.test"})
	for range 2 { // repeating it is harmless
		if err := s.Confirmations.Withdraw(ctx, gone.ID); err != nil {
			t.Fatal(err)
		}
	}
	left, err := s.Confirmations.Pending(ctx, confirm.Invitation, paging.Page{})
	if err != nil || len(left) != 1 || left[0].ID != kept.ID {
		t.Errorf("pending: %+v, %v; want the other one", left, err)
	}
	c, err := s.Confirmations.ByLink(ctx, confirm.Invitation, gone.Link)
	wantOver(t, "a withdrawn link", c, err)
	if err := s.Confirmations.Withdraw(ctx, "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Withdraw of nothing: %v, want not found", err)
	}
}

func TestAPayloadOpensInItsPlaceOnly(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	c, err := s.Confirmations.ByLink(ctx, confirm.SignUp, asked.Link)
	if err != nil {
		t.Fatal(err)
	}
	var got wish
	for name, change := range map[string]func(*confirm.Confirmation){
		"moved to another id":      func(c *confirm.Confirmation) { c.ID = secret.ID() },
		"moved to another purpose": func(c *confirm.Confirmation) { c.Purpose = confirm.Invitation },
		"altered": func(c *confirm.Confirmation) {
			c.Sealed = bytes.Clone(c.Sealed)
			c.Sealed[len(c.Sealed)-1] ^= 1
		},
	} {
		moved := *c
		change(&moved)
		wantOver(t, name, nil, s.Confirmations.Payload(&moved, &got))
	}
	moved := *c
	moved.Sealed = nil
	if err := s.Confirmations.Payload(&moved, &got); err != nil || got != (wish{}) {
		t.Errorf("of nothing: %+v, %v", got, err)
	}
}

func TestNothingOfItIsKeptInTheClear(t *testing.T) {
	s := stage.New(t)
	asked := signUp(t, s)
	dump := storagetest.Dump(t, s.Durable)
	if !strings.Contains(dump, asked.ID) {
		t.Fatal("the dump lacks the confirmation: it would prove nothing")
	}
	digits := strings.ReplaceAll(asked.Code, " ", "")
	for what, secret := range map[string]string{
		"the link": asked.Link, "the body of the link": asked.Link[4:47], "the code": asked.Code,
		"the digits": digits, "the payload": "Cleo Example",
	} {
		if strings.Contains(dump, secret) {
			t.Errorf("the database holds %s", what)
		}
	}
}

func TestCodesAreSpreadEvenly(t *testing.T) {
	s := stage.New(t)
	var first [10]int
	const n = 500
	for range n {
		first[signUp(t, s).Code[0]-'0']++
	}
	for digit, times := range first {
		if times < n/10/3 || times > n/10*3 {
			t.Errorf("%d of %d codes begin with %d, want about a tenth", times, n, digit)
		}
	}
}
