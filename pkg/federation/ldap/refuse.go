package ldap

import (
	"errors"
	"regexp"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/portico-id/portico/pkg/fault"
)

// The rules of a question, for explain.
const (
	ruleEmpty    = "RFC 4513 §5.1.2 an empty password is not sent"
	ruleName     = "security §11.10 the name can be one"
	ruleOne      = "security §11.10 the directory has one person of the name"
	rulePassword = "RFC 4513 §5.1.3 the directory takes name and password"
	ruleAnswers  = "security §11.10 the directory answers"
)

// ErrPaused is behind the answer of a directory that is not asked for a
// while, because it failed.
var ErrPaused = errors.New("ldap: it failed a moment ago and is left alone")

var errFull = errors.New("ldap: too many people are asked about at once")

// wrong is the one answer to everybody who does not get in. why is for the
// operator.
func (d *Directory) wrong(rule, why string) error {
	return fault.New(fault.Unauthenticated, "login_failed", "That username and password do not match.").
		Under(rule).Compare("directory "+d.id, "accepted", why)
}

// unavailable is a directory that could not be asked. Nothing of what it said
// is shown: it stays behind as the cause.
func (d *Directory) unavailable(cause error) *fault.Error {
	return fault.Hide(cause, fault.Unavailable, "directory_unavailable",
		"A directory that knows some of the accounts does not answer right now. Please try again in a moment.").
		Under(ruleAnswers).Compare("directory "+d.id, "an answer", "none").After(breakerPause)
}

// refusal returns why a directory does not take somebody's password, or ""
// when the error says something else: that it could not be asked.
func refusal(err error) string {
	e, ok := errors.AsType[*goldap.Error](err)
	if !ok {
		return ""
	}
	switch e.ResultCode {
	case goldap.LDAPResultInvalidCredentials:
		return activeDirectory(e)
	case goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultNoSuchObject:
		return "no password, or no such person any more"
	case goldap.LDAPResultUnwillingToPerform, goldap.LDAPResultConstraintViolation, goldap.LDAPResultInsufficientAccessRights:
		// How several servers say that an account is locked or disabled.
		return "the directory does not let them in"
	}
	return ""
}

// subCode is where Active Directory says why, in hexadecimal digits.
var subCode = regexp.MustCompile(`\bdata ([0-9a-f]{2,4})\b`)

var subCodes = map[string]string{
	"525": "no such person",
	"52e": "wrong password",
	"530": "not at this hour",
	"531": "not from this machine",
	"532": "the password is expired",
	"533": "the account is disabled",
	"701": "the account is expired",
	"773": "the password must be changed first",
	"775": "the account is locked",
}

func activeDirectory(e *goldap.Error) string {
	if e.Err != nil {
		if m := subCode.FindStringSubmatch(e.Err.Error()); m != nil && subCodes[m[1]] != "" {
			return subCodes[m[1]]
		}
	}
	return "wrong password"
}
