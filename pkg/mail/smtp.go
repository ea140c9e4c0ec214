package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	gosmtp "github.com/wneessen/go-mail/smtp"
	"golang.org/x/net/idna"

	"github.com/portico-id/portico/pkg/fault"
)

// SMTPConfig names the mail server and who sends.
type SMTPConfig struct {
	// URL is smtp://user:password@host:587, where STARTTLS is demanded,
	// smtps://host:465, or smtp://localhost:25?tls=off.
	URL     string
	From    string // Example <no-reply@example.com>
	ReplyTo string // empty: answers go to the sender
	Roots   *x509.CertPool
}

// SMTP is the Sender that speaks to a mail server (RFC 5321). Each mail has a
// connection of its own: what a server does to one does not hold up another.
// It is safe for concurrent use.
type SMTP struct {
	host, port string
	implicit   bool // TLS from the first byte (RFC 8314 §3)
	plain      bool // no TLS: a relay on this machine
	user, pass string
	from       *netmail.Address
	replyTo    *netmail.Address
	roots      *x509.CertPool
}

var _ Sender = (*SMTP)(nil)

// answerTimeout is how long a mail server may take for one answer; RFC 5321
// §4.5.3.2 allows minutes, but whoever waits for a code does not.
const answerTimeout = 30 * time.Second

// NewSMTP reads the settings; the error says what to change and holds no
// password.
func NewSMTP(cfg SMTPConfig) (*SMTP, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("smtp_url: want smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	s := &SMTP{host: u.Hostname(), port: u.Port(), implicit: u.Scheme == "smtps", plain: u.Query().Get("tls") == "off", roots: cfg.Roots}
	if s.port == "" {
		s.port = map[bool]string{true: "465", false: "587"}[s.implicit]
	}
	s.user = u.User.Username()
	s.pass, _ = u.User.Password()
	if s.from, err = netmail.ParseAddress(cfg.From); err != nil {
		return nil, errors.New("mail_from: want an address such as Example <no-reply@example.com>")
	}
	if cfg.ReplyTo != "" {
		if s.replyTo, err = netmail.ParseAddress(cfg.ReplyTo); err != nil {
			return nil, errors.New("mail_reply_to: want an address such as Example <help@example.com>")
		}
	}
	return s, nil
}

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m Outgoing) error {
	msg, err := s.message(m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err) // it will not be another one later
	}
	return s.connected(ctx, func(c *gomail.Client, session *gosmtp.Client) error {
		err := c.SendWithSMTPClient(session, msg)
		if msg.IsDelivered() {
			return nil // whatever came after
		}
		return s.explain(err)
	})
}

// Check says hello to the server and proves who we are, for portico doctor.
func (s *SMTP) Check(ctx context.Context) error {
	return s.connected(ctx, func(*gomail.Client, *gosmtp.Client) error { return nil })
}

// explain marks what the server refused for good: the recipient or the mail
// itself (RFC 5321 §4.2.1: 5yz). Its refusals of us are for the operator to
// change, and the mail waits.
func (s *SMTP) explain(err error) error {
	e, ok := errors.AsType[*gomail.SendError](err)
	if !ok || e.ErrorCode() < 500 || e.ErrorCode() > 599 {
		return err
	}
	switch e.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// message writes the mail. Its values are addresses that were parsed and
// lines that were bounded; no name of a stranger stands in a header but in
// the subject, which the library encodes.
func (s *SMTP) message(m Outgoing) (*gomail.Msg, error) {
	to, err := asciiDomain(m.To)
	if err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(s.from.String()), msg.To(to)); err != nil {
		return nil, err
	}
	if s.replyTo != nil {
		if err := msg.ReplyTo(s.replyTo.String()); err != nil {
			return nil, err
		}
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.At)
	msg.SetMessageIDWithValue(m.ID + "@" + domainOf(s.from.Address))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: no vacation notice comes back
	msg.SetGenHeader("Content-Language", m.Lang)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}

// asciiDomain writes the domain of an address as DNS knows it, for servers
// that do not speak SMTPUTF8.
func asciiDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if err != nil {
		return "", fmt.Errorf("the domain of the address is none: %w", err)
	}
	return address[:at+1] + domain, nil
}

func domainOf(address string) string {
	address, err := asciiDomain(address)
	if err != nil {
		return "localhost"
	}
	return address[strings.LastIndexByte(address, '@')+1:]
}

// connected runs do on a connection that is encrypted and authenticated as
// the settings say. The connection ends with it, and with ctx.
func (s *SMTP) connected(ctx context.Context, do func(*gomail.Client, *gosmtp.Client) error) error {
	var stop []func() bool
	defer func() {
		for _, f := range stop {
			f()
		}
	}()
	c, err := s.client(func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := s.dial(dialing, network, address)
		if err == nil {
			hangUp := func() { _ = conn.Close() }
			// The library's reads know no context, and it leaves a connection
			// open whose handshake fails.
			stop = append(stop, context.AfterFunc(ctx, hangUp), func() bool { hangUp(); return true })
		}
		return conn, err
	})
	if err != nil {
		return err
	}
	session, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	if err := do(c, session); err != nil {
		return err
	}
	_ = session.Quit() // it has the mail
	return nil
}

func (s *SMTP) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if s.implicit {
		return (&tls.Dialer{NetDialer: &d, Config: s.tls()}).DialContext(ctx, network, address)
	}
	return d.DialContext(ctx, network, address)
}

func (s *SMTP) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
}

// client says how to greet. A password goes over TLS only, or to this machine.
func (s *SMTP) client(dial gomail.DialContextFunc) (*gomail.Client, error) {
	port, err := strconv.Atoi(s.port)
	if err != nil {
		return nil, fmt.Errorf("smtp_url: %q is no port", s.port)
	}
	mechanisms := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin}
	options := []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(answerTimeout), gomail.WithDialContextFunc(dial),
		gomail.WithTLSConfig(s.tls()), gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithoutNoop(),
	}
	switch {
	case s.implicit:
		options = append(options, gomail.WithSSL())
	case s.plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
		mechanisms = []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
	}
	if s.user != "" {
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.pass), gomail.WithOpportunisticSMTPAuth(mechanisms...))
	}
	return gomail.NewClient(s.host, options...)
}

// problemOf makes an error fit to be kept: one bounded line that names nobody.
// Servers repeat the address that they refuse.
func problemOf(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", affected recipient(s)")
	text, _, _ = strings.Cut(text, ", affected message ID")
	return fault.Clip(anAddress.ReplaceAllString(text, "…@…"))
}

var anAddress = regexp.MustCompile(`[^\s<>"',;:()]+@[^\s<>"',;:()]+`)
