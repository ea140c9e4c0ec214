package mail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real SMTP server in this process.
type mailServer struct {
	roots *x509.CertPool
	addr  string

	mu       sync.Mutex
	letters  []delivered
	logins   []string // user:password
	onFrom   error    // what it answers
	onRcpt   func(to string) error
	onData   error
	encrypts []bool // of each login
}

type delivered struct{ from, to, data string }

type serverOptions struct {
	noTLS    bool // offers no STARTTLS
	implicit bool // TLS from the first byte
	auth     bool // wants user:password
	addr     string
}

// newMailServer starts one; it ends with the test.
func newMailServer(t *testing.T, o serverOptions) *mailServer {
	t.Helper()
	m := &mailServer{}
	cert, roots := certificate(t)
	m.roots = roots
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{m: m, o: o, c: c}, nil }))
	srv.Domain, srv.AllowInsecureAuth, srv.ReadTimeout, srv.WriteTimeout = "mail.test", true, 10*time.Second, 10*time.Second
	srv.EnableSMTPUTF8 = true
	if !o.noTLS {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	if o.addr == "" {
		o.addr = "127.0.0.1:0"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", o.addr)
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	if o.implicit {
		l = tls.NewListener(l, srv.TLSConfig)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = errors.Join(srv.Close(), l.Close()) })
	return m
}

// all returns what arrived.
func (m *mailServer) all() []delivered {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]delivered(nil), m.letters...)
}

// set changes what it answers.
func (m *mailServer) set(change func(m *mailServer)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

type session struct {
	m        *mailServer
	o        serverOptions
	c        *smtp.Conn
	known    bool
	from, to string
}

func (s *session) AuthMechanisms() []string {
	if s.o.auth {
		return []string{sasl.Plain}
	}
	return nil
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		_, encrypted := s.c.TLSConnectionState()
		s.m.set(func(m *mailServer) {
			m.logins, m.encrypts = append(m.logins, user+":"+pass), append(m.encrypts, encrypted)
		})
		if user != "portico" || pass != "p@ss" {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.o.auth && !s.known {
		return smtp.ErrAuthRequired
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.from = from
	return s.m.onFrom
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.to = to
	if s.m.onRcpt != nil {
		return s.m.onRcpt(to)
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if err = errors.Join(err, s.m.onData); err != nil {
		if e, ok := s.m.onData.(*smtp.SMTPError); ok { //nolint:errorlint // made by the test
			return e
		}
		return err
	}
	s.m.letters = append(s.m.letters, delivered{s.from, s.to, string(raw)})
	return nil
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

// certificate makes one for this machine.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
