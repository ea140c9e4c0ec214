package login_test

import (
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// attempts sends n guesses of a fresh browser, one after the other, and
// returns the answers.
func attempts(t *testing.T, r *stage.Pages, n int, username, password string) []stage.Answer {
	t.Helper()
	return attemptsFrom(t, r, "", n, username, password)
}

// attemptsFrom is attempts from another address than the usual one.
func attemptsFrom(t *testing.T, r *stage.Pages, address string, n int, username, password string) []stage.Answer {
	t.Helper()
	b := &stage.Browser{Handler: r.Handler, Address: address}
	at := r.Begin(t, b, "")
	answers := make([]stage.Answer, n)
	for i := range answers {
		answers[i] = b.Submit(at, "username", username, "password", password)
	}
	return answers
}

func TestNobodyIsEnumerated(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	gone := r.Person(t, "gone@example.test")
	if err := r.Users.Disable(ctx, gone.ID); err != nil {
		t.Fatal(err)
	}
	bare, err := r.Users.Create(ctx, user.User{Email: "bare@example.test"}, nil)
	if err != nil || bare == nil {
		t.Fatal(err)
	}
	want := stage.Alike(attemptsFrom(t, r, "198.51.100.1:1", 1, "ann@example.test", "wrong password")[0], "ann@example.test")
	address := 1
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
			address++ // or the headers tell how often this one has failed
			from := "198.51.100." + strconv.Itoa(address) + ":1"
			if got := stage.Alike(attemptsFrom(t, r, from, 1, tt[0], tt[1])[0], html.EscapeString(tt[0])); got != want {
				t.Errorf("differs from a wrong password:\n%s\nwant\n%s", got, want)
			}
		})
	}
	t.Run("throttled alike", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		known := attemptsFrom(t, r, "198.51.100.1:1", 7, "ann@example.test", "wrong password")
		unknown := attemptsFrom(t, r, "198.51.100.2:1", 7, "nobody@example.test", "wrong password")
		for i := range known {
			if a, b := stage.Alike(known[i], "ann@example.test"), stage.Alike(unknown[i], "nobody@example.test"); a != b {
				t.Errorf("attempt %d differs:\n%s\nand\n%s", i+1, a, b)
			}
		}
	})
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Run("five failures per account", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := stage.NewPages(t)
			r.Person(t, "ann@example.test")
			for i, answer := range attempts(t, r, 7, "ann@example.test", "wrong password") {
				want := http.StatusOK
				if i >= 5 {
					want = http.StatusTooManyRequests
				}
				wait, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
				if answer.Status != want || (want == http.StatusTooManyRequests) != (wait >= 900 && wait <= 960) {
					t.Errorf("attempt %d: status %d, Retry-After %q; want %d", i+1, answer.Status, answer.Header.Get("Retry-After"), want)
				}
			}
			if answer := attempts(t, r, 1, "ann@example.test", stage.Password)[0]; answer.Status != http.StatusTooManyRequests {
				t.Errorf("the right password during the brake: status %d", answer.Status)
			}
			if n := len(r.Audit.Named(audit.LoginFailed)); n != 5 {
				t.Errorf("%d failures in the audit, want 5", n)
			}
			if n := len(r.Audit.Named(audit.LoginThrottled)); n != 3 {
				t.Errorf("%d throttles in the audit, want 3", n)
			}
			time.Sleep(16 * time.Minute)
			if answer := attempts(t, r, 1, "ann@example.test", stage.Password)[0]; answer.Status != http.StatusSeeOther {
				t.Errorf("after the window: status %d, want the login to work", answer.Status)
			}
		})
	})
	t.Run("the pause grows while they go on, and a day of silence forgives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := stage.NewPages(t)
			r.Person(t, "ann@example.test")
			var waits []time.Duration
			for len(waits) < 4 {
				answer := attempts(t, r, 1, "ann@example.test", "wrong password")[0]
				if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
					waits = append(waits, time.Duration(seconds)*time.Second)
					time.Sleep(waits[len(waits)-1])
				}
			}
			for i, least := range []time.Duration{15 * time.Minute, time.Hour, 9 * time.Hour, 11 * time.Hour} {
				if waits[i] < least || waits[i] > 2*least {
					t.Errorf("pause %d of %v, want about %s", i+1, waits, least)
				}
			}
			time.Sleep(26 * time.Hour)
			if got := attempts(t, r, 6, "ann@example.test", "wrong password"); got[4].Status != http.StatusOK || len(got[5].Header.Get("Retry-After")) != len("900") {
				t.Errorf("after a day of silence: %d, then %s; want the first pause again", got[4].Status, got[5].Header.Get("Retry-After"))
			}
		})
	})
	t.Run("one counter for every spelling and identifier of an account", func(t *testing.T) {
		r := stage.NewPages(t)
		if _, err := r.Users.Create(ctx, user.User{Email: "ann@example.test", Username: "ann"}, nil); err != nil {
			t.Fatal(err)
		}
		for i, spelling := range []string{"ann@example.test", "ANN@EXAMPLE.TEST", " ann@example.test ", "ann", "Ann", "ａｎｎ", "ann"} {
			want := http.StatusOK
			if i >= 5 {
				want = http.StatusTooManyRequests
			}
			if got := attempts(t, r, 1, spelling, "wrong password")[0].Status; got != want {
				t.Errorf("attempt %d as %q: status %d, want %d", i+1, spelling, got, want)
			}
		}
	})
	t.Run("one counter for every spelling of a name that nobody has", func(t *testing.T) {
		r := stage.NewPages(t)
		for i, spelling := range []string{"nobody@x.test", "NOBODY@x.test", "nobody@X.TEST ", "Nobody@x.test", " nobody@x.test", "nobody@x.test"} {
			if got := attempts(t, r, 1, spelling, "wrong password")[0].Status; (got == http.StatusTooManyRequests) != (i >= 5) {
				t.Errorf("attempt %d as %q: status %d", i+1, spelling, got)
			}
		}
	})
	t.Run("twenty failures per address, whomever they aim at", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		for i := range 22 {
			got := attempts(t, r, 1, "nobody"+strconv.Itoa(i)+"@x.test", "wrong password")[0].Status
			if (got == http.StatusTooManyRequests) != (i >= 20) {
				t.Errorf("attempt %d: status %d", i+1, got)
			}
		}
		b := &stage.Browser{Handler: r.Handler, Address: "198.51.100.7:1"}
		if at := stage.Follow(t, b.Submit(r.Begin(t, b, ""), "username", "ann@example.test", "password", stage.Password)); !stage.IsPage(at, "/consent") {
			t.Errorf("from another address: %q", at)
		}
	})
	t.Run("success is given back", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		for i := range 30 {
			if got := attempts(t, r, 1, "ann@example.test", stage.Password)[0].Status; got != http.StatusSeeOther {
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
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		b := r.Browser()
		r.SignIn(t, b, "ann@example.test")
		attempts(t, r, 8, "ann@example.test", "wrong password")
		if at := r.Begin(t, b, ""); at != stage.Granted {
			t.Errorf("the signed-in person is sent to %q", at)
		}
	})
	t.Run("NIST SP 800-63B §3.2.2 a known device is not locked out by strangers", func(t *testing.T) {
		r := stage.NewPages(t)
		ann := r.Person(t, "ann@example.test")
		r.Person(t, "ben@example.test")
		known := r.Browser()
		r.SignIn(t, known, "ann@example.test")
		known.SetCookie(stage.SessionCookie, "")
		for _, answer := range attempts(t, r, 8, "ann@example.test", "wrong password")[5:] {
			if answer.Status != http.StatusTooManyRequests {
				t.Fatalf("a stranger after five failures: status %d", answer.Status)
			}
		}
		enter := func(b *stage.Browser, as string) int {
			return b.Submit(r.Begin(t, b, ""), "username", as, "password", stage.Password).Status
		}
		if got := enter(known, "ann@example.test"); got != http.StatusSeeOther {
			t.Errorf("the person's own device: status %d, want in", got)
		}
		stolen := r.Browser()
		stolen.SetCookie(stage.KnownCookie, known.Cookie(stage.KnownCookie))
		if got := enter(stolen, "ann@example.test"); got != http.StatusTooManyRequests {
			t.Errorf("the note beside another browser's cookie: status %d, want braked", got)
		}
		forged := r.Browser()
		forged.SetCookie(stage.KnownCookie, secret.Wrap(secret.KnownDevice, make([]byte, 16)))
		if got := enter(forged, "ann@example.test"); got != http.StatusTooManyRequests {
			t.Errorf("a forged note: status %d, want braked", got)
		}
		bens := r.Browser()
		r.SignIn(t, bens, "ben@example.test")
		bens.SetCookie(stage.SessionCookie, "")
		if got := enter(bens, "ann@example.test"); got != http.StatusTooManyRequests {
			t.Errorf("a device that knows somebody else: status %d, want braked", got)
		}
		if strings.Contains(known.Cookie(stage.KnownCookie), ann.ID) {
			t.Error("the note names the person")
		}
	})
	t.Run("a known device has its own five failures, no more", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		known := r.Browser()
		r.SignIn(t, known, "ann@example.test")
		known.SetCookie(stage.SessionCookie, "")
		at := r.Begin(t, known, "")
		for i := range 7 {
			got := known.Submit(at, "username", "ann@example.test", "password", "wrong password").Status
			if (got == http.StatusTooManyRequests) != (i >= 5) {
				t.Errorf("failure %d: status %d", i+1, got)
			}
		}
	})
	t.Run("counters hold no address", func(t *testing.T) {
		r := stage.NewPages(t)
		attempts(t, r, 1, "nobody@example.test", "wrong password")
		for key := range r.Limits.Count("login-account") {
			if strings.Contains(key, "nobody") {
				t.Errorf("the key %q holds what was typed", key)
			}
		}
	})
}

