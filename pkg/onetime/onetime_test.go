package onetime_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage/storagetest"
)

const number = "+4930123456"

// kind is a way to send codes, as these tests use it.
type kind struct {
	factor.Sender
	code    func(t *testing.T) string // the newest that was sent
	sent    func() int
	turnOn  func(t *testing.T, u *user.User)
	turnOff func(u *user.User) error
	enrol   func(u *user.User, code string) error
	amr, to string
	purpose confirm.Purpose
}

// proven makes somebody whose address is proven.
func proven(t *testing.T, s *stage.Stage, email string) *user.User {
	t.Helper()
	return changed(t, s, s.Person(t, email).ID, func(u *user.User) { u.EmailVerified = true })
}

func changed(t *testing.T, s *stage.Stage, id string, change func(u *user.User)) *user.User {
	t.Helper()
	u, err := s.Users.Change(t.Context(), id, func(_ context.Context, u *user.User) error { change(u); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func kinds(s *stage.Stage) map[string]kind {
	mail, text := onetime.Email{Service: s.OneTime}, onetime.SMS{Service: s.OneTime}
	mailed := func(t *testing.T) string {
		t.Helper()
		all := s.Letters.All()
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].Key == "factor_code" {
				return all[i].Code
			}
		}
		t.Fatal("no letter has a code")
		return ""
	}
	mails := func() (n int) {
		for _, l := range s.Letters.All() {
			if l.Key == "factor_code" {
				n++
			}
		}
		return n
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[string]kind{
		"email": {
			Sender: mail, code: mailed, sent: mails, amr: "otp", to: "a…n@example.test", purpose: confirm.FactorEmail,
			turnOn: func(t *testing.T, u *user.User) {
				t.Helper()
				must(t, mail.Offer(t.Context(), u))
				must(t, mail.Confirm(t.Context(), factor.Change{UserID: u.ID}, mailed(t)))
			},
			turnOff: func(u *user.User) error { return mail.Remove(context.Background(), factor.Change{UserID: u.ID}) },
			enrol: func(u *user.User, code string) error {
				return mail.Confirm(context.Background(), factor.Change{UserID: u.ID}, code)
			},
		},
		"sms": {
			Sender: text, code: s.Texts.Code, sent: func() int { return len(s.Texts.Sent()) }, amr: "sms", to: "+49 … 56", purpose: confirm.FactorSMS,
			turnOn: func(t *testing.T, u *user.User) {
				t.Helper()
				must(t, text.Offer(t.Context(), u, number))
				must(t, text.Confirm(t.Context(), factor.Change{UserID: u.ID}, s.Texts.Code(t)))
			},
			turnOff: func(u *user.User) error { return text.Remove(context.Background(), factor.Change{UserID: u.ID}) },
			enrol: func(u *user.User, code string) error {
				return text.Confirm(context.Background(), factor.Change{UserID: u.ID}, code)
			},
		},
	}
}

// each runs a test for both kinds, for ann, who has the factor.
func each(t *testing.T, run func(t *testing.T, s *stage.Stage, k kind, ann *user.User)) {
	t.Helper()
	for _, name := range []string{"email", "sms"} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t)
			k, ann := kinds(s)[name], proven(t, s, "ann@example.test")
			k.turnOn(t, ann)
			ann, err := s.Users.Get(t.Context(), ann.ID)
			if err != nil || len(ann.Factors) != 1 || ann.Factors[0] != name {
				t.Fatalf("ann has %v, %v", ann.Factors, err)
			}
			run(t, s, k, ann)
		})
	}
}

func attempt(u *user.User) *factor.Attempt {
	return &factor.Attempt{User: u, Flow: &flow.Flow{}, Form: map[string]string{}}
}

func send(t *testing.T, k kind, a *factor.Attempt) string {
	t.Helper()
	if err := k.Send(t.Context(), a); err != nil || a.Flow.Code == "" {
		t.Fatalf("Send = %v, the flow keeps %q", err, a.Flow.Code)
	}
	return k.code(t)
}

