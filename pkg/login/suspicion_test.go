package login_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

// fails sends one guess from the address and returns its status.
func fails(t *testing.T, r *stage.Pages, address, username, password string) int {
	t.Helper()
	return attemptsFrom(t, r, address, 1, username, password)[0].Status
}

func nobody(i int) string { return "nobody" + strconv.Itoa(i) + "@example.test" }

func TestOneSourceThatFailsOnManyAccountsIsSlowedDown(t *testing.T) {
	t.Run("an address has for an hour what else it has for a quarter", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := stage.NewPages(t)
			passed, n := 0, 0
			for range 4 { // quarters of an hour
				for range 25 {
					n++
					if fails(t, r, "198.51.100.7:1", nobody(n), "wrong "+strconv.Itoa(n)) == http.StatusOK {
						passed++
					}
				}
				time.Sleep(16 * time.Minute)
			}
			// Ten until it is suspected, then as many as one window allows.
			if passed < 25 || passed > 30 {
				t.Errorf("%d guesses passed in an hour, want 30 and not 80", passed)
			}
			if n := len(r.Audit.Named(audit.StuffingSuspected)); n < 1 || n > 4 {
				t.Errorf("%d suspicions were told in four windows, want one for each in which it went on", n)
			}
			e := r.Audit.Named(audit.StuffingSuspected)[0]
			if e.Data["source"] != "198.51.100.7" || e.Data["accounts"] != "10" {
				t.Errorf("the suspicion tells %+v", e)
			}
		})
	})
	t.Run("a network is suspected as a whole", func(t *testing.T) {
		r := stage.NewPages(t)
		passed := 0
		for i := range 200 {
			if fails(t, r, fmt.Sprintf("198.51.100.%d:1", i), nobody(i), "wrong "+strconv.Itoa(i)) == http.StatusOK {
				passed++
			}
		}
		if passed != 40+80 {
			t.Errorf("%d guesses passed from 200 addresses of a network, want 40 and then 80", passed)
		}
		told := r.Audit.Named(audit.StuffingSuspected)
		if len(told) != 1 || told[0].Data["source"] != "198.51.100.0/24" {
			t.Errorf("told %+v, want the network, once", told)
		}
		if got := fails(t, r, "203.0.113.9:1", nobody(1000), "wrong"); got != http.StatusOK {
			t.Errorf("another network: status %d", got)
		}
	})
	t.Run("one account that fails often is no stuffing", func(t *testing.T) {
		r := stage.NewPages(t)
		for i := range 30 {
			fails(t, r, "198.51.100.7:1", nobody(i%9), "wrong "+strconv.Itoa(i))
		}
		if n := len(r.Audit.Named(audit.StuffingSuspected)); n != 0 {
			t.Errorf("%d suspicions of nine accounts", n)
		}
	})
	t.Run("good logins never make a source suspect", func(t *testing.T) {
		r := stage.NewPages(t)
		for i := range 25 {
			name := fmt.Sprintf("p%d@example.test", i)
			r.Person(t, name)
			if got := fails(t, r, "198.51.100.7:1", name, stage.Password); got != http.StatusSeeOther {
				t.Fatalf("login %d: status %d", i+1, got)
			}
		}
		if keys := r.Spreads.Keys(); len(keys) != 0 {
			t.Errorf("good logins left %q", keys)
		}
	})
}

