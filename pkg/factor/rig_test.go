package factor_test

import (
	"context"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

// answers is a kind of factor that takes the right answer, again and again, and
// says what it is told to say.
type answers struct {
	kind assurance.Factor
	amr  string

	mu     sync.Mutex
	looked int   // answers that were looked at
	err    error // what it answers instead
	sent   int
	left   int // recovery codes
}

func (m *answers) Kind() assurance.Factor { return m.kind }

func (m *answers) Verify(_ context.Context, a *factor.Attempt) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looked++
	if m.err != nil {
		return nil, m.err
	}
	if a.Form["code"] == right || a.Form["credential"] == right {
		return []string{m.amr}, nil
	}
	return nil, fault.New(fault.Unauthenticated, "code_wrong", "This code is not right.").
		Under("RFC 6238 §5.2 a code is of this time step").Compare("code", "right", "reason for the operator")
}

// fail makes the method answer err; nil: it works again.
func (m *answers) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// count returns how many answers were looked at.
func (m *answers) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.looked
}

// sends is one that sends its code.
type sends struct{ *answers }

func (s *sends) Send(_ context.Context, a *factor.Attempt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.sent++
	a.Flow.Code = "sent by " + string(s.kind)
	return nil
}

func (s *sends) To(context.Context, *user.User) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault.Is(s.err, fault.Unavailable) {
		return "", s.err
	}
	return "+49 … 42", nil
}

// counts is that of recovery codes.
type counts struct{ *answers }

func (c *counts) Left(context.Context, string) (int, error) { return c.left, nil }

// down is what a method says whose service is away.
func down() error {
	return fault.New(fault.Unavailable, "sms_down", "The message cannot be sent now.").Under("codes are sent")
}

// rig is a stage whose second factors are those of the test, with Ann.
type rig struct {
	*stage.Pages
	ann                             *user.User
	app, passkey, sms, email, codes *answers
}

// newRig returns one whose Ann has the kinds. change may make the application
// another.
func newRig(t *testing.T, has []assurance.Factor, change ...func(*client.Client)) *rig {
	t.Helper()
	r := &rig{
		Pages:   stage.NewPages(t, change...),
		app:     &answers{kind: assurance.TOTP, amr: "otp"},
		passkey: &answers{kind: assurance.Passkey, amr: "hwk"},
		sms:     &answers{kind: assurance.SMS, amr: "sms"},
		email:   &answers{kind: assurance.Email, amr: "otp"},
		codes:   &answers{kind: assurance.RecoveryCode, amr: "otp"},
	}
	r.Second.Methods = []factor.Method{r.app, r.passkey, &sends{r.sms}, &sends{r.email}, &counts{r.codes}}
	r.ann = r.Person(t, "ann@example.test")
	r.gets(t, r.ann, has...)
	return r
}

// gets gives a person factors of the kinds.
func (r *rig) gets(t *testing.T, u *user.User, kinds ...assurance.Factor) {
	t.Helper()
	for _, kind := range kinds {
		if err := r.Factors.Add(t.Context(), factor.Change{UserID: u.ID, Kind: kind, Name: "Hers"}, stored); err != nil {
			t.Fatal(err)
		}
	}
}

// demand makes a policy demand the class of everybody.
func (r *rig) demand(class string) {
	r.Opener.Policy.Everyone, r.Factors.Policy.Everyone = class, class
}

// password signs in by the password alone and returns where that leads.
func (r *rig) password(t *testing.T, b *stage.Browser, query string) string {
	t.Helper()
	return stage.Follow(t, b.Submit(r.Begin(t, b, query), "username", "ann@example.test", "password", stage.Password))
}

// pending signs in by the password and returns the page that asks for more.
func (r *rig) pending(t *testing.T, b *stage.Browser, query string) string {
	t.Helper()
	at := r.password(t, b, query)
	if !stage.IsPage(at, "/login/factor") {
		t.Fatalf("the password leads to %q, want the second factor", at)
	}
	return at
}

// signIn signs in by both factors and allows the application.
func (r *rig) signIn(t *testing.T, b *stage.Browser) {
	t.Helper()
	at := stage.Follow(t, b.Submit(r.pending(t, b, ""), "code", right, "credential", right))
	if stage.IsPage(at, "/consent") {
		at = stage.Follow(t, b.Submit(at, "decision", "allow"))
	}
	if at != stage.Granted {
		t.Fatalf("both factors lead to %q", at)
	}
}

// nobody checks that nobody is signed in in the browser.
func (r *rig) nobody(t *testing.T, b *stage.Browser) {
	t.Helper()
	if b.Cookie(stage.SessionCookie) != "" {
		t.Error("somebody is signed in")
	}
	if n := len(r.Finisher.Finished()); n != 0 {
		t.Errorf("%d requests were granted", n)
	}
}

// refused checks that the latest refusal names its rule.
func (r *rig) refused(t *testing.T, code string) {
	t.Helper()
	if last := r.Refusals.Last(); last.Code != code || last.Rule == "" {
		t.Errorf("the latest refusal is %q under %q, want %q under a rule", last.Code, last.Rule, code)
	}
}