func TestRacingGuessesGetNoMoreThanFive(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	var looked, braked atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		b := &stage.Browser{Handler: r.Handler, Address: "198.51.100." + strconv.Itoa(i) + ":1"}
		at := r.Begin(t, b, "")
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

// Many good logins of one account at once are no guessing: they wait for each
// other, and none is refused.
func TestGoodLoginsThatMeetAreNotRefused(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	var wg sync.WaitGroup
	var refused atomic.Int32
	for range 12 {
		b := r.Browser()
		at := r.Begin(t, b, "")
		wg.Go(func() {
			if a := b.Submit(at, "username", "ann@example.test", "password", stage.Password); a.Status == http.StatusTooManyRequests {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if n := refused.Load(); n > 0 {
		t.Errorf("%d of 12 good logins were throttled", n)
	}
}

// Whoever signs in rightly uses nothing up: five hundred people of an office
// come in of a morning, from one address whose limit is twenty failures.
func TestAnOfficeBehindOneAddressIsNeverThrottled(t *testing.T) {
	r := stage.NewPages(t)
	const people, lanes = 50, 25
	for i := range people {
		r.Person(t, "p"+strconv.Itoa(i)+"@example.test")
	}
	var wg sync.WaitGroup
	var in, refused atomic.Int32
	next := make(chan int, 500)
	for i := range cap(next) {
		next <- i
	}
	close(next)
	for range lanes {
		wg.Go(func() {
			for i := range next {
				b := r.Browser()
				at := b.Get("/start").Location
				switch a := b.Submit(at, "username", "p"+strconv.Itoa(i%people)+"@example.test", "password", stage.Password); a.Status {
				case http.StatusSeeOther:
					in.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				default:
					t.Errorf("login %d: status %d", i, a.Status)
				}
			}
		})
	}
	wg.Wait()
	if in.Load() != 500 || refused.Load() != 0 {
		t.Errorf("%d of 500 good logins came in and %d were throttled", in.Load(), refused.Load())
	}
	for rule, counts := range map[string]map[string]int{"account": r.Limits.Count("login-account"), "address": r.Limits.Count("login-address")} {
		for key, n := range counts {
			if n != 0 {
				t.Errorf("%d attempts stand for the %s %s", n, rule, key)
			}
		}
	}
}
