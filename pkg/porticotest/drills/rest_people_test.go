package drills

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// livePeople signs people up, invites, recovers and changes them, and adds
// what it saw: passwords, the links and codes of mails, and cookies. Of each
// way one is left open, because what waits must not be readable either.
func livePeople(t *testing.T, s *porticotest.Server, k secrets) {
	t.Helper()
	mailed := func(email string) porticotest.Letter {
		t.Helper()
		l := s.Letter(email)
		if l.Link == "" {
			t.Fatalf("the letter %q to %s has no link", l.Key, email)
		}
		k.add("a link of a mail", l.Link[strings.LastIndexByte(l.Link, '=')+1:])
		k.add("a code of a mail", l.Code, strings.ReplaceAll(l.Code, " ", ""))
		return l
	}
	sign := func(b *porticotest.Browser, email, password string) *porticotest.Page {
		t.Helper()
		k.add("a chosen password", password)
		page := b.Get(s.AuthorizeURL(web, everything, protocol.Prompt, protocol.PromptCreate)).
			Submit(map[string]string{"name": "Somebody New", "email": email, "password": password}, "", "")
		if !page.Has("code") {
			t.Fatalf("the sign-up leads to %s (%d): %s", page.URL.Path, page.Status, page.Text())
		}
		return page
	}
	b := s.NewBrowser()
	sign(s.NewBrowser(), "waiting@example.test", "violet harbour of nine winters")
	mailed("waiting@example.test")
	sign(b, "made@example.test", "copper lantern under seven bridges").
		Submit(map[string]string{"code": mailed("made@example.test").Code}, "", "")

	// The one who is signed in now asks for another address and proves it; a
	// second one stays asked for.
	for _, address := range []string{"moved@example.test", "moving@example.test"} {
		page := b.Get(protocol.PathAccountEmail).Submit(map[string]string{"email": address}, "decision", "change")
		if page.Status != http.StatusOK {
			t.Fatalf("a change of address leads to %s (%d): %s", page.URL.Path, page.Status, page.Text())
		}
		letter := mailed(address)
		if address == "moved@example.test" {
			b.Get(letter.Link).Submit(nil, "", "")
		}
	}
	for range 2 { // the first is replaced by the second, which is used
		s.NewBrowser().Get(protocol.PathRecover).Submit(map[string]string{"username": server.DemoPeople[1]}, "", "")
		mailed(server.DemoPeople[1])
	}
	const next = "marble otter beside quiet engines"
	k.add("a chosen password", next)
	back := s.NewBrowser()
	done := back.Get(s.Letter(server.DemoPeople[1]).Link).Submit(map[string]string{"password": next}, "", "")
	if done.Status != http.StatusOK || done.Has("password") {
		t.Fatalf("the reset leads to %s (%d): %s", done.URL.Path, done.Status, done.Text())
	}
	for _, browser := range []*porticotest.Browser{b, back} {
		for _, c := range browser.Cookies() {
			if len(c.Value) > 16 {
				k.add("the cookie "+c.Name, c.Value)
			}
		}
	}
	for what, least := range map[string]int{"a link of a mail": 6, "a code of a mail": 8, "a chosen password": 3} {
		if len(k[what]) < least {
			t.Fatalf("the flows of people gave %d times %s, want %d", len(k[what]), what, least)
		}
	}
}
