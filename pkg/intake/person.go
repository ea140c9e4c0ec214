package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/portico-id/portico/pkg/user"
)

// settle makes of two names what Portico keeps: a username that is the e-mail
// address says nothing, and one that looks like an address is the address.
func (r *Record) settle() {
	u := &r.User
	if user.Normalise(u.Username) == user.Normalise(u.Email) {
		u.Username = ""
	}
	if u.Email == "" && strings.Contains(u.Username, "@") {
		u.Email, u.Username, u.EmailVerified = u.Username, "", false
	}
	r.Name = u.Email
	if r.Name == "" {
		r.Name = u.Username
	}
	r.Name = clip(r.Name)
}

// nameIn finds out who is meant by a record that cannot be read.
func nameIn(raw []byte) string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(raw, &fields)
	for _, name := range []string{"email", "username", "preferred_username"} {
		var s string
		if json.Unmarshal(fields[name], &s) == nil && s != "" {
			return clip(s)
		}
	}
	return ""
}

// clip keeps a stranger's name on one line of a report.
func clip(s string) string {
	const most = 80
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '\uFFFD'
		}
		return r
	}, s)
	if runes := []rune(clean); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return clean
}

// describe says what is wrong with a record without the words of the library.
func describe(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s", wrong.Field, wrong.Value)
	}
	if _, field, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return fmt.Errorf("the field %s is not known", clip(field))
	}
	return errors.New("the record cannot be read")
}
