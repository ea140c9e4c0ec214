// Package ldap asks directories, OpenLDAP and Active Directory among them,
// whether a password is right, and whose it is. It searches as the operator's
// account, tries the password as the person found, and keeps nothing. Which
// account here somebody has is decided by federation.
package ldap

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
)

// Bounds of one question.
const (
	askFor      = 5 * time.Second // for all of it
	maxName     = 320             // bytes of what was typed: an address has no more
	maxPassword = 1024
	slots       = 32 // questions at once; each has at most two connections
)

// Directory is a directory at work: a federation.Authenticator. Each question
// opens its connections anew, which costs a few milliseconds in a local
// network and leaves no state that a restart of the directory, a firewall or
// a forgotten bind could spoil. It is safe for concurrent use.
type Directory struct {
	id     string
	dir    federation.Directory
	secret string

	address   string
	encrypt   encryption
	tls       *tls.Config
	subject   string
	fields    []field
	mapped    []string // attributes that the settings name
	groups    *groups
	wanted    []string // attributes
	slots     chan struct{}
	breaker   breaker
	subjectOf func(*goldap.Entry) string
}

var _ federation.Authenticator = (*Directory)(nil)

// New returns the directory of a provider; password is that of its bind_dn. It
// does not ask it yet. fault.Invalid names the setting that makes no sense.
func New(p *federation.Provider, password string) (*Directory, error) {
	d := &Directory{id: p.ID, secret: password, slots: make(chan struct{}, slots)}
	if err := d.configure(p.Settings); err != nil {
		return nil, err
	}
	return d, nil
}

// Authenticate returns who has the name and the password. An empty password
// is never sent: it would bind as nobody, which servers grant (RFC 4513
// §5.1.2).
func (d *Directory) Authenticate(ctx context.Context, name, password string) (*federation.Person, error) {
	if password == "" || len(password) > maxPassword {
		if err := d.Lookup(ctx, name); err != nil {
			return nil, err
		}
		return nil, d.wrong(ruleEmpty, "a password of no or too many characters")
	}
	name, ok := readable(name)
	if !ok {
		return nil, d.wrong(ruleName, "a name that no directory has")
	}
	var p *federation.Person
	err := d.ask(ctx, func(ctx context.Context) (err error) {
		p, err = d.authenticate(ctx, name, password)
		return err
	})
	return p, err
}

// Lookup spends what Authenticate spends for a name that nobody has there.
func (d *Directory) Lookup(ctx context.Context, name string) error {
	name, ok := readable(name)
	if !ok {
		return nil // as above
	}
	return d.ask(ctx, func(ctx context.Context) error {
		c, err := d.searcher(ctx)
		if err != nil {
			return err
		}
		defer c.close()
		if _, _, err := d.find(c, name); err != nil {
			return err
		}
		return d.tryNobody(ctx)
	})
}

// readable returns the name as the directory is asked for it, and whether it
// can be one: bounded, and without characters that no keyboard sends.
func readable(name string) (string, bool) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	return name, true
}

// ask runs one question within its bounds, unless the directory is known to
// be down.
func (d *Directory) ask(ctx context.Context, question func(context.Context) error) error {
	if !d.breaker.open(clock.Now()) {
		return d.unavailable(ErrPaused)
	}
	within, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-within.Done():
		return d.unavailable(errFull)
	}
	err := question(within)
	if ctx.Err() == nil { // else whoever asked went away, which says nothing of the directory
		d.breaker.done(!fault.Is(err, fault.Unavailable), clock.Now())
	}
	return err
}

func (d *Directory) authenticate(ctx context.Context, name, password string) (*federation.Person, error) {
	c, err := d.searcher(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	entry, why, err := d.find(c, name)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		// Whoever measures learns no name: a password is tried all the same.
		if err := d.tryNobody(ctx); err != nil {
			return nil, err
		}
		return nil, d.wrong(ruleOne, why)
	}
	if why, err = d.try(ctx, entry.DN, password); err != nil {
		return nil, err
	} else if why != "" {
		return nil, d.wrong(rulePassword, why)
	}
	return d.person(c, entry)
}

// find returns the one entry of the name, or why there is none. Referrals are
// not followed: they may lead to anybody's server.
func (d *Directory) find(c *conn, name string) (*goldap.Entry, string, error) {
	q := search(d.dir.BaseDN, fill(d.dir.Filter, name), 2, d.wanted)
	got, err := c.Search(q)
	switch {
	case goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded):
		return nil, "more than one person of that name", nil
	case err != nil:
		return nil, "", d.unavailable(err).WithHint("search with base_dn and filter of the provider by hand, as its bind_dn")
	case len(got.Entries) > 1:
		return nil, "more than one person of that name", nil
	case len(got.Entries) == 0 || got.Entries[0].DN == "":
		return nil, "nobody of that name", nil
	}
	return got.Entries[0], "", nil
}

// search asks for entries below a base, most at most.
func search(base, filter string, most int, attributes []string) *goldap.SearchRequest {
	q := goldap.NewSearchRequest(base, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases,
		most, int(askFor/time.Second), false, filter, attributes, nil)
	q.EnforceSizeLimit = true
	return q
}

// fill puts a value into a filter, so that it stays a value whatever it holds
// (RFC 4515 §3).
func fill(filter, value string) string {
	return strings.ReplaceAll(filter, "%s", goldap.EscapeFilter(value))
}

// try returns why the entry may not enter with the password, or "". It has a
// connection of its own: what is done later on the other is done by the
// operator's account.
func (d *Directory) try(ctx context.Context, dn, password string) (string, error) {
	c, err := d.connect(ctx)
	if err != nil {
		return "", err
	}
	defer c.close()
	if err = c.Bind(dn, password); err == nil {
		return "", nil
	}
	if why := refusal(err); why != "" {
		return why, nil
	}
	return "", d.unavailable(err)
}

// tryNobody spends what a wrong password costs. The name is one that nobody
// has, so that nobody is locked out by it, and the password is none.
func (d *Directory) tryNobody(ctx context.Context) error {
	_, err := d.try(ctx, "cn="+rand.Text()+","+d.dir.BaseDN, rand.Text())
	return err
}
