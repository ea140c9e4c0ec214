package porticotest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/templates"
)

// fetch sends a GET without a browser.
func fetch(t *testing.T, address, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestMailboxOfDev(t *testing.T) {
	s := porticotest.New(t)
	browser := s.NewBrowser()
	if page := browser.Get(protocol.PathMailbox); page.Status != 200 || !strings.Contains(page.Body, "There is no mail yet") {
		t.Errorf("an empty mailbox: %d %s", page.Status, page.Body)
	}
	for _, to := range []mail.Recipient{{Email: "alice@example.com", Name: "Alice"}, {Email: "bob@example.com", Locales: []string{"de-AT"}}} {
		if err := s.Mail.Queue(t.Context(), to, templates.Letter{Key: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	alice := s.Letter("Alice@example.com")
	if alice.Key != "test" || alice.Subject != "Test mail from Portico" || !strings.HasPrefix(alice.Text, "Hello Alice,\n") || !strings.Contains(alice.HTML, "<bdi>Alice</bdi>") {
		t.Errorf("the letter to alice: %+v", alice)
	}
	if bob := s.Letter("bob@example.com"); bob.Subject != "Test-E-Mail von Portico" || len(s.Letters("eve@example.com")) != 0 {
		t.Errorf("the letter to bob: %+v", bob)
	}

	list := browser.Get(protocol.PathMailbox)
	if first, second := strings.Index(list.Body, "bob@example.com"), strings.Index(list.Body, "alice@example.com"); first < 0 || second < first {
		t.Errorf("the list is not newest first: %s", list.Body)
	}
	res, body := fetch(t, s.URL+protocol.PathMailbox, "application/json")
	var kept []map[string]any
	if err := json.Unmarshal([]byte(body), &kept); err != nil || len(kept) != 2 || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v, %d mails, %v: %s", err, len(kept), res.Header, body)
	}
	for _, key := range []string{"id", "to", "subject", "text", "html", "link", "code", "sentAt", "letter"} {
		if _, ok := kept[0][key]; !ok || len(kept[0]) != 9 {
			t.Errorf("no %q in %v", key, kept[0])
		}
	}
	one := protocol.PathMailbox + "/" + kept[1]["id"].(string)
	if page := browser.Get(one); page.Status != 200 || !strings.Contains(page.Body, "reaches this address") {
		t.Errorf("one mail: %d %s", page.Status, page.Body)
	}
	html := browser.Get(one + "/html")
	if csp := html.Header.Get("Content-Security-Policy"); html.Status != 200 || html.Body != alice.HTML || !strings.Contains(csp, "sandbox") || strings.Contains(csp, "script") {
		t.Errorf("the HTML part: %d under %q", html.Status, csp)
	}
	for _, path := range []string{protocol.PathMailbox, one, one + "/html"} {
		if page := browser.Post(path, nil); page.Status != 405 || page.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s = %d", path, page.Status)
		}
	}
	for path, want := range map[string]int{protocol.PathMailbox + "/nothing": 404, protocol.PathMailbox + "/": 404, one + "/other": 404, one + "/html/x": 404} {
		if page := browser.Get(path); page.Status != want {
			t.Errorf("%s = %d, want %d", path, page.Status, want)
		}
	}
	if playground := browser.Get(protocol.PathPlayground); !strings.Contains(playground.Body, `href="/playground/mail"`) {
		t.Error("the playground does not lead to the mailbox")
	}
}

// Links in mails open accounts: without portico dev nobody may read them here.
func TestNoMailboxUnderServe(t *testing.T) {
	s := porticotest.New(t, porticotest.With(func(c *config.Config) { c.Dev, c.Signup = false, config.SignupClosed }))
	if page := s.NewBrowser().Get(protocol.PathMailbox); page.Status != 404 {
		t.Errorf("the mailbox answers %d", page.Status)
	}
	err := s.Mail.Queue(t.Context(), mail.Recipient{Email: "alice@example.com"}, templates.Letter{Key: "test"})
	if f := fault.As(err); s.Mail.Enabled() || f == nil || f.Kind != fault.Unavailable || !strings.Contains(f.Hint, "PORTICO_SMTP_URL") || f.Rule == "" {
		t.Errorf("Queue without a mail server = %v (enabled %v), want a refusal with a hint", err, s.Mail.Enabled())
	}
}
