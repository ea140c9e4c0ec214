package password_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/password"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// strict returns a service with other rules than those of the stage.
func strict(t *testing.T, s *stage.Stage, cfg password.Config) *password.Service {
	t.Helper()
	cfg.MemoryKiB, cfg.Passes = 64, 1
	svc, err := password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func TestPolicy(t *testing.T) {
	s := stage.New(t)
	tests := map[string]struct {
		plain string
		code  string
	}{
		"NIST 800-63B-4 fifteen characters": {"vyxo qupa rimbe", ""},
		"fifteen characters, more bytes":    {"поезд луна чаша", ""},
		"a thousand bytes":                  {strings.Repeat("mixed bag of unrelated words, ", 34), ""},
		"two hundred signs of four bytes":   {strings.Repeat("🦊🌵🎻🚲🧊🪁🪗🧩🦑🪵", 20), ""},
		"blanks count":                      {"v y x o q u p a", ""},
		"control characters are characters": {"vyxo\x00qupa\trimbe", ""},
		"empty":                             {"", password.CodeMissing},
		"fourteen":                          {"vyxo qupa rimb", password.CodeTooShort},
		"fourteen characters, more bytes":   {"поезд луна чаш", password.CodeTooShort},
		"fifteen signs that are fourteen":   {"vyxo qupa rima\u0308", password.CodeTooShort},
		"above the bound":                   {strings.Repeat("x", password.MaxBytes+1), password.CodeTooLong},
		"far above the bound":               {strings.Repeat("x", 1<<20), password.CodeTooLong},
		"common, drawn out":                 {"Password12345678", password.CodeCommon},
		"common, in another width":          {"ｐａｓｓｗｏｒｄ１２３４５６７８", password.CodeCommon},
		"one character":                     {"aaaaaaaaaaaaaaaaaaaa", password.CodeCommon},
		"as long as taken, and one word":    {strings.Repeat("password", 128), password.CodeCommon},
		"not UTF-8":                         {"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8 qupa rimbe", password.CodeUnreadable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := s.Passwords.Check(ctx, tt.plain)
			if got := fault.CodeOf(err); got != tt.code {
				t.Errorf("Check(%.20q) = %q, want %q", tt.plain, got, tt.code)
			}
			if err != nil && (!fault.Is(err, fault.Invalid) || fault.As(err).Rule == "") {
				t.Errorf("Check(%.20q) = %v under %q, want invalid under a rule", tt.plain, err, fault.As(err).Rule)
			}
			if _, hashed := s.Passwords.Hash(ctx, tt.plain); (hashed != nil) != (err != nil) {
				t.Errorf("Hash(%.20q) = %v, Check says %v", tt.plain, hashed, err)
			}
		})
	}
}

func TestMinLengthIsASetting(t *testing.T) {
	s := stage.New(t)
	svc := strict(t, s, password.Config{MinLength: 8})
	if err := svc.Check(ctx, "vyxoqupa"); err != nil {
		t.Errorf("eight of eight: %v", err)
	}
	if err := svc.Check(ctx, "vyxoqup"); fault.CodeOf(err) != password.CodeTooShort || svc.MinLength() != 8 {
		t.Errorf("seven of eight: %v", err)
	}
}

func TestKindsThatAreDemanded(t *testing.T) {
	s := stage.New(t)
	all := strict(t, s, password.Config{Require: []string{password.Digit, password.Upper, password.Lower, password.Symbol}})
	for name, tt := range map[string]struct{ plain, lacks string }{
		"all there":            {"Vyxo qupa rimbe 7", ""},
		"a blank is a symbol":  {"Vyxoqupa rimbe77", ""},
		"other scripts":        {"Поезд-луна-чаша-7", ""},
		"digits of others":     {"Vyxo qupa rimbe ٧", ""},
		"no digit":             {"Vyxo qupa rimbex", "digit"},
		"no capital":           {"vyxo qupa rimbe 7", "upper"},
		"no small":             {"VYXO QUPA RIMBE 7", "lower"},
		"no symbol":            {"VyxoQupaRimbe777", "symbol"},
		"an accent is none":    {"VyxoQu\u0301paRimbe77", "symbol"},
		"nothing but letters":  {"東京大阪名古屋札幌福岡仙台広島", "digit upper lower symbol"},
		"two of them":          {"vyxoquparimbevyl", "digit upper symbol"},
		"full width is folded": {"ＶＹＸＯqupa－rimbe７", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := all.Check(ctx, tt.plain)
			var lacks []string
			if err != nil {
				if fault.CodeOf(err) != password.CodeLacks {
					t.Fatalf("Check(%q) = %v", tt.plain, err)
				}
				for _, d := range fault.As(err).Details {
					lacks = append(lacks, d.Reason)
				}
			}
			if got := strings.Join(lacks, " "); got != tt.lacks {
				t.Errorf("Check(%q) lacks %q, want %q", tt.plain, got, tt.lacks)
			}
		})
	}
	if _, err := password.NewService(s.Durable.Passwords, s.Sessions, s.Audit, password.Config{Require: []string{"emoji"}}); err == nil {
		t.Error("a kind that nobody knows was taken")
	}
}