func verify(k kind, a *factor.Attempt, code string) error {
	with := *a
	with.Form = map[string]string{"code": code}
	_, err := k.Verify(context.Background(), &with)
	return err
}

// wrong is a code that is not the one.
func wrong(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

func wantOver(t *testing.T, what string, err error) {
	t.Helper()
	if !fault.Is(err, fault.Gone) || fault.CodeOf(err) != "code_over" || fault.As(err).Rule == "" {
		t.Errorf("%s: %v, want code_over under a rule", what, err)
	}
}

func TestACodeCountsOnce(t *testing.T) {
	each(t, func(t *testing.T, _ *stage.Stage, k kind, ann *user.User) {
		a := attempt(ann)
		if to, err := k.To(t.Context(), ann); to != k.to || err != nil {
			t.Errorf("To = %q, %v; want %q", to, err, k.to)
		}
		code := send(t, k, a)
		a.Form["code"] = " " + code + " "
		amr, err := k.Verify(t.Context(), a)
		if err != nil || strings.Join(amr, " ") != k.amr {
			t.Fatalf("RFC 8176 §2 Verify = %v, %v; want %s", amr, err, k.amr)
		}
		wantOver(t, "ASVS 6.5.1 a second use", verify(k, a, code))
	})
}

func TestOfFiftyUsesOneCounts(t *testing.T) {
	each(t, func(t *testing.T, _ *stage.Stage, k kind, ann *user.User) {
		a := attempt(ann)
		code := send(t, k, a)
		var (
			wg  sync.WaitGroup
			mu  sync.Mutex
			won int
		)
		for range 50 {
			wg.Go(func() {
				err := verify(k, a, code)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !fault.Is(err, fault.Gone) {
					t.Errorf("a loser got %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d counted, want 1", won)
		}
	})
}

func TestACodeIsOfOneFlowPersonAndPurpose(t *testing.T) {
	each(t, func(t *testing.T, s *stage.Stage, k kind, ann *user.User) {
		bob := proven(t, s, "bob@example.test")
		k.turnOn(t, bob)
		mine, other, bobs := attempt(ann), attempt(ann), attempt(bob)
		wantOver(t, "before any was sent", verify(k, mine, "12345678"))
		foreign := send(t, k, bobs)
		code := send(t, k, mine)
		wantOver(t, "of another flow", verify(k, other, code))
		if err := verify(k, mine, foreign); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the code of bob: %v", err)
		}
		stolen := attempt(bob)
		stolen.Flow.Code = mine.Flow.Code
		wantOver(t, "the flow of ann, by bob", verify(k, stolen, code))
		wantOver(t, "the code of a sign-in, for an enrolment", k.enrol(ann, code))
		for _, p := range []confirm.Purpose{confirm.ResetPassword, confirm.SignUp, confirm.EnrolEmail, confirm.EnrolSMS, confirm.FactorEmail, confirm.FactorSMS} {
			if p == k.purpose {
				continue
			}
			asked, err := s.Confirmations.Ask(t.Context(), confirm.Ask{Purpose: p, UserID: ann.ID, For: time.Minute, Code: true, Payload: map[string]string{"to": "ann@example.test"}})
			if err != nil {
				t.Fatal(err)
			}
			foreign := attempt(ann)
			foreign.Flow.Code = asked.ID
			wantOver(t, "of the purpose "+string(p), verify(k, foreign, asked.Code))
		}
		if err := verify(k, mine, code); err != nil {
			t.Errorf("and the right one: %v", err)
		}
		if err := verify(k, bobs, foreign); err != nil {
			t.Errorf("and that of bob: %v", err)
		}
	})
}

func TestTheSixthWrongTryIsOneTooMany(t *testing.T) {
	each(t, func(t *testing.T, _ *stage.Stage, k kind, ann *user.User) {
		a := attempt(ann)
		code := send(t, k, a)
		for n := range confirm.MaxTries {
			if err := verify(k, a, wrong(code)); !fault.Is(err, fault.Unauthenticated) || fault.CodeOf(err) != "code_wrong" {
				t.Errorf("wrong try %d: %v", n+1, err)
			}
		}
		wantOver(t, "ASVS 6.6.3 the right code after five wrong ones", verify(k, a, code))
		if err := verify(k, a, send(t, k, a)); err != nil {
			t.Errorf("another code: %v", err)
		}
	})
}

func TestACodeLivesTenMinutes(t *testing.T) {
	each(t, func(t *testing.T, _ *stage.Stage, k kind, ann *user.User) {
		synctest.Test(t, func(t *testing.T) {
			early, late := attempt(ann), attempt(ann)
			code := send(t, k, early)
			time.Sleep(onetime.Life - time.Second)
			if err := verify(k, early, code); err != nil {
				t.Errorf("a second before its end: %v", err)
			}
			code = send(t, k, late)
			time.Sleep(onetime.Life)
			wantOver(t, "ten minutes later", verify(k, late, code))
		})
	})
}

func TestANewerCodeReplaces(t *testing.T) {
	each(t, func(t *testing.T, _ *stage.Stage, k kind, ann *user.User) {
		a := attempt(ann)
		old := send(t, k, a)
		code := send(t, k, a)
		if old != code {
			if err := verify(k, a, old); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("the older code: %v", err)
			}
		}
		if err := verify(k, a, code); err != nil {
			t.Errorf("the newer one: %v", err)
		}
	})
}

func TestAFactorThatWasTurnedOffOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, _ *stage.Stage, k kind, ann *user.User) {
		a := attempt(ann)
		code := send(t, k, a)
		if err := k.turnOff(ann); err != nil {
			t.Fatal(err)
		}
		if err := verify(k, a, code); err == nil {
			t.Error("a code that was out still opens")
		}
		if err := k.Send(t.Context(), a); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Send = %v", err)
		}
		if err := k.turnOff(ann); !fault.Is(err, fault.NotFound) {
			t.Errorf("turned off twice: %v", err)
		}
	})
}

