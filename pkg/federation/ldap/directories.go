package ldap

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/trail"
)

// Deps is what Directories need. All of it.
type Deps struct {
	// Providers returns those of every kind, in their order.
	Providers func(ctx context.Context) ([]federation.Provider, error)
	// Secret opens the sealed secret of a provider.
	Secret func(p federation.Provider) ([]byte, error)
	Audit  audit.Recorder
}

// Directories are those that the operator has named and not disabled. They
// are asked one after the other, in their order: a later one sees a password
// only when the earlier ones do not take it. Safe for concurrent use.
type Directories struct {
	Deps
	mu   sync.Mutex
	open map[string]opened
}

// opened is a directory at work, and what it was opened from.
type opened struct {
	from  federation.Provider
	works *Directory
	err   error
}

// NewDirectories returns the directories of the providers.
func NewDirectories(d Deps) *Directories {
	return &Directories{Deps: d, open: map[string]opened{}}
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
func (d *Directories) Authenticate(ctx context.Context, allows func(way string) bool, name, password string) (federation.Provider, *federation.Person, error) {
	list, err := d.enabled(ctx, allows)
	if err != nil {
		return federation.Provider{}, nil, err
	}
	var found *federation.Person
	p, err := d.each(ctx, list, func(dir *Directory) (bool, error) {
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
	_, err = d.each(ctx, list, func(dir *Directory) (bool, error) { return false, dir.Lookup(ctx, name) })
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
		if dir, err := d.of(p); err != nil {
			return err
		} else if dir.breaker.tripped() {
			return dir.unavailable(ErrPaused)
		}
	}
	return nil
}

// each asks one after the other until one is done, and returns which. Else it
// returns the gravest error: that one could not be asked.
func (d *Directories) each(ctx context.Context, list []federation.Provider, ask func(*Directory) (done bool, err error)) (federation.Provider, error) {
	var refused, down error
	for _, p := range list {
		dir, err := d.of(p)
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
		return federation.Provider{}, down
	}
	return federation.Provider{}, refused
}

// failed notes that a directory could not be asked: each failure once, and not
// everybody who comes while it is left alone.
func (d *Directories) failed(ctx context.Context, p federation.Provider, err error) {
	trail.Set(ctx, "directory", "failed")
	if errors.Is(err, ErrPaused) || ctx.Err() != nil {
		return
	}
	d.Audit.Record(ctx, audit.Event{Name: audit.ProviderFailed, Data: map[string]string{
		"provider": p.ID, "reason": "the directory could not be asked",
	}})
}

func (d *Directories) enabled(ctx context.Context, allows func(way string) bool) ([]federation.Provider, error) {
	all, err := d.Providers(ctx)
	if err != nil {
		return nil, err
	}
	var list []federation.Provider
	for _, p := range all {
		if p.Kind == federation.LDAP && !p.Disabled && allows(p.ID) {
			list = append(list, p)
		}
	}
	return list, nil
}

// of returns the directory of a provider, opened anew when the provider was
// changed.
func (d *Directories) of(p federation.Provider) (*Directory, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, ok := d.open[p.ID]
	if ok && o.from.UpdatedAt.Equal(p.UpdatedAt) && bytes.Equal(o.from.Sealed, p.Sealed) {
		return o.works, o.err
	}
	o = opened{from: p}
	o.works, o.err = d.opens(p)
	d.open[p.ID] = o
	return o.works, o.err
}

// opens returns fault.Unavailable for whatever keeps a directory from being
// asked: people are told no more than when it does not answer.
func (d *Directories) opens(p federation.Provider) (*Directory, error) {
	var secret []byte
	if len(p.Sealed) > 0 {
		var err error
		if secret, err = d.Secret(p); err != nil {
			return nil, (&Directory{id: p.ID}).unavailable(err).WithHint("set the provider's secret again")
		}
	}
	works, err := New(&p, string(secret))
	if err != nil {
		return nil, (&Directory{id: p.ID}).unavailable(err).WithHint("change the provider's settings: %s", fault.As(err).Say)
	}
	return works, nil
}
