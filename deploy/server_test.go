package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/storagetest"
	"github.com/portico-id/portico/storage/throwaway"
)

// prepareRoles readies a database as the comment of roles.sql says: the
// script, the migrations as the owner, the script again.
func prepareRoles(script string) throwaway.Migrate {
	return func(ctx context.Context, dsn string) error {
		if err := run(ctx, dsn, script); err != nil {
			return err
		}
		owner, err := storage.OpenDurable(ctx, strings.Replace(dsn, "//portico@", "//portico_owner@", 1), storage.DurableOptions{})
		if err != nil {
			return err
		}
		return errors.Join(owner.Migrate(ctx), owner.Close(), run(ctx, dsn, script))
	}
}

func run(ctx context.Context, dsn, statements string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statements)
	return errors.Join(err, conn.Close(ctx))
}

// Everything that the server does with its database works with the role that
// may change no schema.
func TestServerNeedsNoMoreThanTheAppRole(t *testing.T) {
	server := throwaway.NewPostgres(t, throwaway.PGOptions{})
	prepare := prepareRoles(script(t, "sql/roles.sql"))
	open := func(t *testing.T) *storage.Durable {
		db := server.DatabaseFrom(t, prepare)
		d, err := storage.OpenDurable(t.Context(), db.URLAs("portico_app"), storage.DurableOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	storagetest.Durable(t, open)

	t.Run("schema", func(t *testing.T) {
		d := open(t)
		current, newest, pending, err := d.SchemaStatus(t.Context())
		if err != nil || current == 0 || current != newest || len(pending) > 0 {
			t.Errorf("SchemaStatus = %d, %d, %v, %v; want the newest", current, newest, pending, err)
		}
		if err := d.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate with nothing to do: %v", err)
		}
		if err := d.MigrateDown(t.Context()); err == nil {
			t.Error("MigrateDown succeeded without the right to it")
		}
		if after, _, _, err := d.SchemaStatus(t.Context()); err != nil || after != current {
			t.Errorf("the version is %d, %v after a refused MigrateDown; want %d", after, err, current)
		}
	})
}
