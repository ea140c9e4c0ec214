package templates

import "time"

// A Problem is why what a person entered does not count, in words of the
// catalogue. The zero Problem is none.
type Problem struct {
	key   string
	data  map[string]any
	count int      // for plural forms; 0: the message has none
	list  []string // messages that stand for the placeholder List
}

// Is reports whether there is a problem.
func (p Problem) Is() bool { return p.key != "" }

// Problems that need no value.
var (
	// WrongCredentials is the one answer to an unknown user, a wrong or empty
	// password, a locked and a disabled account.
	WrongCredentials = Problem{key: "problem.credentials"}
	// FormExpired asks to send the form again: its token was not ours.
	FormExpired = Problem{key: "problem.form_expired"}
	// Busy asks to try again in a moment.
	Busy = Problem{key: "problem.busy"}
	// DirectoryDown says that a directory does not answer, and what works all
	// the same. Everybody reads it whose password is not right here.
	DirectoryDown = Problem{key: "problem.directory_down"}
	// DirectoryStranger says that somebody of a directory is not let in here.
	DirectoryStranger = Problem{key: "problem.directory_stranger"}
	// NoDecision asks to press one of the buttons.
	NoDecision = Problem{key: "problem.decision"}
	// OtherAccount says that the application asked for somebody else.
	OtherAccount = Problem{key: "problem.other_account"}
	// Unreadable says that a field holds characters no keyboard sends.
	Unreadable = Problem{key: "problem.unreadable"}

	NameMissing       = Problem{key: "problem.name_missing"}
	NameTooLong       = Problem{key: "problem.name_too_long"}
	EmailMissing      = Problem{key: "problem.email_missing"}
	IdentifierMissing = Problem{key: "problem.identifier_missing"}
	EmailMalformed    = Problem{key: "problem.email_malformed"}
	EmailRefused      = Problem{key: "problem.email_refused"} // by its domain, never because it is taken
	UsernameMalformed = Problem{key: "problem.username_malformed"}
	UsernameReserved  = Problem{key: "problem.username_reserved"}
	TermsMissing      = Problem{key: "problem.terms_missing"}
	// SignupCodeWrong is a code that is not the one of the mail.
	SignupCodeWrong = Problem{key: "problem.code_wrong"}
	CodeMissing     = Problem{key: "problem.code_missing"}

	PasswordMissing = Problem{key: "problem.password_missing"}
	PasswordCommon  = Problem{key: "problem.password_common"}
	PasswordTooLong = Problem{key: "problem.password_too_long"}
	PasswordPerson  = Problem{key: "problem.password_person"} // is little more than a name or address
	// PasswordBreached says that the password is known from a breach.
	PasswordBreached = Problem{key: "problem.password_breached"}
)

// PasswordTooShort says how many characters a password needs.
func PasswordTooShort(least int) Problem {
	return Problem{key: "problem.password_too_short", count: max(least, 1)}
}

// TooMany asks to wait before the next attempt: in seconds below a minute,
// else in minutes, rounded up.
func TooMany(wait time.Duration) Problem {
	if wait <= time.Minute {
		return Problem{key: "problem.wait_seconds", count: max(1, int((wait+time.Second-1)/time.Second))}
	}
	return Problem{key: "problem.wait_minutes", count: int((wait + time.Minute - 1) / time.Minute)}
}
