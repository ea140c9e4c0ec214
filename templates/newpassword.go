package templates

import "github.com/portico-id/portico/pkg/fault"

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