func TestCodesFollowTheAddressThatIsProven(t *testing.T) {
	s := stage.New(t)
	k, ann := kinds(s)["email"], proven(t, s, "ann@example.test")
	k.turnOn(t, ann)
	a := attempt(ann)
	code := send(t, k, a)
	lost := changed(t, s, ann.ID, func(u *user.User) { u.EmailVerified = false })
	for name, err := range map[string]error{"Send": k.Send(t.Context(), attempt(lost)), "Verify": verify(k, &factor.Attempt{User: lost, Flow: a.Flow}, code)} {
		if !fault.Is(err, fault.Unavailable) || fault.As(err).Say == "" {
			t.Errorf("%s to an address that is not proven any more: %v", name, err)
		}
	}
	if to, err := k.To(t.Context(), lost); to != "" || !fault.Is(err, fault.Unavailable) {
		t.Errorf("To = %q, %v", to, err)
	}
	moved := changed(t, s, ann.ID, func(u *user.User) { u.Email, u.EmailVerified = "anna@example.test", true })
	wantOver(t, "a code that went to the old address", verify(k, &factor.Attempt{User: moved, Flow: a.Flow}, code))
	b := attempt(moved)
	if err := verify(k, b, send(t, k, b)); err != nil {
		t.Errorf("a code to the new address: %v", err)
	}
	all := s.Letters.All()
	if last := all[len(all)-1]; last.To.Email != "anna@example.test" {
		t.Errorf("it went to %s", last.To.Email)
	}
}

func TestCodesFollowTheNumberThatIsProven(t *testing.T) {
	s := stage.New(t)
	k, ann := kinds(s)["sms"], proven(t, s, "ann@example.test")
	k.turnOn(t, ann)
	a, text := attempt(ann), onetime.SMS{Service: s.OneTime}
	code := send(t, k, a)
	const another = "+12025550100"
	if err := text.Offer(t.Context(), ann, another); err != nil {
		t.Fatal(err)
	}
	if to, err := k.To(t.Context(), ann); to != "+49 … 56" || err != nil {
		t.Errorf("before the proof codes go to %q, %v", to, err)
	}
	if err := text.Confirm(t.Context(), factor.Change{UserID: ann.ID}, s.Texts.Code(t)); err != nil {
		t.Fatal(err)
	}
	wantOver(t, "a code that went to the old number", verify(k, a, code))
	if to, err := k.To(t.Context(), ann); to != "+1 … 00" || err != nil {
		t.Errorf("To = %q, %v", to, err)
	}
	u, err := s.Users.Get(t.Context(), ann.ID)
	if err != nil || u.PhoneNumber != another || !u.PhoneNumberVerified {
		t.Errorf("phone_number %q, verified %v, %v", u.PhoneNumber, u.PhoneNumberVerified, err)
	}
}

