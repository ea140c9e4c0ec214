package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// encryption is what protects a connection.
type encryption int

const (
	fromStart encryption = iota // ldaps
	upgraded                    // ldap with StartTLS, which is demanded
	loopback                    // none: to this machine only
)

// maxAnswer bounds what is read of a connection: entries with a thousand
// groups fit a few times.
const maxAnswer = 4 << 20

// conn is a connection for one question. It ends with the context.
type conn struct {
	*goldap.Conn
	stop func() bool
}

func (c *conn) close() {
	c.stop()
	_ = c.Close()
}

// searcher returns a connection that is bound as the operator's account.
func (d *Directory) searcher(ctx context.Context) (*conn, error) {
	c, err := d.connect(ctx)
	if err != nil || d.dir.BindDN == "" {
		return c, err
	}
	if err := c.Bind(d.dir.BindDN, d.secret); err != nil {
		c.close()
		return nil, d.unavailable(err).WithHint("the bind_dn of the provider and its secret are those of an account of the directory")
	}
	return c, nil
}

// connect returns a connection that is protected as the settings say, and that
// nobody has bound yet.
func (d *Directory) connect(ctx context.Context) (*conn, error) {
	c, err := d.dial(ctx)
	if err != nil {
		return nil, d.unavailable(err)
	}
	return c, nil
}

func (d *Directory) dial(ctx context.Context) (*conn, error) {
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	if d.encrypt == loopback && !local(plain.RemoteAddr()) {
		_ = plain.Close()
		return nil, errors.New("ldap: without TLS only to loopback")
	}
	// The library waits on channels. What ends it is the connection, which is
	// cut when the time is over or whoever asked goes away.
	left := askFor
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
		_ = plain.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = plain.SetDeadline(time.Unix(1, 0)) })
	lower := net.Conn(&bounded{Conn: plain, left: maxAnswer})
	if d.encrypt == fromStart {
		encrypted := tls.Client(lower, d.tls)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			stop()
			_ = plain.Close()
			return nil, err
		}
		lower = encrypted
	}
	c := &conn{Conn: goldap.NewConn(lower, d.encrypt == fromStart), stop: stop}
	c.SetTimeout(max(left, time.Millisecond))
	c.Start()
	if d.encrypt == upgraded {
		if err := c.StartTLS(d.tls); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func local(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// bounded is a connection of which no more than left bytes are read.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