func TestOnePasswordThatFailsOnManyAccountsIsNotTriedAnyMore(t *testing.T) {
	const sprayed = "umbrella saddle lantern 84"
	// spray fails with the password on n accounts, each from another network.
	spray := func(t *testing.T, r *stage.Pages, from, n int) (passed int) {
		t.Helper()
		for i := range n {
			if fails(t, r, fmt.Sprintf("203.0.%d.9:1", from+i), nobody(from+i), sprayed) == http.StatusOK {
				passed++
			}
		}
		return passed
	}
	t.Run("from any address, for names that exist and names that do not", func(t *testing.T) {
		r := stage.NewPages(t)
		r.Person(t, "ann@example.test")
		if n := spray(t, r, 0, 10); n != 10 || len(r.Audit.Named(audit.SprayingSuspected)) != 1 {
			t.Fatalf("%d of 10 tries passed and %d suspicions were told, want 10 and 1", n, len(r.Audit.Named(audit.SprayingSuspected)))
		}
		if n := spray(t, r, 10, 30); n != 10 {
			t.Errorf("%d more tries passed, want 10", n)
		}
		if n := len(r.Audit.Named(audit.SprayingSuspected)); n != 1 {
			t.Errorf("%d suspicions in one window, want 1", n)
		}
		known := attemptsFrom(t, r, "192.0.2.8:1", 1, "ann@example.test", sprayed)[0]
		unknown := attemptsFrom(t, r, "192.0.2.9:1", 1, "nobody@example.test", sprayed)[0]
		if known.Status != http.StatusTooManyRequests || known.Header.Get("Retry-After") != "900" {
			t.Errorf("the sprayed password on an account: status %d after %q", known.Status, known.Header.Get("Retry-After"))
		}
		if a, b := stage.Alike(known, "ann@example.test"), stage.Alike(unknown, "nobody@example.test"); a != b {
			t.Errorf("known and unknown differ:\n%s\nand\n%s", a, b)
		}
		if f := r.Refusals.Last(); f == nil || !strings.Contains(f.Rule, "fails on many accounts") || !strings.Contains(f.Hint, "limit_login_spread") {
			t.Errorf("not explained: %+v", f)
		}
		if got := fails(t, r, "192.0.2.10:1", "ann@example.test", "another password"); got != http.StatusOK {
			t.Errorf("another password: status %d, want it looked at", got)
		}
	})
	t.Run("a person whose password it is signs in on their own device, and elsewhere after the window", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := stage.NewPages(t)
			u := r.Person(t, "ann@example.test")
			known := r.Browser()
			r.SignIn(t, known, "ann@example.test")
			known.SetCookie(stage.SessionCookie, "")
			hash, err := r.Passwords.Hash(ctx, sprayed)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Passwords.Put(ctx, u.ID, hash); err != nil {
				t.Fatal(err)
			}
			spray(t, r, 0, 40)
			enter := func(b *stage.Browser) int {
				return b.Submit(r.Begin(t, b, ""), "username", "ann@example.test", "password", sprayed).Status
			}
			if got := enter(known); got != http.StatusSeeOther {
				t.Errorf("their own device: status %d, want in", got)
			}
			if got := enter(r.Browser()); got != http.StatusTooManyRequests {
				t.Errorf("an unknown device: status %d, want braked", got)
			}
			time.Sleep(16 * time.Minute)
			if got := enter(r.Browser()); got != http.StatusSeeOther {
				t.Errorf("an unknown device after the window: status %d, want in", got)
			}
		})
	})
	t.Run("what is kept holds neither password nor name", func(t *testing.T) {
		r := stage.NewPages(t)
		spray(t, r, 0, 3)
		for _, key := range r.Spreads.Keys() {
			if strings.Contains(key, sprayed) || strings.Contains(key, "nobody") {
				t.Errorf("%q is kept", key)
			}
			if print, ok := strings.CutPrefix(key, "login-spread-password "); ok && len(print) > 3 {
				t.Errorf("the fingerprint %x tells the password from %d bits of others", print, 8*len(print))
			}
		}
	})
}

// Somebody who shares the address with an attacker is not kept out of a device
// that they have used before (NIST SP 800-63B §3.2.2).
func TestStrangersOfTheSameAddressLockNobodyOutOfTheirDevice(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	known := r.Browser()
	r.SignIn(t, known, "ann@example.test")
	known.SetCookie(stage.SessionCookie, "")
	for i := range 40 {
		attempts(t, r, 1, nobody(i), "wrong "+strconv.Itoa(i))
	}
	if got := attempts(t, r, 1, "ann@example.test", stage.Password)[0].Status; got != http.StatusTooManyRequests {
		t.Fatalf("an unknown device at that address: status %d, want braked", got)
	}
	answer := known.Submit(r.Begin(t, known, ""), "username", "ann@example.test", "password", stage.Password)
	if answer.Status != http.StatusSeeOther || answer.Header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("the known device: status %d, %s left; want in, and the truth about the address", answer.Status, answer.Header.Get("RateLimit-Remaining"))
	}
	forged := r.Browser()
	forged.SetCookie(stage.KnownCookie, known.Cookie(stage.KnownCookie))
	if got := forged.Submit(r.Begin(t, forged, ""), "username", "ann@example.test", "password", stage.Password).Status; got != http.StatusTooManyRequests {
		t.Errorf("its note in another browser: status %d, want braked", got)
	}
}

func TestWhatCannotBeAskedLetsNobodyIn(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	r.Spreads.SetDown(true)
	if got := attempts(t, r, 1, "ann@example.test", stage.Password)[0].Status; got != http.StatusServiceUnavailable {
		t.Errorf("with the spreads away: status %d, want 503", got)
	}
	r.Spreads.SetDown(false)
	for key, n := range r.Limits.Count("login-address") {
		if n != 0 {
			t.Errorf("%d attempts of %s stand that were none", n, key)
		}
	}
}

func TestALoginTellsWhatIsLeftOfTheAddressAlone(t *testing.T) {
	r := stage.NewPages(t)
	r.Person(t, "ann@example.test")
	for i, want := range []string{"19", "18", "17"} {
		a := attempts(t, r, 1, "ann@example.test", "wrong password")[0]
		if a.Header.Get("RateLimit-Limit") != "20" || a.Header.Get("RateLimit-Remaining") != want || a.Header.Get("RateLimit-Policy") != `"login-address";q=20;w=900` {
			t.Errorf("failure %d: %v", i+1, a.Header)
		}
	}
	if a := attempts(t, r, 1, "ann@example.test", stage.Password)[0]; a.Status != http.StatusSeeOther || a.Header.Get("RateLimit-Remaining") != "17" {
		t.Errorf("a success: status %d, %s left; want 17, because it is given back", a.Status, a.Header.Get("RateLimit-Remaining"))
	}
}
