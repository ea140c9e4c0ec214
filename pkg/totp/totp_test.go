package totp_test

import (
	"context"
	"encoding/base32"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage/storagetest"
)

// rfcSeed is the secret of RFC 6238 appendix B and RFC 4226 appendix D.
var rfcSeed = base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))

func TestCodesAreThoseOfTheStandard(t *testing.T) {
	// RFC 6238 appendix B, SHA-1: eight digits, of which apps show the last six.
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		t.Run(fmt.Sprintf("RFC 6238 appendix B at %d", at), func(t *testing.T) {
			got, err := totp.Code(rfcSeed, time.Unix(at, 0))
			if err != nil || got != want[2:] {
				t.Errorf("Code = %s, %v, want %s", got, err, want[2:])
			}
		})
	}
	for count, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		t.Run(fmt.Sprintf("RFC 4226 appendix D, count %d", count), func(t *testing.T) {
			got, err := totp.Code(rfcSeed, time.Unix(int64(count)*30+29, 0))
			if err != nil || got != want {
				t.Errorf("Code = %s, %v, want %s", got, err, want)
			}
		})
	}
}

type rig struct {
	*stage.Stage
	apps *totp.Service
	ann  *user.User
	seed string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s := stage.New(t)
	return &rig{s, totp.NewService(s.Durable.TOTPs, s.Sealer, s.Factors, "Portico"), s.Person(t, "ann@example.test"), totp.NewSeed()}
}

func code(t *testing.T, seed string, at time.Time) string {
	t.Helper()
	got, err := totp.Code(seed, at)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (r *rig) confirm(t *testing.T) {
	t.Helper()
	if err := r.apps.Confirm(t.Context(), factor.Change{UserID: r.ann.ID, Name: "Phone"}, r.seed, code(t, r.seed, time.Now())); err != nil {
		t.Fatal(err)
	}
}

// another confirms one more app, of a seed of its own.
func (r *rig) another(t *testing.T) {
	t.Helper()
	r.seed = totp.NewSeed()
	r.confirm(t)
}

func (r *rig) verify(u *user.User, code string) ([]string, error) {
	return r.apps.Verify(context.Background(), &factor.Attempt{User: u, Form: map[string]string{"code": code}})
}

func TestAnAppCountsOnceACodeConfirmedIt(t *testing.T) {
	r := newRig(t)
	other := code(t, totp.NewSeed(), time.Now())
	for name, typed := range map[string]string{"another seed's code": other, "nothing": "", "letters": "abcdef", "five digits": "12345"} {
		if err := r.apps.Confirm(t.Context(), factor.Change{UserID: r.ann.ID}, r.seed, typed); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: Confirm = %v", name, err)
		}
	}
	if _, err := r.verify(r.ann, code(t, r.seed, time.Now())); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a code of an app that nobody confirmed: %v", err)
	}
	if apps, err := r.apps.Apps(t.Context(), r.ann.ID); len(apps) != 0 || err != nil {
		t.Errorf("kept before it was confirmed: %v, %v", apps, err)
	}
	r.confirm(t)
	u, err := r.Users.Get(t.Context(), r.ann.ID)
	if err != nil || !assurance.Attainable("2", assurance.Usable(u.Factors, assurance.Factors())) {
		t.Errorf("after the confirmation ann has %v, %v", u.Factors, err)
	}
}

func TestACodeIsTakenAroundItsTimeAndOnce(t *testing.T) {
	r := newRig(t)
	synctest.Test(t, func(t *testing.T) { // begins at a whole time step
		r.confirm(t)
		if _, err := r.verify(r.ann, code(t, r.seed, time.Now())); fault.CodeOf(err) != "code_wrong" {
			t.Errorf("RFC 6238 §5.2 the code that confirmed the app signs in: %v", err)
		}
		time.Sleep(10 * time.Minute)
		for name, tt := range map[string]struct {
			off time.Duration
			ok  bool
		}{
			"two steps ago": {-60 * time.Second, false}, "in two steps": {60 * time.Second, false}, "an hour ago": {-time.Hour, false},
		} {
			if _, err := r.verify(r.ann, code(t, r.seed, time.Now().Add(tt.off))); (err == nil) != tt.ok {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, off := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
			typed := code(t, r.seed, time.Now().Add(off))
			amr, err := r.verify(r.ann, " "+typed[:3]+" "+typed[3:])
			if err != nil || strings.Join(amr, " ") != "otp" {
				t.Fatalf("RFC 6238 §5.2 a drift of %s: %v, %v", off, amr, err)
			}
			again := totp.NewService(r.Durable.TOTPs, r.Sealer, r.Factors, "Portico") // another instance
			if _, err := again.Verify(t.Context(), &factor.Attempt{User: r.ann, Form: map[string]string{"code": typed}}); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("RFC 6238 §5.2 a second use of %s: %v", off, err)
			}
		}
		if _, err := r.verify(r.ann, code(t, r.seed, time.Now())); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("an older step than the newest that was spent: %v", err)
		}
		bob := r.Person(t, "bob@example.test")
		time.Sleep(10 * time.Minute)
		if _, err := r.verify(bob, code(t, r.seed, time.Now())); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("somebody else's app: %v", err)
		}
	})
}

