package gormstore_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/storage"
)

func TestSQLiteFilesArePrivate(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "deep", "data")
	path := filepath.Join(folder, "portico.db")
	d := openURL(t, "sqlite://"+path, storage.DurableOptions{})
	if err := d.Clients.Create(t.Context(), client.Client{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		folder: 0o700, filepath.Dir(folder): 0o700,
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".migrating": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(name), got, want)
		}
	}
}

func TestSQLiteProtectsAFileThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "portico.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	openURL(t, "sqlite://"+path, storage.DurableOptions{})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestSQLitePathsWithStrangeCharacters(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b.db", "a#b.db", "a%41.db", "ä&_txlock=deferred.db", "a'b\".db"} {
		path := filepath.Join(t.TempDir(), name)
		u := url.URL{Scheme: "sqlite", Path: path}
		d := openURL(t, u.String(), storage.DurableOptions{})
		if err := d.Ping(t.Context()); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: the file is elsewhere: %v", name, err)
		}
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{
		"nothing":                "",
		"another scheme":         "mysql://u:hunter2@host/db",
		"no scheme":              "/var/lib/portico.db",
		"no path":                "sqlite://",
		"the root":               "sqlite:///",
		"memory":                 "sqlite::memory:",
		"a host":                 "sqlite://host/path.db",
		"parameters":             "sqlite:///tmp/x.db?_pragma=synchronous(OFF)",
		"a folder":               "sqlite://" + t.TempDir(),
		"no database":            "sqlite://" + text,
		"below a file":           "sqlite://" + text + "/x.db",
		"broken":                 "postgres://u:hunter2@ho st/db",
		"broken port":            "postgres://u:hunter2@host:port/db",
		"broken parameter":       "postgres://u:hunter2@host/db?sslmode=perhaps",
		"broken parameter value": "postgres://u:hunter2@host/db?connect_timeout=hunter2",
	} {
		d, err := storage.OpenDurable(t.Context(), address, storage.DurableOptions{})
		switch {
		case err == nil:
			t.Errorf("%s: %q was opened, want an error", name, address)
			_ = d.Close()
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

// TestSQLiteIsSharedByProcesses opens one new file several times at once, as
// processes would: each has its own pools.
func TestSQLiteIsSharedByProcesses(t *testing.T) {
	address := newSQLiteURL(t)
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Go(func() {
			d, err := storage.OpenDurable(t.Context(), address, storage.DurableOptions{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			defer func() { _ = d.Close() }()
			if err := d.Migrate(t.Context()); err != nil {
				t.Errorf("migrate: %v", err)
			}
			for i := range 20 {
				id := string(rune('a'+n)) + string(rune('a'+i))
				if err := d.Grants.Create(t.Context(), grant.Grant{ID: id}); err != nil {
					t.Errorf("create: %v", err)
				}
			}
		})
	}
	wg.Wait()
	d := openURL(t, address, storage.DurableOptions{})
	for n := range 3 {
		for i := range 20 {
			if _, err := d.Grants.ByID(t.Context(), string(rune('a'+n))+string(rune('a'+i))); err != nil {
				t.Errorf("a grant of process %d is lost: %v", n, err)
			}
		}
	}
}

// TestSQLiteWhoeverHoldsTheLockTooLong lets another process keep the lock of
// the database: unsure means no, and it passes by itself.
func TestSQLiteWhoeverHoldsTheLockTooLong(t *testing.T) {
	address := sqliteURL(t)
	holder := openURL(t, address, storage.DurableOptions{})
	d := openURL(t, address, storage.DurableOptions{StatementTimeout: 50 * time.Millisecond})
	err := holder.InTx(t.Context(), func(ctx context.Context) error {
		if err := holder.Clients.Create(ctx, client.Client{ID: "a"}); err != nil {
			return err
		}
		if err := d.Clients.Create(t.Context(), client.Client{ID: "b"}); !fault.Is(err, fault.Unavailable) || fault.As(err).RetryAfter == 0 {
			t.Errorf("got %v, want unavailable with a time to retry", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Clients.Create(t.Context(), client.Client{ID: "b"}); err != nil {
		t.Errorf("after the lock was given up: %v", err)
	}
}

func TestSQLiteSurvivesReopening(t *testing.T) {
	address := sqliteURL(t)
	d, err := storage.OpenDurable(t.Context(), address, storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	if err := d.Grants.Create(t.Context(), grant.Grant{ID: "a", CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Ping(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Ping after Close: %v, want unavailable", err)
	}
	g, err := openURL(t, address, storage.DurableOptions{}).Grants.ByID(t.Context(), "a")
	if err != nil || !g.CreatedAt.Equal(now) || g.CreatedAt.Location() != time.UTC {
		t.Errorf("got %v, %v; want %v", g.CreatedAt, err, now)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for name, address := range map[string]string{"sqlite": sqliteURL(t), "postgres": postgresURL(t)} {
		d, err := storage.OpenDurable(t.Context(), address, storage.DurableOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := d.Grants.Create(t.Context(), grant.Grant{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if err := goleak.Find(before); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWorksInFakeTime holds because tests of the whole server let its clock
// jump.
func TestWorksInFakeTime(t *testing.T) {
	address := newSQLiteURL(t)
	synctest.Test(t, func(t *testing.T) {
		d, err := storage.OpenDurable(t.Context(), address, storage.DurableOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		if err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		g := grant.Grant{ID: "a", CodeHash: "code", CodeExpiresAt: time.Now().Add(time.Minute), CreatedAt: time.Now()}
		if err := d.Grants.Create(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		err = d.InTx(t.Context(), func(ctx context.Context) error {
			return d.Grants.Redeem(ctx, grant.Redemption{GrantID: "a", CodeHash: "code", Now: time.Now()})
		})
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("an hour later: %v, want a conflict", err)
		}
	})
}
