package storagetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

var errBroken = errors.New("the work broke")

// Transactions checks a storage.Transactor, and that every Store takes part.
func Transactions(t *testing.T, open OpenDurable) {
	t.Run("a rollback undoes the work of every store", func(t *testing.T) { everyStoreTakesPart(t, open) })
	t.Run("a commit keeps it", func(t *testing.T) {
		d := open(t)
		must(t, d.InTx(t.Context(), func(ctx context.Context) error { return writeEverywhere(ctx, d) }))
		if left := written(t, d); len(left) != len(stores) {
			t.Errorf("kept: %v, want the work of all %d stores", left, len(stores))
		}
	})
	t.Run("nested work joins", func(t *testing.T) { nestedJoins(t, open) })
	t.Run("nested failure dooms the whole", func(t *testing.T) { nestedFails(t, open) })
	t.Run("panic and exit", func(t *testing.T) { panics(t, open) })
	t.Run("isolation", func(t *testing.T) { isolation(t, open) })
	t.Run("contexts", func(t *testing.T) { contexts(t, open) })
	t.Run("a conflict may be tolerated", func(t *testing.T) { toleratedConflict(t, open) })
	t.Run("an error of the database may not", func(t *testing.T) {
		d := open(t)
		must(t, d.Users.Create(t.Context(), user.User{ID: "a", Email: "a@example.com"}))
		must(t, d.Users.Create(t.Context(), user.User{ID: "b", Email: "b@example.com"}))
		err := d.InTx(t.Context(), func(ctx context.Context) error {
			must(t, d.Passwords.Set(ctx, "b", "hash", epoch))
			wantKind(t, "a taken address", d.Users.Update(ctx, user.User{ID: "b", Email: "a@example.com"}), fault.Conflict)
			return nil // swallowed, but half of the update may be there
		})
		wantKind(t, "the transaction", err, fault.Conflict)
		_, err = d.Passwords.Hash(t.Context(), "b")
		wantKind(t, "what was written before", err, fault.NotFound)
	})
}

func everyStoreTakesPart(t *testing.T, open OpenDurable) {
	d := open(t)
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		must(t, writeEverywhere(ctx, d))
		if _, err := d.Grants.ByID(ctx, "mark"); err != nil {
			t.Errorf("a transaction does not see its own work: %v", err)
		}
		return errBroken
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the error of the work", err)
	}
	if left := written(t, d); len(left) != 0 {
		t.Errorf("left after the rollback: %v", left)
	}
}

func nestedJoins(t *testing.T, open OpenDurable) {
	d := open(t)
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		must(t, d.InTx(ctx, func(ctx context.Context) error {
			return d.InTx(ctx, func(ctx context.Context) error {
				return d.Clients.Create(ctx, client.Client{ID: "inner"})
			})
		}))
		return errBroken // the inner work was not committed by itself
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the error of the work", err)
	}
	_, err = d.Clients.ByID(t.Context(), "inner")
	wantKind(t, "the inner work", err, fault.NotFound)
}

func nestedFails(t *testing.T, open OpenDurable) {
	d := open(t)
	err := d.InTx(t.Context(), func(ctx context.Context) error {
		must(t, d.Clients.Create(ctx, client.Client{ID: "outer"}))
		if err := d.InTx(ctx, func(context.Context) error { return errBroken }); !errors.Is(err, errBroken) {
			t.Errorf("the inner call: %v, want its own error", err)
		}
		return nil
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the error of the nested work", err)
	}
	_, err = d.Clients.ByID(t.Context(), "outer")
	wantKind(t, "the outer work", err, fault.NotFound)
}

func panics(t *testing.T, open OpenDurable) {
	d := open(t)
	for name, leave := range map[string]func(){
		"panic":  func() { panic("at the disco") },
		"goexit": nil,
	} {
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			_ = d.InTx(t.Context(), func(ctx context.Context) error {
				if err := d.Clients.Create(ctx, client.Client{ID: name}); err != nil {
					t.Error(err)
				}
				if leave == nil {
					runtime.Goexit()
				}
				leave()
				return nil
			})
		}()
		if got := <-done; name == "panic" && got != "at the disco" {
			t.Errorf("recovered %v, want the panic of the work", got)
		}
		_, err := d.Clients.ByID(t.Context(), name)
		wantKind(t, "the work before the "+name, err, fault.NotFound)
	}
	// Its connection is free again, and so is its lock.
	must(t, d.InTx(t.Context(), func(ctx context.Context) error { return d.Clients.Create(ctx, client.Client{ID: "next"}) }))
}

