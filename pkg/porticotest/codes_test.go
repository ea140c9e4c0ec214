package porticotest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage"
)

// texts is an operator's webhook, which may be switched off.
type texts struct {
	*httptest.Server
	off  atomic.Bool
	mu   sync.Mutex
	last string
}

func newTexts(t *testing.T) *texts {
	t.Helper()
	g := &texts{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.off.Load() || r.Header.Get("Portico-Signature") == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var m struct{ Text string }
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil {
			t.Errorf("the body of the webhook: %v", err)
		}
		g.mu.Lock()
		g.last = m.Text
		g.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(g.Close)
	return g
}

var boundCode = regexp.MustCompile(`\n\n@127\.0\.0\.1 #([0-9]{8})$`)

func (g *texts) code(t *testing.T) string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	m := boundCode.FindStringSubmatch(g.last)
	if m == nil {
		t.Fatalf("no code for 127.0.0.1 in %q", g.last)
	}
	return m[1]
}

// sending takes codes by e-mail and text message.
func (g *texts) sending(c *config.Config) {
	c.MFAMethods = []string{"totp", "email", "sms"}
	c.SMSWebhookURL, c.SMSWebhookKey = g.URL, strings.Repeat("k", 32)
}

func textFinding(t *testing.T, s *porticotest.Server) storage.Finding {
	t.Helper()
	for _, f := range s.Doctor(t.Context()) {
		if f.Check == "text messages" {
			return f
		}
	}
	t.Fatal("doctor does not speak of text messages")
	return storage.Finding{}
}

// A person turns codes by text message on within a sign-in that demands a
// second factor, keeps recovery codes, and comes back with each of them.
func TestCodesByTextMessageAndOnPaper(t *testing.T) {
	hook := newTexts(t)
	s := porticotest.New(t, porticotest.With(hook.sending), porticotest.With(func(c *config.Config) { c.MFAEveryone = "2" }))
	alice := server.DemoPeople[0]
	b := s.NewBrowser()
	page := b.Get(s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
	if page.URL.Path != protocol.PathEnrol || !page.Has("enrol-sms") || !page.Has("enrol-email") {
		t.Fatalf("at %s: %s", page.URL, page.Text())
	}
	page = b.Get(protocol.PathAccountSMS+"?flow="+url.QueryEscape(page.URL.Query().Get("flow"))).Submit(map[string]string{"number": "+49 30 123456"}, "decision", "send")
	page = page.Submit(map[string]string{"code": hook.code(t)}, "decision", "confirm")
	if page.URL.Path != protocol.PathAccountCodes {
		t.Fatalf("after the factor at %s: %s", page.URL, page.Text())
	}
	page = page.Submit(nil, "decision", "generate")
	codes := regexp.MustCompile(`<code>([^<]+)</code>`).FindAllStringSubmatch(page.Body, -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes: %s", len(codes), page.Text())
	}
	if acr, amr := assured(t, s, page.Submit(nil, "decision", "done")); acr != "2" || strings.Join(amr, " ") != "pwd sms mfa" {
		t.Errorf("after the enrolment acr %s, amr %v", acr, amr)
	}

	var other *porticotest.Browser
	second := func() *porticotest.Page {
		t.Helper()
		other = s.NewBrowser()
		page := other.Get(s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
		if page.URL.Path != protocol.PathFactor || !page.Has("factor-send") || !page.Has("factor-with-recovery_code") {
			t.Fatalf("at %s: %s", page.URL, page.Text())
		}
		return page
	}
	page = second().Submit(nil, "decision", "send")
	if acr, amr := assured(t, s, page.Submit(map[string]string{"code": hook.code(t)}, "", "")); acr != "2" || strings.Join(amr, " ") != "pwd sms mfa" {
		t.Errorf("by text message acr %s, amr %v", acr, amr)
	}
	if f := textFinding(t, s); f.Status != storage.OK || !strings.Contains(f.Detail, "127.0.0.1") {
		t.Errorf("doctor says %+v", f)
	}

	hook.off.Store(true)
	page = second().Submit(nil, "decision", "send")
	if page.Status != http.StatusServiceUnavailable || !page.Has("factor-with-recovery_code") || strings.Contains(page.Body, "503") {
		t.Fatalf("without texts: %d %s", page.Status, page.Text())
	}
	at := page.URL.Query()
	at.Set("with", "recovery_code")
	page = other.Get(protocol.PathFactor+"?"+at.Encode()).Submit(map[string]string{"code": strings.ToUpper(codes[0][1])}, "", "")
	if acr, amr := assured(t, s, page); acr != "2" || strings.Join(amr, " ") != "pwd otp mfa" {
		t.Errorf("by a recovery code acr %s, amr %v", acr, amr)
	}
	if l := s.Letter(alice); l.Subject != "A recovery code was used for your account" || !strings.Contains(l.Text, "Codes left: 9.") {
		t.Errorf("the letter: %q %s", l.Subject, l.Text)
	}
	s.Stop() // writes the audit
	s.Restart()
	if f := textFinding(t, s); f.Status != storage.Warn || f.Hint == "" {
		t.Errorf("doctor says %+v of texts that were not taken", f)
	}
}

func TestCodesByEmail(t *testing.T) {
	s := porticotest.New(t, porticotest.With(newTexts(t).sending))
	alice := server.DemoPeople[0]
	b := s.NewBrowser()
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), alice)
	page := b.Get(protocol.PathAccountEmailCode).Submit(nil, "decision", "send")
	page = page.Submit(map[string]string{"code": s.Letter(alice).Code}, "decision", "confirm")
	if page.URL.Path != protocol.PathAccountCodes {
		t.Fatalf("at %s: %s", page.URL, page.Text())
	}
	page = s.NewBrowser().Get(s.AuthorizeURL(porticotest.Web, "openid")).Submit(map[string]string{"username": alice, "password": server.DemoPassword}, "", "")
	page = page.Submit(nil, "decision", "send")
	if acr, amr := assured(t, s, page.Submit(map[string]string{"code": s.Letter(alice).Code}, "", "")); acr != "2" || strings.Join(amr, " ") != "pwd otp mfa" {
		t.Errorf("acr %s, amr %v", acr, amr)
	}
}

func TestPagesOfKindsThatAreNotTakenAreNotThere(t *testing.T) {
	s := porticotest.New(t)
	b := s.NewBrowser()
	b.SignIn(s.AuthorizeURL(porticotest.Web, "openid"), server.DemoPeople[0])
	for path, want := range map[string]int{protocol.PathAccountEmailCode: 404, protocol.PathAccountSMS: 404, protocol.PathAccountCodes: 200} {
		if got := b.Get(path); got.Status != want {
			t.Errorf("%s answers %d, want %d", path, got.Status, want)
		}
	}
	if overview := b.Get(protocol.PathAccountSecurity); strings.Contains(overview.Body, protocol.PathAccountSMS) || strings.Contains(overview.Body, "no value") || strings.Contains(overview.Body, "%!") {
		t.Errorf("the overview: %s", overview.Text())
	}
	if f := textFinding(t, s); !strings.Contains(f.Detail, "none are sent") {
		t.Errorf("doctor says %+v", f)
	}
}
