package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/portico-id/portico/pkg/mail"
)

const from = "Exämple <no-reply@example.com>"

func sender(t *testing.T, url string, m *mailServer) *mail.SMTP {
	t.Helper()
	s, err := mail.NewSMTP(mail.SMTPConfig{URL: url, From: from, ReplyTo: "help@example.com", Roots: m.roots})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func outgoing() mail.Outgoing {
	return mail.Outgoing{ID: "mail-id", At: time.Date(2026, 11, 28, 14, 5, 6, 0, time.UTC), Content: mail.Content{
		To: "alice@example.org", Subject: "Grüße", Text: "Hallo,\n\nhttps://id.example/x?a=1\n.\n", HTML: "<p>Grüße</p>", Lang: "de",
	}}
}

func TestMailArrivesAsItWasWritten(t *testing.T) {
	for name, tt := range map[string]struct {
		o   serverOptions
		url string
	}{
		"RFC 3207 STARTTLS and a password":    {serverOptions{auth: true}, "smtp://portico:p%40ss@"},
		"RFC 8314 §3 TLS from the first byte": {serverOptions{auth: true, implicit: true}, "smtps://portico:p%40ss@"},
		"a relay on this machine":             {serverOptions{noTLS: true}, "smtp://"},
		"a relay on this machine, a password": {serverOptions{noTLS: true, auth: true}, "smtp://portico:p%40ss@"},
		"a server that wants no password":     {serverOptions{}, "smtp://"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMailServer(t, tt.o)
			url := tt.url + m.addr
			if tt.o.noTLS {
				url += "?tls=off"
			}
			if err := sender(t, url, m).Check(t.Context()); err != nil || len(m.all()) != 0 {
				t.Errorf("Check: %v, and %d mails", err, len(m.all()))
			}
			if err := sender(t, url, m).Send(t.Context(), outgoing()); err != nil {
				t.Fatal(err)
			}
			got := m.all()
			if len(got) != 1 || got[0].from != "no-reply@example.com" || got[0].to != "alice@example.org" {
				t.Fatalf("arrived: %+v", got)
			}
			for i, encrypted := range m.encrypts {
				if !encrypted && !tt.o.noTLS {
					t.Errorf("login %d went over the wire in the clear", i)
				}
			}
			checkMessage(t, got[0].data)
		})
	}
}

func checkMessage(t *testing.T, data string) {
	t.Helper()
	msg, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"To": "<alice@example.org>", "Reply-To": "<help@example.com>", "Message-Id": "<mail-id@example.com>",
		"Date": "Sat, 28 Nov 2026 14:05:06 +0000", "Auto-Submitted": "auto-generated", "Content-Language": "de",
		"Subject": "Grüße", "From": `"Exämple" <no-reply@example.com>`, "User-Agent": "", "X-Mailer": "", "Bcc": "",
	} {
		got, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get(name))
		if err != nil || got != want && got != strings.ReplaceAll(want, `"`, "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type %q, %v", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range [][2]string{{"text/plain; charset=UTF-8", outgoing().Text}, {"text/html; charset=UTF-8", outgoing().HTML}} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if got := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || part.Header.Get("Content-Type") != want[0] || strings.TrimRight(got, "\n") != strings.TrimRight(want[1], "\n") {
			t.Errorf("part %q: %q, %v; want %q", part.Header.Get("Content-Type"), got, err, want)
		}
	}
}

func TestWhatAServerRefuses(t *testing.T) {
	permanent, later := &smtp.SMTPError{Code: 550, Message: "nobody <alice@example.org> here"}, &smtp.SMTPError{Code: 451, Message: "greylisted"}
	for name, tt := range map[string]struct {
		set     func(m *mailServer)
		refused bool
	}{
		"RFC 5321 §4.2.1 the recipient, for good": {func(m *mailServer) { m.onRcpt = func(string) error { return permanent } }, true},
		"the recipient, for now":                  {func(m *mailServer) { m.onRcpt = func(string) error { return later } }, false},
		"the mail, for good":                      {func(m *mailServer) { m.onData = permanent }, true},
		"the mail, for now":                       {func(m *mailServer) { m.onData = later }, false},
		"us, which the operator can change":       {func(m *mailServer) { m.onFrom = permanent }, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMailServer(t, serverOptions{})
			m.set(tt.set)
			err := sender(t, "smtp://"+m.addr, m).Send(t.Context(), outgoing())
			if err == nil || errors.Is(err, mail.ErrRefused) != tt.refused {
				t.Errorf("Send = %v, refused for good %v, want %v", err, errors.Is(err, mail.ErrRefused), tt.refused)
			}
		})
	}
}

