package signup

import (
	"context"
	"strings"
	"testing"
	"unicode"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
)

// anyPassword takes every password.
type anyPassword struct{ Passwords }

func (anyPassword) Check(context.Context, string, ...string) error { return nil }
func (anyPassword) MinLength() int                                 { return 1 }

// FuzzRead: what passes the form can be kept, is of an allowed domain, and
// can stand in a mail.
func FuzzRead(f *testing.F) {
	for _, s := range [][3]string{
		{"Cleo Example", "cleo@example.test", "cleo"},
		{"C\u202eleo", "c\r\nBcc: d@example.test", "аdmin"},
		{"\xff", "c@bücher.example", "ａｄｍｉｎ"},
		{" ", "c@xn--bcher-kva.example", ""},
		{"x", "c@xn--a.test", "x"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	h := &Handler{Deps{Passwords: anyPassword{}, Config: Config{Username: Optional, Domains: []string{"example.test", "bücher.example"}}}}
	f.Fuzz(func(t *testing.T, name, email, username string) {
		page, _, err := h.read(t.Context(), web.Fields{"name": name, "email": email, "username": username, "password": "x", "role": name}, nil)
		if err != nil || page.Failed() {
			if fault.KindOf(err) == fault.Internal {
				t.Errorf("read(%q, %q, %q): %v", name, email, username, err)
			}
			return
		}
		u := user.User{Name: page.Name, Email: page.Email, Username: page.Username}
		if err := user.Validate(&u); err != nil {
			t.Errorf("read(%q, %q, %q) passed and cannot be kept: %v", name, email, username, err)
		}
		if strings.ContainsFunc(page.Email+page.Username, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
			t.Errorf("read(%q, %q, %q) = %q, %q", name, email, username, page.Email, page.Username)
		}
		if d := strings.ToLower(page.Email); !strings.HasSuffix(d, "@example.test") && !strings.Contains(d, "cher") && domainKey(d[strings.LastIndex(d, "@")+1:]) != "example.test" {
			t.Errorf("the domain of %q passed", page.Email)
		}
	})
}
