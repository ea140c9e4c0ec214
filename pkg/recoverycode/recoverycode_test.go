package recoverycode_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/recoverycode"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage/storagetest"
)

// withApp makes somebody with an authenticator app, and returns its seed.
func withApp(t *testing.T, s *stage.Stage, email string) (*user.User, string) {
	t.Helper()
	u, seed := s.Person(t, email), totp.NewSeed()
	code, err := totp.Code(seed, time.Now())
	if err == nil {
		err = s.TOTP.Confirm(t.Context(), factor.Change{UserID: u.ID, Name: "Phone"}, seed, code)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u, seed
}

func generate(t *testing.T, s *stage.Stage, u *user.User) []string {
	t.Helper()
	codes, err := s.RecoveryCodes.Generate(t.Context(), u.ID, "sid")
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

func use(s *stage.Stage, u *user.User, code string) error {
	_, err := s.RecoveryCodes.Verify(context.Background(), &factor.Attempt{User: u, Form: map[string]string{"code": code}})
	return err
}

func wantLeft(t *testing.T, s *stage.Stage, u *user.User, want int) {
	t.Helper()
	if left, err := s.RecoveryCodes.Left(t.Context(), u.ID); left != want || err != nil {
		t.Errorf("%d codes are left, %v; want %d", left, err, want)
	}
}

func TestACodeOpensOnceAndItsOwnerIsTold(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	codes := generate(t, s, ann)
	if len(codes) != recoverycode.Count {
		t.Fatalf("%d codes, want %d", len(codes), recoverycode.Count)
	}
	shape := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`)
	for _, code := range codes {
		if !shape.MatchString(code) {
			t.Errorf("%q cannot be read aloud without mistakes", code)
		}
	}
	amr, err := s.RecoveryCodes.Verify(t.Context(), &factor.Attempt{User: ann, Form: map[string]string{"code": " " + strings.ToUpper(codes[3]) + " "}})
	if err != nil || strings.Join(amr, " ") != "otp" {
		t.Fatalf("Verify = %v, %v", amr, err)
	}
	wantLeft(t, s, ann, 9)
	letters := s.Letters.All()
	last := letters[len(letters)-1]
	if last.Key != "recovery_code_used" || last.To.Email != "ann@example.test" || last.Values["Left"] != "9" {
		t.Errorf("the owner is told %+v to %+v", last.Letter, last.To)
	}
	if got := s.Audit.Named(audit.CodeUsed); len(got) != 1 || got[0].UserID != ann.ID || got[0].Data["left"] != "9" {
		t.Errorf("the audit has %+v", got)
	}
	err = use(s, ann, codes[3])
	if !fault.Is(err, fault.Unauthenticated) || fault.As(err).Compared[0].Got != "used before" {
		t.Errorf("ASVS 6.5.1 a second use: %v", err)
	}
	if err := use(s, ann, codes[4]); err != nil {
		t.Errorf("another code of the list: %v", err)
	}
}

func TestOfFiftyUsesOfACodeOneCounts(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	code := generate(t, s, ann)[0]
	before := len(s.Letters.All())
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		won int
	)
	for range 50 {
		wg.Go(func() {
			err := use(s, ann, code)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("a loser got %v", err)
			}
		})
	}
	wg.Wait()
	if told := len(s.Letters.All()) - before; won != 1 || told != 1 {
		t.Errorf("%d counted and %d letters left, want one of each", won, told)
	}
	wantLeft(t, s, ann, 9)
}

func TestWhatDoesNotOpen(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	bob, _ := withApp(t, s, "bob@example.test")
	old, bobs := generate(t, s, ann), generate(t, s, bob)
	codes := generate(t, s, ann)
	for name, typed := range map[string]string{
		"of the list before": old[0], "of somebody else": bobs[0], "made up": "0000-0000-0000", "too short": codes[0][:13], "too long": codes[0] + "0",
		"nothing": "", "a NUL": codes[0] + "\x00", "a megabyte": strings.Repeat(codes[0], 1<<16), "two at once": codes[0] + " " + codes[1],
	} {
		if err := use(s, ann, typed); !fault.Is(err, fault.Unauthenticated) || fault.CodeOf(err) != "code_wrong" {
			t.Errorf("a code %s: %v", name, err)
		}
	}
	wantLeft(t, s, ann, 10)
	wantLeft(t, s, bob, 10)
	if err := use(s, bob, bobs[0]); err != nil {
		t.Errorf("bob's code, after ann tried it: %v", err)
	}
}

// A store or an outbox that fails spends nothing: the use and its letter are
// one transaction.
func TestAUseThatCannotBeToldDoesNotCount(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	code := generate(t, s, ann)[0]
	s.Letters.SetDown(true)
	if err := use(s, ann, code); !fault.Is(err, fault.Unavailable) {
		t.Errorf("while the outbox is down: %v", err)
	}
	s.Letters.SetDown(false)
	wantLeft(t, s, ann, 10)
	if err := use(s, ann, code); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAServerWithoutMailTellsNobody(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	deps := s.RecoveryCodes.Deps
	deps.Letters = mail.NewService(s.Durable.Mails, s.Durable, s.Sealer, mail.Config{})
	codes, err := recoverycode.NewService(deps).Generate(t.Context(), ann.ID, "")
	if err != nil || len(codes) != recoverycode.Count {
		t.Errorf("Generate without mail = %d codes, %v", len(codes), err)
	}
}

func TestCodesAreForWhoHasAFactor(t *testing.T) {
	s := stage.New(t)
	cleo := s.Person(t, "cleo@example.test")
	if _, err := s.RecoveryCodes.Generate(t.Context(), cleo.ID, ""); fault.CodeOf(err) != "no_factor" {
		t.Errorf("without a factor: %v", err)
	}
	if _, err := s.RecoveryCodes.Generate(t.Context(), "nobody", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("for nobody: %v", err)
	}
	ann, _ := withApp(t, s, "ann@example.test")
	generate(t, s, ann)
	apps, err := s.TOTP.Apps(t.Context(), ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.TOTP.Remove(t.Context(), factor.Change{UserID: ann.ID}, apps[0].ID); err != nil {
		t.Fatal(err)
	}
	wantLeft(t, s, ann, 0) // they went with the last factor
}

func TestCodesAreHashedAtRest(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	codes := generate(t, s, ann)
	dump := storagetest.Dump(t, s.Durable)
	if !strings.Contains(dump, "recovery_codes.hash") {
		t.Fatal("the dump lacks the codes: it would prove nothing")
	}
	for _, code := range codes {
		if plain := strings.ReplaceAll(code, "-", ""); strings.Contains(dump, code) || strings.Contains(dump, plain) {
			t.Errorf("the database holds %s", code)
		}
	}
}

// Whoever writes to the database cannot lend a list to somebody else.
func TestAFingerprintIsWorthlessInAnotherRow(t *testing.T) {
	s := stage.New(t)
	ann, _ := withApp(t, s, "ann@example.test")
	bob, _ := withApp(t, s, "bob@example.test")
	codes := generate(t, s, ann)
	rows, err := s.Durable.RecoveryCodes.OfUser(t.Context(), ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Durable.RecoveryCodes.RemoveAll(t.Context(), ann.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Durable.RecoveryCodes.Replace(t.Context(), bob.ID, rows); err != nil {
		t.Fatal(err)
	}
	if err := use(s, bob, codes[0]); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a code of ann's whose row was moved to bob: %v", err)
	}
}

func TestNormalise(t *testing.T) {
	for typed, want := range map[string]string{
		"x7kq-2m4p-9tzc": "x7kq2m4p9tzc", "X7KQ2M4P9TZC": "x7kq2m4p9tzc", " x7kq 2m4p\t9tzc\n": "x7kq2m4p9tzc", "x7kq–2m4p—9tzc": "x7kq2m4p9tzc",
		"ooOO-llLL-iiII": "000011111111", "ｘ７ｋｑ－２ｍ４ｐ－９ｔｚｃ": "x7kq2m4p9tzc",
		"": "", "x7kq-2m4p-9tz": "", "x7kq-2m4p-9tzcc": "", "x7kq-2m4p-9tzu": "", "x7kq_2m4p_9tzc": "", "х7kq-2m4p-9tzc": "", "x7kq-2m4p-9tz\x00": "",
		strings.Repeat(" ", 200) + "x7kq2m4p9tzc": "",
	} {
		got, ok := recoverycode.Normalise(typed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("Normalise(%q) = %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, typed := range []string{"x7kq-2m4p-9tzc", "ooOO-llLL-iiII", "ｘ７ｋｑ２ｍ４ｐ９ｔｚｃ", "", "\xff", "İ7kq-2m4p-9tzc", "x7kq\u00ad2m4p9tzc"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := recoverycode.Normalise(typed)
		if !ok {
			return
		}
		if len(code) != 12 || strings.Trim(code, "0123456789abcdefghjkmnpqrstvwxyz") != "" {
			t.Errorf("Normalise(%q) = %q", typed, code)
		}
		if again, ok := recoverycode.Normalise(recoverycode.Show(code)); !ok || again != code {
			t.Errorf("what is shown of %q is read as %q, %v", code, again, ok)
		}
	})
}

const page = "/account/security/recovery-codes"

var shown = regexp.MustCompile(`<li><code>([^<]+)</code></li>`)

// signIn signs a browser in by password and app, and counts.
func signIn(t *testing.T, p *stage.Pages, b *stage.Browser, seed, back string) string {
	t.Helper()
	at := stage.Follow(t, b.Get(back))
	at = stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password))
	code, err := totp.Code(seed, time.Now().Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return stage.Follow(t, b.Submit(at, "code", code))
}

func TestThePageShowsANewListOnce(t *testing.T) {
	p := stage.NewPages(t)
	_, seed := withApp(t, p.Stage, "ann@example.test")
	b := p.Browser()
	if at := signIn(t, p, b, seed, page); at != page {
		t.Fatalf("signing in leads to %s", at)
	}
	first := b.Get(page)
	if first.Status != 200 || strings.Contains(first.Body, `id="codes"`) || !strings.Contains(first.Body, "no recovery codes yet") {
		t.Fatalf("before any list: %d %s", first.Status, first.Body)
	}
	made := b.Submit(page, "decision", "generate")
	codes := shown.FindAllStringSubmatch(made.Body, -1)
	if made.Status != 200 || len(codes) != 10 || made.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("the answer: %d, %d codes, Cache-Control %q", made.Status, len(codes), made.Header.Get("Cache-Control"))
	}
	after := b.Get(page)
	if strings.Contains(after.Body, codes[0][1]) || !strings.Contains(after.Body, "10 codes are left") {
		t.Errorf("the page shows them again, or does not count: %s", after.Body)
	}
	if !strings.Contains(b.Get("/account/security").Body, "10 codes are left") {
		t.Error("the overview does not count them")
	}
	if a := b.Post(page, url.Values{"form_token": {stage.Hidden(made.Body).Get("form_token")}, "decision": {"done"}}); a.Location != "/account/security?done=codes" {
		t.Errorf("going on leads to %d %s", a.Status, a.Location)
	}
	if a := b.Submit(page, "decision", "what"); a.Status != 200 || !strings.Contains(a.Body, "press one of the buttons") {
		t.Errorf("no decision: %d", a.Status)
	}
	if a := b.Post(page, url.Values{"decision": {"generate"}}); a.Status != 403 && a.Status != 400 {
		t.Errorf("a forged form: %d", a.Status)
	}
	b2 := p.Browser()
	if at := stage.Follow(t, b2.Post(page, url.Values{"decision": {"generate"}})); !strings.HasPrefix(at, "/login") {
		t.Errorf("nobody is led to %s", at)
	}
}

func TestACodeSignsInInPlaceOfTheApp(t *testing.T) {
	p := stage.NewPages(t)
	ann, _ := withApp(t, p.Stage, "ann@example.test")
	codes := generate(t, p.Stage, ann)
	b := p.Browser()
	at := stage.Follow(t, b.Submit(p.Begin(t, b, ""), "username", "ann@example.test", "password", stage.Password))
	if !strings.Contains(b.Get(at).Body, "factor-with-recovery_code") {
		t.Fatal("the way is not offered")
	}
	at += "&with=recovery_code"
	if a := b.Submit(at, "code", "0000-0000-0000"); a.Status != 200 || !strings.Contains(a.Body, "not right") {
		t.Errorf("a wrong code: %d %s", a.Status, a.Body)
	}
	if next := stage.Follow(t, b.Submit(at, "code", codes[0])); !strings.HasPrefix(next, "/consent") {
		t.Errorf("the code leads to %s", next)
	}
	if got := p.Audit.Named(audit.LoginSucceeded); len(got) != 1 || got[0].Data["amr"] != "pwd otp mfa" {
		t.Errorf("RFC 8176 §2 the methods: %+v", got)
	}
	again := p.Browser()
	at = stage.Follow(t, again.Submit(p.Begin(t, again, ""), "username", "ann@example.test", "password", stage.Password)) + "&with=recovery_code"
	if a := again.Submit(at, "code", codes[0]); a.Status != 200 || !strings.Contains(a.Body, "not right") {
		t.Errorf("ASVS 6.5.1 the same code in another browser: %d", a.Status)
	}
}

func TestThePageOfWhoHasNoFactorLeadsToOne(t *testing.T) {
	p := stage.NewPages(t)
	p.Person(t, "ann@example.test")
	b := p.Browser()
	at := stage.Follow(t, b.Get(page))
	if at = stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password)); at != page {
		t.Fatalf("signing in leads to %s", at)
	}
	got := b.Get(page)
	if !strings.Contains(got.Body, `href="/account/security"`) || strings.Contains(got.Body, `value="generate"`) {
		t.Errorf("the page: %s", got.Body)
	}
	form := stage.Hidden(b.Get("/account/security/email").Body)
	form.Set("decision", "generate")
	if a := b.Post(page, form); len(shown.FindAllString(a.Body, -1)) != 0 {
		t.Error("a form of another page makes codes")
	}
}