func TestNothingIsSaidToTheWrongServer(t *testing.T) {
	good := "smtp://portico:p%40ss@"
	for name, tt := range map[string]struct {
		o   serverOptions
		url func(addr string) string
	}{
		"RFC 3207 §5 no STARTTLS":        {serverOptions{noTLS: true, auth: true}, func(a string) string { return good + a }},
		"a certificate of somebody else": {serverOptions{auth: true}, func(a string) string { return good + strings.Replace(a, "127.0.0.1", "localhost", 1) }},
		"a wrong password":               {serverOptions{auth: true}, func(a string) string { return "smtp://portico:wrong@" + a }},
		"no password":                    {serverOptions{auth: true}, func(a string) string { return "smtp://" + a }},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMailServer(t, tt.o)
			err := sender(t, tt.url(m.addr), m).Send(t.Context(), outgoing())
			if err == nil || errors.Is(err, mail.ErrRefused) || len(m.all()) != 0 {
				t.Errorf("Send = %v, %d arrived; want an error that may pass", err, len(m.all()))
			}
			for _, login := range m.logins {
				if strings.Contains(login, "p@ss") {
					t.Error("the password went to a server that did not prove itself")
				}
			}
			if err != nil && (strings.Contains(err.Error(), "p@ss") || strings.Contains(err.Error(), "p%40ss")) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestAServerThatHangsIsLeft(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if c, err := l.Accept(); err == nil {
			defer func() { _ = c.Close() }()
			cancel() // while it waits for a greeting that never comes
			<-t.Context().Done()
		}
	}()
	began := time.Now()
	if err := sender(t, "smtp://"+l.Addr().String(), &mailServer{}).Send(ctx, outgoing()); err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("Send = %v after %v", err, time.Since(began))
	}
}

// Queue bounds all of this too; the sender does not rely on it.
func TestHeadersCannotBeAdded(t *testing.T) {
	m := newMailServer(t, serverOptions{})
	s := sender(t, "smtp://"+m.addr, m)
	for name, change := range map[string]func(*mail.Outgoing){
		"subject":           func(o *mail.Outgoing) { o.Subject = "x\r\nBcc: eve@example.net\r\n\r\nbody" },
		"lang":              func(o *mail.Outgoing) { o.Lang = "de\r\nBcc: eve@example.net" },
		"id":                func(o *mail.Outgoing) { o.ID = "x>\r\nBcc: <eve@example.net" },
		"to":                func(o *mail.Outgoing) { o.To = "alice@example.org>\r\nRCPT TO:<eve@example.net" },
		"to, more than one": func(o *mail.Outgoing) { o.To = "alice@example.org, eve@example.net" },
		"to, with a name":   func(o *mail.Outgoing) { o.To = "eve@example.net <alice@example.org>" },
	} {
		o := outgoing()
		change(&o)
		before := len(m.all())
		err := s.Send(t.Context(), o)
		for _, d := range m.all()[before:] {
			msg, parseErr := netmail.ReadMessage(strings.NewReader(d.data))
			if parseErr != nil || msg.Header.Get("Bcc") != "" || strings.Contains(d.to, "eve") {
				t.Errorf("%s: %v %v, to %s: %s", name, err, parseErr, d.to, d.data)
			}
		}
	}
}

func TestDomainsGoOutAsDNSKnowsThem(t *testing.T) {
	m := newMailServer(t, serverOptions{})
	o := outgoing()
	o.To = "alice@bücher.example"
	if err := sender(t, "smtp://"+m.addr, m).Send(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := m.all()[0].to; got != "alice@xn--bcher-kva.example" {
		t.Errorf("sent to %s", got)
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	for _, cfg := range []mail.SMTPConfig{
		{},
		{URL: "https://mail.test", From: from},
		{URL: "smtp://", From: from},
		{URL: "smtp://%zz", From: from},
		{URL: "smtp://user:secret@mail.test"},
		{URL: "smtp://user:secret@mail.test", From: "no address"},
		{URL: "smtp://user:secret@mail.test", From: from, ReplyTo: "no address"},
	} {
		if _, err := mail.NewSMTP(cfg); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("NewSMTP(%+v) = %v", cfg, err)
		}
	}
}