func TestOfFiftyEqualCodesOneCounts(t *testing.T) {
	r := newRig(t)
	r.confirm(t)
	typed := code(t, r.seed, time.Now().Add(30*time.Second))
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		won int
	)
	for range 50 {
		wg.Go(func() {
			if _, err := r.verify(r.ann, typed); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d counted, want 1", won)
	}
}

func TestSeedsAreSealedAtRest(t *testing.T) {
	r := newRig(t)
	r.confirm(t)
	apps, err := r.apps.Apps(t.Context(), r.ann.ID)
	if err != nil || len(apps) != 1 {
		t.Fatal(apps, err)
	}
	noSeed(t, r.Stage, r.seed)
	moved := apps[0]
	moved.ID, moved.UserID = "moved", r.Person(t, "bob@example.test").ID
	if err := r.Durable.TOTPs.Create(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if _, err := r.verify(&user.User{ID: moved.UserID}, code(t, r.seed, time.Now())); !fault.Is(err, fault.Internal) {
		t.Errorf("a sealed seed that was moved to another row opens: %v", err)
	}
}

// noSeed checks that the database has the seed in no spelling, and neither has
// the log.
func noSeed(t *testing.T, s *stage.Stage, seed string) {
	t.Helper()
	raw, err := base32.StdEncoding.DecodeString(seed)
	if err != nil || len(raw) != 20 {
		t.Fatalf("RFC 4226 §4 the seed has %d bytes, %v; want 160 bits", len(raw), err)
	}
	for where, text := range map[string]string{"database": storagetest.Dump(t, s.Durable), "log": s.Log.String()} {
		if strings.Contains(text, seed) || strings.Contains(text, string(raw)) {
			t.Errorf("the seed stands in the %s", where)
		}
	}
}

// Two rows of one seed would each take a code: one code, used twice.
func TestASeedIsOfOneApp(t *testing.T) {
	r := newRig(t)
	var (
		wg   sync.WaitGroup
		errs = make([]error, 20)
		now  = time.Now()
		one  = code(t, r.seed, now)
	)
	for i := range errs {
		wg.Go(func() {
			errs[i] = r.apps.Confirm(context.Background(), factor.Change{UserID: r.ann.ID, Name: "Phone"}, r.seed, one)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if fault.CodeOf(err) != "seed_used" {
			t.Error(err)
		}
	}
	apps, err := r.apps.Apps(t.Context(), r.ann.ID)
	if won != 1 || len(apps) != 1 || err != nil {
		t.Errorf("%d confirmations of one seed won, %d apps, %v", won, len(apps), err)
	}
	next := code(t, r.seed, now.Add(30*time.Second))
	if err := r.apps.Confirm(t.Context(), factor.Change{UserID: r.ann.ID}, r.seed, next); fault.CodeOf(err) != "seed_used" {
		t.Errorf("the seed with another code: %v", err)
	}
	if _, err := r.verify(r.ann, next); err != nil {
		t.Errorf("a refused confirmation spent the code: %v", err)
	}
	if _, err := r.verify(r.ann, next); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("RFC 6238 §5.2 a code that was used: %v", err)
	}
}

func TestOnlySoManyAppsPerPerson(t *testing.T) {
	r := newRig(t)
	for range totp.Most {
		r.another(t)
	}
	r.seed = totp.NewSeed()
	err := r.apps.Confirm(t.Context(), factor.Change{UserID: r.ann.ID}, r.seed, code(t, r.seed, time.Now()))
	if fault.CodeOf(err) != "too_many" {
		t.Errorf("one more: %v", err)
	}
}

func TestRemovalAsksTheKeeper(t *testing.T) {
	r := newRig(t)
	r.another(t)
	r.another(t)
	apps, err := r.apps.Apps(t.Context(), r.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.apps.Remove(t.Context(), factor.Change{UserID: "bob"}, apps[0].ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("bob removes ann's: %v", err)
	}
	for i, want := range []int{1, 0} {
		if err := r.apps.Remove(t.Context(), factor.Change{UserID: r.ann.ID}, apps[i].ID); err != nil {
			t.Fatal(err)
		}
		if u, _ := r.Users.Get(t.Context(), r.ann.ID); len(u.Factors) != want {
			t.Errorf("after %d went ann has %v", i+1, u.Factors)
		}
	}
}

func TestURIIsWhatAppsRead(t *testing.T) {
	for name, tt := range map[string]struct{ issuer, account, label, shown string }{
		"a name":               {"Portico", "ann@example.test", "Portico:ann%40example.test", "Portico"},
		"blanks, signs, plus":  {"Acme & Söhne", "ann+x@example.test", "Acme%20%26%20S%C3%B6hne:ann%2Bx%40example.test", "Acme & Söhne"},
		"a host with a port":   {"localhost:8080", "ann", "localhost%208080:ann", "localhost 8080"},
		"colons everywhere":    {"A: B", "c:d", "A%20%20B:c%20d", "A  B"},
		"an address of theirs": {"x?secret=AAAA#/", "y/../z&issuer=q", "x%3Fsecret%3DAAAA%23%2F:y%2F..%2Fz%26issuer%3Dq", "x?secret=AAAA#/"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := totp.NewService(nil, nil, nil, tt.issuer).URI(rfcSeed, tt.account)
			if want := "otpauth://totp/" + tt.label + "?"; !strings.HasPrefix(raw, want) || strings.ContainsAny(raw, "+ ") {
				t.Errorf("URI = %s, want %s…", raw, want)
			}
			key, err := otp.NewKeyFromURL(raw)
			if err != nil || key.Secret() != rfcSeed || key.Issuer() != tt.shown || key.Period() != 30 || key.Digits() != otp.DigitsSix || key.Algorithm() != otp.AlgorithmSHA1 {
				t.Errorf("a library reads %v, %v", key, err)
			}
			u, err := url.Parse(raw)
			if err != nil || u.Host != "totp" || u.Query().Get("issuer") != tt.shown || strings.Count(u.Path, ":") != 1 {
				t.Errorf("URI = %s, %v", raw, err)
			}
		})
	}
}

func TestQRIsTheMatrix(t *testing.T) {
	text := totp.NewService(nil, nil, nil, "Portico").URI(rfcSeed, "ann@example.test")
	drawn, err := totp.Draw(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	if drawn.Size != want.Bounds().Dx()+8 {
		t.Fatalf("size %d, want %d and a quiet zone of 4", drawn.Size, want.Bounds().Dx())
	}
	dark := map[[2]int]bool{}
	for run := range strings.SplitSeq(strings.TrimSuffix(drawn.Path, "z"), "z") {
		var x, y, n, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &n, &back); err != nil || n != back {
			t.Fatalf("run %q: %v", run, err)
		}
		for i := range n {
			dark[[2]int{x + i, y}] = true
		}
	}
	for y := range drawn.Size {
		for x := range drawn.Size {
			inside := x >= 4 && y >= 4 && x < drawn.Size-4 && y < drawn.Size-4
			is := false
			if inside {
				red, _, _, _ := want.At(x-4, y-4).RGBA()
				is = red == 0
			}
			if dark[[2]int{x, y}] != is {
				t.Fatalf("module %d,%d is dark: %v, want %v", x, y, !is, is)
			}
		}
	}
}

func TestNormalise(t *testing.T) {
	for typed, want := range map[string]string{
		"123456": "123456", " 123 456 ": "123456", "123-456": "123456", "１２３４５６": "123456", "000000": "000000",
		"": "", "12345": "", "1234567": "", "12345a": "", "١٢٣٤٥٦": "", "123\x00456": "", "12345６\u200b": "", strings.Repeat(" ", 80) + "123456": "",
	} {
		got, ok := totp.Normalise(typed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("Normalise(%q) = %q, %v, want %q", typed, got, ok, want)
		}
	}
}

func FuzzCode(f *testing.F) {
	for _, s := range []string{"123456", "１２３ ４５６", "", "\xff", "12345\u0661"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, ok := totp.Normalise(typed)
		if !ok {
			return
		}
		if len(got) != 6 || strings.Trim(got, "0123456789") != "" {
			t.Errorf("Normalise(%q) = %q", typed, got)
		}
		if again, ok := totp.Normalise(got); !ok || again != got {
			t.Errorf("Normalise(%q) = %q, %v", got, again, ok)
		}
	})
}
