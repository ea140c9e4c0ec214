package templates

import (
	"strconv"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
)

// NewPassword is the field in which people choose a password, with its hint,
// its problem, the button that reveals it and the meter of its strength. A
// page draws it with {{template "newpassword" (.ForPassword .P.Password)}};
// it is sent as "password".
type NewPassword struct {
	// Least is the least number of characters; zero: 15.
	Least int
	// Kinds are the kinds of characters that are demanded besides: "digit",
	// "upper", "lower", "symbol".
	Kinds []string
	// Another labels the field as the new password of an account that has one.
	Another bool
	// Focus holds for the first field of a form in which nothing is wrong.
	Focus bool
	// Problem is why the last one was refused.
	Problem Problem
}

// passwordField is what the part "newpassword" sees.
type passwordField struct {
	*view
	F NewPassword
}

// ForPassword gives the field of a new password to its part of the page.
func (v *view) ForPassword(p NewPassword) passwordField {
	if p.Least <= 0 {
		p.Least = defaultPasswordMin
	}
	return passwordField{v, p}
}

// Needs says the kinds of characters that are demanded, or nothing.
func (f passwordField) Needs() (string, error) {
	p := PasswordLacks(f.F.Kinds)
	if len(p.list) == 0 {
		return "", nil
	}
	p.key = "strength.needs"
	return f.view.Problem(p)
}

// Rules tell the rules to the browser's own maker of passwords.
func (f passwordField) Rules() string {
	rules := "minlength: " + strconv.Itoa(f.F.Least)
	for _, kind := range f.F.Kinds {
		if _, known := kindWords[kind]; known {
			rules += "; required: " + strings.Replace(kind, "symbol", "special", 1)
		}
	}
	return rules
}

// passwordProblems are the words of a refused new password, by the code of
// the fault; those with a value are made in PasswordProblem.
var passwordProblems = map[string]Problem{
	"password_missing":    PasswordMissing,
	"password_too_long":   PasswordTooLong,
	"password_unreadable": Unreadable,
	"password_common":     PasswordCommon,
	"password_breached":   PasswordBreached,
	"password_person":     PasswordPerson,
}

// PasswordProblem says on a page why a new password was refused. err is what
// password.Service.Check or Change returned, least their MinLength. An error
// that is not about the password is given back.
func PasswordProblem(err error, least int) (Problem, error) {
	if err == nil {
		return Problem{}, nil
	}
	code := fault.CodeOf(err)
	if p, ok := passwordProblems[code]; ok {
		return p, nil
	}
	switch code {
	case "password_too_short":
		return PasswordTooShort(least), nil
	case "password_lacks":
		var kinds []string
		for _, d := range fault.As(err).Details {
			kinds = append(kinds, d.Reason)
		}
		return PasswordLacks(kinds), nil
	}
	return Problem{}, err
}

// PasswordLacks says which kinds of characters a password still needs:
// "digit", "upper", "lower", "symbol".
func PasswordLacks(kinds []string) Problem {
	p := Problem{key: "problem.password_lacks"}
	for _, kind := range kinds {
		if key, ok := kindWords[kind]; ok {
			p.list = append(p.list, key)
		}
	}
	return p
}

// kindWords name kinds of characters.
var kindWords = map[string]string{
	"digit": "strength.digit", "upper": "strength.upper", "lower": "strength.lower", "symbol": "strength.symbol",
}