func TestAPasswordIsNotItsOwner(t *testing.T) {
	s := stage.New(t)
	svc := strict(t, s, password.Config{Brand: []string{"Acme Travel"}})
	person := []string{"Hannah Müller-Lüdenscheid", "hannah.mueller@example.test", "hannah1990", ""}
	for name, tt := range map[string]struct {
		plain   string
		refused bool
	}{
		"the address":                        {"hannah.mueller@example.test", true},
		"the address in capitals":            {"HANNAH.MUELLER@EXAMPLE.TEST", true},
		"the name":                           {"Hannah Müller-Lüdenscheid", true},
		"the name without accents":           {"hannahmullerludenscheid", true},
		"the name and a year":                {"Hannah Müller 1990", true},
		"the name and a date":                {"hannahmueller19900412", true},
		"the name, three times":              {"hannah-hannah-hannah!", true},
		"the name around symbols":            {"***** Hannah *****", true},
		"name and service":                   {"hannah@AcmeTravel", true},
		"the service":                        {"acmetravel acmetravel", true},
		"full width":                         {"ｈａｎｎａｈ＠ｅｘａｍｐｌｅ．ｔｅｓｔ", true},
		"a passphrase with a name in it":     {"hannah eats vyxo qupa", false},
		"a passphrase without":               {"vyxo qupa rimbe lost", false},
		"the service and words of one's own": {"acme vyxo qupa rimbe", false},
	} {
		t.Run(name, func(t *testing.T) {
			err := svc.Check(ctx, tt.plain, person...)
			if got := fault.CodeOf(err) == password.CodePerson; got != tt.refused || err != nil && !got {
				t.Errorf("Check(%q) = %v, want refused: %v", tt.plain, err, tt.refused)
			}
			if err != nil && strings.Contains(err.Error()+fault.As(err).Hint, "annah") {
				t.Errorf("the refusal tells the name: %v", err)
			}
		})
	}
	if err := svc.Check(ctx, "vyxo qupa rimbe", "", "x", "a b", "\xff\xfe", strings.Repeat("vy ", 1000), strings.Repeat("q", 1<<20)); err != nil {
		t.Errorf("odd names: %v", err)
	}
}

func TestChangeKnowsThePerson(t *testing.T) {
	s := stage.New(t)
	svc := strict(t, s, password.Config{Person: func(ctx context.Context, id string) ([]string, error) {
		u, err := s.Users.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		return []string{u.Name, u.Email}, nil
	}})
	ann, err := s.Users.Create(ctx, user.User{Email: "vyxoqupa@example.test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Change(ctx, ann.ID, "vyxoqupa-vyxoqupa", ""); fault.CodeOf(err) != password.CodePerson {
		t.Errorf("Change to the own address = %v", err)
	}
	if err := svc.Change(ctx, "nobody", "mixed bag of words", ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("Change of nobody = %v, want not found", err)
	}
	if err := svc.Change(ctx, ann.ID, "mixed bag of words", ""); err != nil {
		t.Error(err)
	}
}

func TestChangeWithIsAllOrNothing(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	failed := errors.New("no")
	err := s.Passwords.ChangeWith(ctx, ann.ID, "mixed bag of words", "", func(context.Context) error { return failed })
	if !errors.Is(err, failed) {
		t.Fatalf("ChangeWith = %v, want the error of what belongs to it", err)
	}
	if !verify(t, s.Passwords, ann.ID, stage.Password) || len(s.Audit.Events()) > 1 {
		t.Errorf("the password changed without what belongs to it: %v", s.Audit.Events())
	}
	ran := 0
	if err := s.Passwords.ChangeWith(ctx, ann.ID, "mixed bag of words", "", func(context.Context) error { ran++; return nil }); err != nil || ran == 0 {
		t.Errorf("ChangeWith = %v after %d runs", err, ran)
	}
	if !verify(t, s.Passwords, ann.ID, "mixed bag of words") {
		t.Error("the new password is refused")
	}
}

func TestEveryRefusalHasWordsOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, code := range []string{
		password.CodeMissing, password.CodeTooShort, password.CodeTooLong, password.CodeUnreadable, password.CodeLacks, password.CodePerson, password.CodeCommon, password.CodeBreached,
	} {
		p, err := templates.PasswordProblem(fault.New(fault.Invalid, code, "").About("password", password.Digit), 15)
		if err != nil || !p.Is() {
			t.Errorf("%s has no words: %v", code, err)
		}
		words := fmt.Sprint(p)
		if seen[words] != "" {
			t.Errorf("%s and %s say the same", code, seen[words])
		}
		seen[words] = code
	}
	down := fault.New(fault.Unavailable, "busy", "")
	if p, err := templates.PasswordProblem(down, 15); !errors.Is(err, down) || p.Is() {
		t.Errorf("what is not about the password became %v, %v", p, err)
	}
}
