package password

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/portico-id/portico/pkg/fault"
)

// Codes of a refused new password.
const (
	CodeMissing    = "password_missing"
	CodeTooShort   = "password_too_short"
	CodeTooLong    = "password_too_long"
	CodeUnreadable = "password_unreadable"
)

// Check says whether plain may become a password: a least length in
// characters and MaxBytes in bytes, and no other rule (NIST SP 800-63B
// §3.1.1.2: no composition rules, no truncation). fault.Invalid otherwise.
func (s *Service) Check(plain string) error {
	switch {
	case plain == "":
		return fault.New(fault.Invalid, CodeMissing, "A password is needed.")
	case len(plain) > MaxBytes:
		return fault.New(fault.TooLarge, CodeTooLong, "This password is too long.")
	case !utf8.ValidString(plain):
		return fault.New(fault.Invalid, CodeUnreadable, "This password cannot be read.")
	case utf8.RuneCountInString(norm.NFKC.String(plain)) < s.cfg.MinLength:
		return fault.New(fault.Invalid, CodeTooShort, "This password is too short.")
	}
	return nil
}