func TestWhenTextsCannotBeSentNothingIsSpent(t *testing.T) {
	s := stage.New(t)
	k, ann := kinds(s)["sms"], proven(t, s, "ann@example.test")
	k.turnOn(t, ann)
	a := attempt(ann)
	code, was := send(t, k, a), a.Flow.Code
	s.Texts.SetDown(true)
	for range 10 { // more than the number may get
		if err := k.Send(t.Context(), a); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("Send = %v", err)
		}
	}
	if a.Flow.Code != was {
		t.Error("the flow forgot the code that was sent before")
	}
	if got := s.Audit.Named(audit.SMSFailed); len(got) != 10 || got[0].UserID != ann.ID || got[0].Data["reason"] == "" {
		t.Errorf("the audit has %+v", got)
	}
	if err := (onetime.SMS{Service: s.OneTime}).Offer(t.Context(), ann, "+12025550100"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Offer = %v", err)
	}
	s.Texts.SetDown(false)
	if err := verify(k, a, code); err != nil {
		t.Errorf("the code from before: %v", err)
	}
	send(t, k, a) // the number was not charged for what did not arrive
}

func TestCodesAreLimited(t *testing.T) {
	rules := limit.Standard()
	t.Run("messages to one number", func(t *testing.T) {
		s := stage.New(t)
		k, ann := kinds(s)["sms"], proven(t, s, "ann@example.test")
		k.turnOn(t, ann)
		a := attempt(ann)
		for range rules.SMSRecipient.Max - 1 {
			send(t, k, a)
		}
		before := k.sent()
		if err := k.Send(t.Context(), a); !fault.Is(err, fault.Limited) || k.sent() != before {
			t.Errorf("one more: %v, and %d left", err, k.sent()-before)
		}
		bob := proven(t, s, "bob@example.test")
		if err := (onetime.SMS{Service: s.OneTime}).Offer(t.Context(), bob, number); !fault.Is(err, fault.Limited) {
			t.Errorf("the same number by somebody else: %v", err)
		}
	})
	t.Run("messages that one address causes", func(t *testing.T) {
		s := stage.New(t)
		ann := proven(t, s, "ann@example.test")
		for n := range rules.SMSAddress.Max {
			if err := (onetime.SMS{Service: s.OneTime}).Offer(t.Context(), ann, fmt.Sprintf("+493012345%02d", n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := (onetime.SMS{Service: s.OneTime}).Offer(t.Context(), ann, "+12025550100"); !fault.Is(err, fault.Limited) {
			t.Errorf("one more: %v", err)
		}
	})
	t.Run("mails to one recipient", func(t *testing.T) {
		s := stage.New(t)
		k, ann := kinds(s)["email"], proven(t, s, "ann@example.test")
		k.turnOn(t, ann)
		a := attempt(ann)
		for range rules.MailRecipient.Max - 1 {
			send(t, k, a)
		}
		if err := k.Send(t.Context(), a); !fault.Is(err, fault.Limited) {
			t.Errorf("one more: %v", err)
		}
	})
	t.Run("ASVS 6.6.3 wrong codes of an enrolment, over all codes", func(t *testing.T) {
		s := stage.New(t)
		mail, k, ann := onetime.Email{Service: s.OneTime}, kinds(s)["email"], proven(t, s, "ann@example.test")
		var last error
		for n := range rules.Code.Max + 1 {
			if n%confirm.MaxTries == 0 {
				if err := mail.Offer(t.Context(), ann); err != nil {
					t.Fatal(err)
				}
			}
			last = mail.Confirm(t.Context(), factor.Change{UserID: ann.ID}, wrong(k.code(t)))
		}
		if !fault.Is(last, fault.Limited) {
			t.Errorf("the last of %d wrong ones: %v", rules.Code.Max+1, last)
		}
	})
}

func TestAnEnrolmentNeedsTheCodeThatWasSent(t *testing.T) {
	s := stage.New(t)
	mail, text := onetime.Email{Service: s.OneTime}, onetime.SMS{Service: s.OneTime}
	ann, bob := proven(t, s, "ann@example.test"), proven(t, s, "bob@example.test")
	change := factor.Change{UserID: ann.ID}
	wantOver(t, "an email code before any", mail.Confirm(t.Context(), change, "12345678"))
	wantOver(t, "a text code before any", text.Confirm(t.Context(), change, "12345678"))
	if err := text.Offer(t.Context(), bob, number); err != nil {
		t.Fatal(err)
	}
	bobs := s.Texts.Code(t)
	if err := text.Offer(t.Context(), ann, "+12025550100"); err != nil {
		t.Fatal(err)
	}
	if err := text.Confirm(t.Context(), change, bobs); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the code of bob's number: %v", err)
	}
	if err := mail.Offer(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	code := kinds(s)["email"].code(t)
	changed(t, s, ann.ID, func(u *user.User) { u.Email = "anna@example.test" })
	wantOver(t, "a code to the old address", mail.Confirm(t.Context(), change, code))
	unproven := s.Person(t, "cleo@example.test")
	if err := mail.Offer(t.Context(), unproven); !fault.Is(err, fault.Unavailable) {
		t.Errorf("to an address that is not proven: %v", err)
	}
	if u, err := s.Users.Get(t.Context(), ann.ID); err != nil || len(u.Factors) != 0 || u.PhoneNumber != "" {
		t.Errorf("after refusals ann has %v, %q, %v", u.Factors, u.PhoneNumber, err)
	}
}

func TestTextsSayTheCodeInOneLineAndForBrowsers(t *testing.T) {
	s := stage.New(t)
	k, ann := kinds(s)["sms"], proven(t, s, "ann@example.test")
	k.turnOn(t, ann)
	for locale, want := range map[string]string{
		"":   " is your code for Portico. Tell nobody.",
		"de": " ist Ihr Code für Portico. Sagen Sie ihn niemandem.",
	} {
		u := *ann
		u.Locale = locale
		a := attempt(&u)
		code := send(t, k, a)
		all := s.Texts.Sent()
		last := all[len(all)-1]
		if text := code + want + "\n\n@id.example.test #" + code; last.Text != text || last.To != number || last.ID != a.Flow.Code {
			t.Errorf("%s: sent %+v, want the text %q", locale, last, text)
		}
	}
	page := attempt(ann)
	page.Locales = []string{"fr"}
	send(t, k, page)
	if all := s.Texts.Sent(); !strings.Contains(all[len(all)-1].Text, "est votre code") {
		t.Errorf("who never chose a language is told %q on a French page", all[len(all)-1].Text)
	}
}

func TestCodesAreHashedAtRest(t *testing.T) {
	each(t, func(t *testing.T, s *stage.Stage, k kind, ann *user.User) {
		a := attempt(ann)
		code := send(t, k, a)
		dump := storagetest.Dump(t, s.Durable)
		if !strings.Contains(dump, a.Flow.Code) {
			t.Fatal("the dump lacks the confirmation: it would prove nothing")
		}
		if strings.Contains(dump, code) || strings.Contains(dump, strings.ReplaceAll(code, " ", "")) {
			t.Error("the database holds the code")
		}
		for _, e := range s.Audit.Events() {
			if text := fmt.Sprint(e); strings.Contains(text, code) || strings.Contains(text, number) || strings.Contains(text, "ann@example.test") {
				t.Errorf("the audit holds a code, a number or an address: %s", text)
			}
		}
	})
}
