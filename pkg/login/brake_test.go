package login_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

// attempts sends n guesses of a fresh browser, one after the other, and
// returns the answers.
func (r *rig) attempts(t *testing.T, n int, username, password string) []stage.Answer {
	t.Helper()
	b := r.browser()
	at := r.begin(t, b, "")
	answers := make([]stage.Answer, n)
	for i := range answers {
		answers[i] = b.Submit(at, "username", username, "password", password)
	}
	return answers
}

// alike returns what of an answer may not tell people apart: all but the
// names they typed and what is new in every answer.
func alike(a stage.Answer, typed string) string {
	body := strings.ReplaceAll(a.Body, typed, "NAME")
	body = regexp.MustCompile(`ptf_[A-Za-z0-9_-]+`).ReplaceAllString(body, "FLOW")
	body = regexp.MustCompile(`name="form_token" value="[^"]*"`).ReplaceAllString(body, "TOKEN")
	head := a.Header.Clone()
	head.Del("X-Request-Id")
	lines := []string{strconv.Itoa(a.Status), body}
	for name, values := range head {
		lines = append(lines, name+": "+strings.Join(values, ","))
	}
	// The order of a map is not part of an answer.
	slices.Sort(lines[2:])
	return strings.Join(lines, "\n")
}

func TestNobodyIsEnumerated(t *testing.T) {
	r := newRig(t)
	r.Person(t, "ann@example.test")
	gone := r.Person(t, "gone@example.test")
	if err := r.Users.Disable(ctx, gone.ID); err != nil {
		t.Fatal(err)
	}
	bare, err := r.Users.Create(ctx, user.User{Email: "bare@example.test"}, nil)
	if err != nil || bare == nil {
		t.Fatal(err)
	}
	want := alike(r.attempts(t, 1, "ann@example.test", "wrong password")[0], "ann@example.test")
	if !strings.Contains(want, "do not match") || strings.Contains(want, "wrong password") {
		t.Fatalf("the answer to a wrong password: %.400s", want)
	}
	for name, tt := range map[string][2]string{
		"ASVS 6.3.8 unknown person":                         {"nobody@example.test", stage.Password},
		"ASVS 6.3.8 disabled person, right password":        {"gone@example.test", stage.Password},
		"ASVS 6.3.8 disabled person, wrong password":        {"gone@example.test", "wrong password"},
		"ASVS 6.3.8 empty password":                         {"ann@example.test", ""},
		"ASVS 6.3.8 unknown person, empty password":         {"nobody@example.test", ""},
		"ASVS 6.3.8 a person without a password":            {"bare@example.test", stage.Password},
		"ASVS 6.3.8 a password above the bound":             {"ann@example.test", strings.Repeat("x", 2000)},
		"ASVS 6.3.8 unknown, a password above the bound":    {"nobody@example.test", strings.Repeat("x", 2000)},
		"ASVS 6.3.8 a name that no account could have":      {"' OR 1=1 --@x", stage.Password},
		"ASVS 6.3.8 the id of a person instead of the name": {gone.ID, stage.Password},
	} {
		t.Run(name, func(t *testing.T) {
			if got := alike(r.attempts(t, 1, tt[0], tt[1])[0], html.EscapeString(tt[0])); got != want {
				t.Errorf("differs from a wrong password:\n%s\nwant\n%s", got, want)
			}
		})
	}
	t.Run("throttled alike", func(t *testing.T) {
		r := newRig(t)
		r.Person(t, "ann@example.test")
		known := r.attempts(t, 7, "ann@example.test", "wrong password")
		unknown := r.attempts(t, 7, "nobody@example.test", "wrong password")
		for i := range known {
			if a, b := alike(known[i], "ann@example.test"), alike(unknown[i], "nobody@example.test"); a != b {
				t.Errorf("attempt %d differs:\n%s\nand\n%s", i+1, a, b)
			}
		}
	})
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Run("five failures per account", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.Person(t, "ann@example.test")
			for i, answer := range r.attempts(t, 7, "ann@example.test", "wrong password") {
				want := http.StatusOK
				if i >= 5 {
					want = http.StatusTooManyRequests
				}
				if answer.Status != want || (want == http.StatusTooManyRequests) != (answer.Header.Get("Retry-After") == "900") {
					t.Errorf("attempt %d: status %d, Retry-After %q; want %d", i+1, answer.Status, answer.Header.Get("Retry-After"), want)
				}
			}
			if answer := r.attempts(t, 1, "ann@example.test", stage.Password)[0]; answer.Status != http.StatusTooManyRequests {
				t.Errorf("the right password during the brake: status %d", answer.Status)
			}
			if n := len(r.Audit.Named(audit.LoginFailed)); n != 5 {
				t.Errorf("%d failures in the audit, want 5", n)
			}
			if n := len(r.Audit.Named(audit.LoginThrottled)); n != 3 {
				t.Errorf("%d throttles in the audit, want 3", n)
			}
			time.Sleep(15*time.Minute + time.Second)
			if answer := r.attempts(t, 1, "ann@example.test", stage.Password)[0]; answer.Status != http.StatusSeeOther {
				t.Errorf("after the window: status %d, want the login to work", answer.Status)
			}
		})
	})
	t.Run("one counter for every spelling and identifier of an account", func(t *testing.T) {
		r := newRig(t)
		if _, err := r.Users.Create(ctx, user.User{Email: "ann@example.test", Username: "ann"}, nil); err != nil {
			t.Fatal(err)
		}
		for i, spelling := range []string{"ann@example.test", "ANN@EXAMPLE.TEST", " ann@example.test ", "ann", "Ann", "ａｎｎ", "ann"} {
			want := http.StatusOK
			if i >= 5 {
				want = http.StatusTooManyRequests
			}
			if got := r.attempts(t, 1, spelling, "wrong password")[0].Status; got != want {
				t.Errorf("attempt %d as %q: status %d, want %d", i+1, spelling, got, want)
			}
		}
	})
	t.Run("one counter for every spelling of a name that nobody has", func(t *testing.T) {
		r := newRig(t)
		for i, spelling := range []string{"nobody@x.test", "NOBODY@x.test", "nobody@X.TEST ", "Nobody@x.test", " nobody@x.test", "nobody@x.test"} {
			if got := r.attempts(t, 1, spelling, "wrong password")[0].Status; (got == http.StatusTooManyRequests) != (i >= 5) {
				t.Errorf("attempt %d as %q: status %d", i+1, spelling, got)
			}
		}
	})
	t.Run("twenty failures per address, whomever they aim at", func(t *testing.T) {
		r := newRig(t)
		r.Person(t, "ann@example.test")
		for i := range 22 {
			got := r.attempts(t, 1, "nobody"+strconv.Itoa(i)+"@x.test", "wrong password")[0].Status
			if (got == http.StatusTooManyRequests) != (i >= 20) {
				t.Errorf("attempt %d: status %d", i+1, got)
			}
		}
		b := &stage.Browser{Handler: r.handler, Address: "198.51.100.7:1"}
		if at := follow(t, b.Submit(r.begin(t, b, ""), "username", "ann@example.test", "password", stage.Password)); !page(at, "/consent") {
			t.Errorf("from another address: %q", at)
		}
	})
	t.Run("success is given back", func(t *testing.T) {
		r := newRig(t)
		r.Person(t, "ann@example.test")
		for i := range 30 {
			if got := r.attempts(t, 1, "ann@example.test", stage.Password)[0].Status; got != http.StatusSeeOther {
				t.Fatalf("login %d: status %d", i+1, got)
			}
		}
		for rule, counts := range map[string]map[string]int{"account": r.Limits.Count("login-account"), "address": r.Limits.Count("login-address")} {
			for key, n := range counts {
				if n != 0 {
					t.Errorf("%d attempts stand for the %s %s", n, rule, key)
				}
			}
		}
	})
	t.Run("a live session is not locked out", func(t *testing.T) {
		r := newRig(t)
		r.Person(t, "ann@example.test")
		b := r.browser()
		r.signIn(t, b, "ann@example.test")
		r.attempts(t, 8, "ann@example.test", "wrong password")
		if at := r.begin(t, b, ""); at != granted {
			t.Errorf("the signed-in person is sent to %q", at)
		}
	})
	t.Run("counters hold no address", func(t *testing.T) {
		r := newRig(t)
		r.attempts(t, 1, "nobody@example.test", "wrong password")
		for key := range r.Limits.Count("login-account") {
			if strings.Contains(key, "nobody") {
				t.Errorf("the key %q holds what was typed", key)
			}
		}
	})
}

func TestRacingGuessesGetNoMoreThanFive(t *testing.T) {
	r := newRig(t)
	r.Person(t, "ann@example.test")
	var looked, braked atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		b := &stage.Browser{Handler: r.handler, Address: "198.51.100." + strconv.Itoa(i) + ":1"}
		at := r.begin(t, b, "")
		form := stage.Hidden(b.Get(at).Body)
		form.Set("username", "ann@example.test")
		form.Set("password", "guess "+strconv.Itoa(i))
		wg.Go(func() {
			switch answer := b.Post(at, url.Values(form)); answer.Status {
			case http.StatusOK:
				looked.Add(1)
			case http.StatusTooManyRequests:
				braked.Add(1)
			default:
				t.Errorf("status %d", answer.Status)
			}
		})
	}
	wg.Wait()
	if looked.Load() != 5 || braked.Load() != 45 {
		t.Errorf("%d guesses were looked at and %d braked, want 5 and 45", looked.Load(), braked.Load())
	}
}
