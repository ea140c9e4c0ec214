package ldap

import (
	"cmp"
	"context"
	"errors"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/trail"
)

// Book knows the providers and opens them. federation.Service is one.
type Book interface {
	// Active returns those that people may use, in their order.
	Active(ctx context.Context) ([]*federation.Provider, error)
	// Authenticator returns a directory at work.
	Authenticator(ctx context.Context, id string) (federation.Authenticator, *federation.Provider, error)
}

// Directories are those that the operator has named and not disabled. They
// are asked one after the other, in their order: a later one sees a password
// only when the earlier ones do not take it. Safe for concurrent use.
type Directories struct {
	book  Book
	audit audit.Recorder
}

// NewDirectories returns the directories of the book.
func NewDirectories(book Book, rec audit.Recorder) *Directories {
	return &Directories{book: book, audit: rec}
}

// Any reports whether one is asked for people who come by the ways that are
// allowed.
func (d *Directories) Any(ctx context.Context, allows func(way string) bool) (bool, error) {
	list, err := d.enabled(ctx, allows)
	return len(list) > 0, err
}

// Authenticate returns who has the name and the password in the first
// directory that takes them, and which that is. Faults: Unauthenticated when
// all of them say no; Unavailable when one that could have said yes could not
// be asked.
func (d *Directories) Authenticate(ctx context.Context, allows func(way string) bool, name, password string) (*federation.Provider, *federation.Person, error) {
	list, err := d.enabled(ctx, allows)
	if err != nil {
		return nil, nil, err
	}
	var found *federation.Person
	p, err := d.each(ctx, list, func(dir federation.Authenticator) (bool, error) {
		found, err = dir.Authenticate(ctx, name, password)
		return err == nil, err
	})
	return p, found, err
}

// Lookup spends what Authenticate spends for a name that nobody has in any of
// them.
func (d *Directories) Lookup(ctx context.Context, allows func(way string) bool, name string) error {
	list, err := d.enabled(ctx, allows)
	if err != nil {
		return err
	}
	_, err = d.each(ctx, list, func(dir federation.Authenticator) (bool, error) { return false, dir.Lookup(ctx, name) })
	return err
}

// Down returns the error of a directory that is left alone because it failed,
// or nil. It asks none.
func (d *Directories) Down(ctx context.Context, allows func(way string) bool) error {
	list, err := d.enabled(ctx, allows)
	if err != nil {
		return err
	}
	for _, p := range list {
		dir, err := d.of(ctx, p)
		if err != nil {
			return err
		}
		if known, ok := dir.(*Directory); ok && known.breaker.tripped() {
			return known.unavailable(ErrPaused)
		}
	}
	return nil
}

// each asks one after the other until one is done, and returns which. Else it
// returns the gravest error: that one could not be asked.
func (d *Directories) each(ctx context.Context, list []*federation.Provider, ask func(federation.Authenticator) (done bool, err error)) (*federation.Provider, error) {
	var refused, down error
	for _, p := range list {
		dir, err := d.of(ctx, p)
		done := false
		if err == nil {
			done, err = ask(dir)
		}
		switch {
		case done:
			return p, nil
		case fault.Is(err, fault.Unauthenticated):
			refused = err
		case err != nil:
			d.failed(ctx, p, err)
			down = err
		}
	}
	if down != nil {
		return nil, down
	}
	return nil, refused
}

// failed notes that a directory could not be asked: each failure once, and not
// everybody who comes while it is left alone.
func (d *Directories) failed(ctx context.Context, p *federation.Provider, err error) {
	trail.Set(ctx, "directory", "failed")
	if errors.Is(err, ErrPaused) || ctx.Err() != nil {
		return
	}
	d.audit.Record(ctx, audit.Event{Name: audit.ProviderFailed, Data: map[string]string{
		"provider": p.ID, "code": fault.CodeOf(err), "rule": fault.As(err).Rule,
	}})
}

func (d *Directories) enabled(ctx context.Context, allows func(way string) bool) ([]*federation.Provider, error) {
	all, err := d.book.Active(ctx)
	if err != nil {
		return nil, err
	}
	var list []*federation.Provider
	for _, p := range all {
		if p.Kind == federation.LDAP && allows(p.ID) {
			list = append(list, p)
		}
	}
	return list, nil
}

// of returns the directory of a provider. Whatever keeps it from being opened
// is fault.Unavailable: people are told no more than when it does not answer.
func (d *Directories) of(ctx context.Context, p *federation.Provider) (federation.Authenticator, error) {
	dir, _, err := d.book.Authenticator(ctx, p.ID)
	if err == nil {
		return dir, nil
	}
	why := fault.As(err)
	return nil, (&Directory{id: p.ID}).unavailable(err).WithHint("%s", cmp.Or(why.Hint, why.Say))
}
