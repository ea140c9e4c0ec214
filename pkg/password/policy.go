package password

import (
	"context"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/password/common"
)

// Codes of a refused new password. templates.PasswordProblem has words for
// each.
const (
	CodeMissing    = "password_missing"
	CodeTooShort   = "password_too_short"
	CodeTooLong    = "password_too_long"
	CodeUnreadable = "password_unreadable"
	CodeLacks      = "password_lacks" // Details name each kind that is not there
	CodePerson     = "password_person"
	CodeCommon     = "password_common"   // a common word or two, however drawn out
	CodeBreached   = "password_breached" // the range service knows it
)

// Kinds of characters that an operator may demand. NIST SP 800-63B §3.1.1.2
// advises against it; some must.
const (
	Digit  = "digit"
	Upper  = "upper"
	Lower  = "lower"
	Symbol = "symbol" // neither letter nor digit; a blank is one
)

// clause is the rule that every refusal of this file cites.
const clause = "NIST SP 800-63B §3.1.1.2 "

// Check says whether plain may become the password of somebody. person are
// the words that an attacker would try first: name, e-mail address, username;
// empty ones are passed over. fault.Invalid otherwise, with one of the codes
// above and never a word of the password.
func (s *Service) Check(ctx context.Context, plain string, person ...string) error {
	if err := s.shape(plain); err != nil {
		return err
	}
	form := norm.NFKC.String(plain)
	if personal(form, slices.Concat(s.cfg.Brand, person)) {
		return fault.New(fault.Invalid, CodePerson, "This password is too close to the name or address of its owner.").
			Under(clause + "the password is not built on the name of its owner or of the service")
	}
	if err := uncommon(form); err != nil {
		return err
	}
	if s.cfg.Breached != nil && s.cfg.Breached.Breached(ctx, plain) {
		return fault.New(fault.Invalid, CodeBreached, "This password is known from a data breach.").
			Under(clause+"the password is not among the breached ones").
			Compare("password_range_url", "a count of 0", "seen in a breach")
	}
	return nil
}

// rules are what can be said without knowing anybody.
func (s *Service) rules(plain string) error {
	if err := s.shape(plain); err != nil {
		return err
	}
	return uncommon(norm.NFKC.String(plain))
}

// shape asks for a least length in characters of the NFKC form, MaxBytes in
// bytes as typed, and the kinds that the operator demands. Every character is
// allowed.
func (s *Service) shape(plain string) error {
	form := norm.NFKC.String(plain[:min(len(plain), MaxBytes)])
	switch {
	case plain == "":
		return fault.New(fault.Invalid, CodeMissing, "A password is needed.").
			Under(clause + "there is a password")
	case len(plain) > MaxBytes:
		return fault.New(fault.Invalid, CodeTooLong, "This password is too long.").
			Under("security §11.3 a password has a bound and is never cut").
			WithHint("at most %d bytes are taken", MaxBytes)
	case !utf8.ValidString(plain):
		return fault.New(fault.Invalid, CodeUnreadable, "This password cannot be read.").
			Under(clause + "the password is Unicode")
	case utf8.RuneCountInString(form) < s.cfg.MinLength:
		return fault.New(fault.Invalid, CodeTooShort, "This password is too short.").
			Under(clause+"the password has its least length").
			WithHint("at least %d characters are needed (password_min_length)", s.cfg.MinLength)
	}
	return s.lacks(form)
}

// uncommon refuses what anybody would try first.
func uncommon(form string) error {
	if common.Guessable(form) {
		return fault.New(fault.Invalid, CodeCommon, "This password is too easy to guess.").
			Under(clause + "the password is not among the common ones").
			WithHint("a few unrelated words are hard to guess and easy to remember")
	}
	return nil
}

// lacks refuses a password without a kind of characters that is demanded.
func (s *Service) lacks(form string) error {
	refused := fault.New(fault.Invalid, CodeLacks, "This password lacks a kind of characters.").
		Under("password_require every demanded kind of characters is there")
	lacking := false
	for _, kind := range s.cfg.Require {
		if is := kinds[kind]; !slices.ContainsFunc([]rune(form), is) {
			lacking, refused = true, refused.About("password", kind)
		}
	}
	if !lacking {
		return nil
	}
	return refused
}

var kinds = map[string]func(rune) bool{
	Digit: unicode.IsDigit, Upper: unicode.IsUpper, Lower: unicode.IsLower,
	Symbol: func(r rune) bool { return !unicode.In(r, unicode.L, unicode.N, unicode.M, unicode.C) },
}
