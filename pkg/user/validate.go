package user

import (
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/portico-id/portico/pkg/fault"
)

// Bounds of what a person may be called, in bytes.
const (
	maxEmail    = 254 // RFC 5321 §4.5.3.1.3 less the angle brackets
	maxUsername = 64
	maxText     = 200
	maxURL      = 2048
	maxAddress  = 1000
	maxRoles    = 64
)

// CodeInvalid is the code of a refused field, which the fault's details name.
const CodeInvalid = "invalid_user"

// Validate trims u and says whether its fields keep their bounds: an e-mail
// address or a username, and profile fields in the shape that OIDC Core §5.1
// gives their claims. fault.Invalid otherwise, naming the field.
func Validate(u *User) error {
	trim(u)
	if u.Email == "" && u.Username == "" {
		return refuse("email", "an email address or a username is needed")
	}
	if u.Email != "" && !ValidEmail(u.Email) {
		return refuse("email", "this is no email address")
	}
	if u.Username != "" && !validUsername(u.Username) {
		return refuse("username", "a username has up to 64 letters, digits and . _ -, and begins with a letter or digit")
	}
	for name, value := range texts(u) {
		if len(value) > maxText || hasControl(value) || !utf8.ValidString(value) {
			return refuse(name, "this is too long or cannot be read")
		}
	}
	for name, value := range map[string]string{"profile": u.Profile, "picture": u.Picture, "website": u.Website} {
		if value != "" && !webURL(value) {
			return refuse(name, "this is no http or https address")
		}
	}
	return validateRest(u)
}

func validateRest(u *User) error {
	if u.Birthdate != "" && !birthdate.MatchString(u.Birthdate) {
		return refuse("birthdate", "a birthdate is YYYY-MM-DD, 0000-MM-DD or YYYY")
	}
	if u.Zoneinfo != "" && !zoneinfo.MatchString(u.Zoneinfo) {
		return refuse("zoneinfo", "a time zone is written such as Europe/Paris")
	}
	if u.Locale != "" {
		if _, err := language.Parse(u.Locale); err != nil {
			return refuse("locale", "this is no language tag")
		}
	}
	a := u.Address
	for _, value := range []string{a.Formatted, a.StreetAddress, a.Locality, a.Region, a.PostalCode, a.Country} {
		if len(value) > maxAddress || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return refuse("address", "this is too long or cannot be read")
		}
	}
	if len(u.Roles) > maxRoles {
		return refuse("roles", "these are too many roles")
	}
	for i, role := range u.Roles {
		if !roleName.MatchString(role) || slices.Contains(u.Roles[:i], role) {
			return refuse("roles", "a role has up to 64 letters, digits and : . _ - /, and is named once")
		}
	}
	return nil
}

var (
	birthdate = regexp.MustCompile(`^\d{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))?$`)
	zoneinfo  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`) // the machine may lack the tables
	username  = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}\p{M}._-]*$`)
	roleName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._/-]{0,63}$`)
)

func trim(u *User) {
	for _, field := range []*string{
		&u.Email, &u.Username, &u.Name, &u.GivenName, &u.FamilyName, &u.MiddleName,
		&u.Nickname, &u.Profile, &u.Picture, &u.Website, &u.Gender, &u.Birthdate, &u.Zoneinfo, &u.Locale, &u.PhoneNumber,
	} {
		*field = strings.TrimSpace(*field)
	}
}

func texts(u *User) map[string]string {
	return map[string]string{
		"name": u.Name, "given_name": u.GivenName, "family_name": u.FamilyName,
		"middle_name": u.MiddleName, "nickname": u.Nickname, "gender": u.Gender, "zoneinfo": u.Zoneinfo,
		"locale": u.Locale, "phone_number": u.PhoneNumber,
	}
}

// ValidEmail reports whether s is one plain e-mail address: local part, @ and
// a domain, nothing around it.
func ValidEmail(s string) bool {
	if len(s) > maxEmail || !utf8.ValidString(s) || hasControl(s) || strings.ContainsAny(s, "<>\"(),:;[]\\ ") {
		return false
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || !validDomain(s[at+1:]) {
		return false
	}
	parsed, err := mail.ParseAddress(s)
	return err == nil && parsed.Address == s && parsed.Name == ""
}

// validDomain wants labels of letters, digits and hyphens; a single label is
// taken, because test systems have addresses at localhost.
func validDomain(domain string) bool {
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return false
			}
		}
	}
	return true
}

// validUsername keeps a username from looking like an e-mail address: one
// must never stand for the account of the other.
func validUsername(s string) bool {
	return len(s) <= maxUsername && utf8.ValidString(s) && username.MatchString(s)
}

func webURL(s string) bool {
	if len(s) > maxURL || hasControl(s) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

func refuse(field, why string) error {
	return fault.New(fault.Invalid, CodeInvalid, "The field "+field+" cannot be taken: "+why+".").
		Under("OIDC Core §5.1 "+field+" has its shape").About(field, why)
}