func isolation(t *testing.T, open OpenDurable) {
	d := open(t)
	must(t, d.InTx(t.Context(), func(ctx context.Context) error {
		must(t, d.Clients.Create(ctx, client.Client{ID: "a"}))
		_, err := d.Clients.ByID(t.Context(), "a") // not with ctx
		wantKind(t, "a look from outside", err, fault.NotFound)
		return nil
	}))
	_, err := d.Clients.ByID(t.Context(), "a")
	wantKind(t, "a look after the commit", err, fault.None)

	t.Run("two databases", func(t *testing.T) {
		other := open(t)
		err := d.InTx(t.Context(), func(ctx context.Context) error {
			must(t, other.Clients.Create(ctx, client.Client{ID: "elsewhere"}))
			return errBroken
		})
		if !errors.Is(err, errBroken) {
			t.Errorf("got %v, want the error of the work", err)
		}
		_, err = other.Clients.ByID(t.Context(), "elsewhere")
		wantKind(t, "the work in the other database", err, fault.None)
		_, err = d.Clients.ByID(t.Context(), "elsewhere")
		wantKind(t, "the work in this database", err, fault.NotFound)
	})

	t.Run("many at once", func(t *testing.T) {
		if won := race(t, fault.None, func(n int) error {
			return d.InTx(t.Context(), func(ctx context.Context) error {
				if _, err := d.Clients.ByID(ctx, "a"); err != nil {
					return err
				}
				return errors.Join(
					d.Clients.Create(ctx, client.Client{ID: fmt.Sprint("many-", n)}),
					d.Passwords.Set(ctx, "shared", fmt.Sprint(n), epoch),
				)
			})
		}); won != racers {
			t.Errorf("%d transactions succeeded, want all %d", won, racers)
		}
	})
}

func contexts(t *testing.T, open OpenDurable) {
	d := open(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"a read":  func() error { _, err := d.Clients.ByID(cancelled, "a"); return err }(),
		"a write": d.Clients.Create(cancelled, client.Client{ID: "a"}),
		"a transaction": d.InTx(cancelled, func(context.Context) error {
			t.Error("work was begun with a context that is over")
			return nil
		}),
	} {
		wantKind(t, name+" with a cancelled context", err, fault.Unavailable)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v does not show that the context was cancelled", name, err)
		}
	}

	t.Run("cancelled in the middle", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := d.InTx(ctx, func(ctx context.Context) error {
			must(t, d.Clients.Create(ctx, client.Client{ID: "half"}))
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want a cancelled context", err)
		}
		_, err = d.Clients.ByID(t.Context(), "half")
		wantKind(t, "the work before", err, fault.NotFound)
	})

	t.Run("a context outlives its transaction", func(t *testing.T) {
		var kept context.Context
		must(t, d.InTx(t.Context(), func(ctx context.Context) error { kept = ctx; return nil }))
		wantKind(t, "a write with it", d.Clients.Create(kept, client.Client{ID: "late"}), fault.Internal)
		wantKind(t, "a transaction with it", d.InTx(kept, func(context.Context) error { return nil }), fault.Internal)
		_, err := d.Clients.ByID(t.Context(), "late")
		wantKind(t, "the late work", err, fault.NotFound)
	})
}

// toleratedConflict checks that a conflict which changed nothing leaves the
// transaction usable, on every engine alike.
func toleratedConflict(t *testing.T, open OpenDurable) {
	d := open(t)
	must(t, writeEverywhere(t.Context(), d))
	must(t, d.InTx(t.Context(), func(ctx context.Context) error {
		for name, err := range map[string]error{
			"client":   d.Clients.Create(ctx, client.Client{ID: "mark"}),
			"grant":    d.Grants.Create(ctx, grant.Grant{ID: "mark"}),
			"token":    d.Grants.PutToken(ctx, grant.OpaqueToken{Hash: "mark"}),
			"session":  d.Sessions.Create(ctx, session.Session{ID: "mark"}),
			"key":      d.Keys.Add(ctx, newKey("mark"), time.Time{}),
			"redeem":   d.Grants.Redeem(ctx, redeeming("mark", epoch)),
			"password": d.Passwords.Swap(ctx, "mark", "not it", "next", epoch),
		} {
			wantKind(t, name, err, fault.Conflict)
		}
		_, err := d.Clients.ByID(ctx, "unknown")
		wantKind(t, "a read of nothing", err, fault.NotFound)
		return d.Clients.Create(ctx, client.Client{ID: "after"})
	}))
	_, err := d.Clients.ByID(t.Context(), "after")
	wantKind(t, "the work after the conflicts", err, fault.None)
}
