package embedded_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/storage"
)

var ctx = context.Background()

var rule = limit.Rule{Name: "login", Max: 5, Window: 15 * time.Minute}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(s *storage.ShortLived, key string, now time.Time) error {
	return s.Flows.Put(ctx, key, flow.Record{Value: []byte(key), Version: 1, ExpiresAt: now.Add(time.Hour)}, now)
}

func claim(s *storage.ShortLived, id string, issued time.Time) error {
	return s.Replay.Claim(ctx, "client", id, issued, issued.Add(time.Hour), issued)
}

func TestRestartForgetsNothing(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "short.db"), time.Now()
	s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: path, Fresh: true})
	must(t, err)
	must(t, put(s, "kept", now))
	must(t, put(s, "taken", now))
	_, err = s.Flows.Take(ctx, "taken", now)
	must(t, err)
	must(t, claim(s, "spent", now))
	for range rule.Max {
		_, err := s.Limits.Take(ctx, rule, "alice", now)
		must(t, err)
	}
	growing := limit.Rule{Name: "growing", Max: 2, Window: time.Minute}.Growing()
	for i := range 3 { // two, and after a pause a third
		_, err := s.Limits.Take(ctx, growing, "alice", now.Add(time.Duration(i/2)*2*time.Minute))
		must(t, err)
	}
	_, err = s.Spreads.Spread(ctx, rule, "here", "alice", now)
	must(t, err)
	_, err = s.Revocations.Rebuild(ctx, nil)
	must(t, err)
	must(t, s.Close())
	must(t, s.Close()) // harmless

	s = open(t, path, false)
	if rec, err := s.Flows.Get(ctx, "kept", now); err != nil || string(rec.Value) != "kept" {
		t.Errorf("what was kept: %q, %v", rec.Value, err)
	}
	if _, err := s.Flows.Get(ctx, "taken", now); !fault.Is(err, fault.NotFound) {
		t.Errorf("what was taken: %v", err)
	}
	if err := claim(s, "spent", now); !fault.Is(err, fault.Conflict) {
		t.Errorf("what was spent: %v", err)
	}
	if err := claim(s, "new", now); err != nil {
		t.Errorf("issued before the restart, not spent: %v", err)
	}
	if r, err := s.Limits.Take(ctx, rule, "alice", now.Add(time.Second)); err != nil || r.Allowed {
		t.Errorf("a counter that was full: %+v, %v", r, err)
	}
	allowed := 0
	for range 5 {
		r, err := s.Limits.Take(ctx, growing, "alice", now.Add(4*time.Minute))
		must(t, err)
		if r.Allowed {
			allowed++
		}
	}
	if allowed != 1 { // of four in eight minutes
		t.Errorf("%d attempts after three that were counted before the restart, want 1", allowed)
	}
	if n, err := s.Spreads.Spread(ctx, rule, "here", "ben", now); err != nil || n != 2 {
		t.Errorf("a spread of one, and another: %d, %v; want 2", n, err)
	}
	if _, err := s.Revocations.Head(ctx); !fault.Is(err, fault.NotFound) {
		t.Errorf("the live set must be rebuilt after a restart: %v", err)
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: filepath.Join(t.TempDir(), "short.db")})
	must(t, err)
	_, err = s.Revocations.Rebuild(ctx, nil)
	must(t, err)
	must(t, s.Close())
	now := time.Now()
	_, get := s.Flows.Get(ctx, "k", now)
	_, take := s.Flows.Take(ctx, "k", now)
	_, count := s.Limits.Take(ctx, rule, "nobody", now)
	_, spread := s.Spreads.Spread(ctx, rule, "k", "m", now)
	_, spreads := s.Spreads.Spreads(ctx, []limit.Spot{{Rule: rule, Key: "k"}}, now)
	_, head := s.Revocations.Head(ctx)
	_, add := s.Revocations.Append(ctx, revocation.Entry{Kind: revocation.Token, ID: "t", ExpiresAt: now})
	for name, err := range map[string]error{
		"Put": put(s, "k", now), "Get": get, "Take": take, "Claim": claim(s, "id", now.Add(time.Hour)),
		"Limits": count, "Spread": spread, "Spreads": spreads, "Head": head, "Append": add, "Ping": s.Ping(ctx),
	} {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s after Close: %v, want unavailable", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	must(t, os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 1000)), 0o600))
	for name, opts := range map[string]storage.Options{
		"neither URL nor path": {},
		"a folder":             {EmbeddedPath: dir},
		"a path below a file":  {EmbeddedPath: filepath.Join(garbage, "short.db")},
		"another kind of file": {EmbeddedPath: garbage},
		"a bad Redis URL":      {RedisURL: "redis://"},
	} {
		if s, err := storage.OpenShortLived(ctx, opts); err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close()
		}
	}
}

func TestFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "short.db")
	s := open(t, path, true)
	must(t, put(s, "k", time.Now()))
	files, err := filepath.Glob(path + "*")
	must(t, err)
	for _, f := range append(files, filepath.Dir(path)) {
		info, err := os.Stat(f)
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", filepath.Base(f), info.Mode())
		}
	}
}

func TestDeletedFileRefusesWhatItMayHaveSeen(t *testing.T) {
	path, issued := filepath.Join(t.TempDir(), "short.db"), time.Now()
	s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: path, Fresh: true})
	must(t, err)
	must(t, claim(s, "spent", issued))
	must(t, s.Close())
	files, err := filepath.Glob(path + "*")
	must(t, err)
	for _, f := range files {
		must(t, os.Remove(f))
	}
	s = open(t, path, false)
	if err := claim(s, "spent", issued); !fault.Is(err, fault.Conflict) {
		t.Errorf("spent before the file was lost: %v", err)
	}
	if err := claim(s, "new", time.Now().Add(time.Second)); err != nil {
		t.Errorf("issued after the file was made: %v", err)
	}
}

func TestBusyFileIsUnavailableAndComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "short.db")
	s := open(t, path, true)
	now := time.Now()
	must(t, put(s, "k", now))
	other, err := sql.Open("sqlite", path)
	must(t, err)
	defer func() { _ = other.Close() }()
	conn, err := other.Conn(ctx)
	must(t, err)
	_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	must(t, err)
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if _, err := s.Flows.Take(short, "k", now); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Take while another holds the file: %v, want unavailable", err)
	}
	if err := s.Replay.Claim(short, "n", "id", now, now.Add(time.Hour), now); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Claim while another holds the file: %v, want unavailable", err)
	}
	_, err = conn.ExecContext(ctx, "ROLLBACK")
	must(t, err)
	if err := put(s, "after", now); err != nil {
		t.Errorf("after the file is free: %v", err)
	}
	if _, err := s.Flows.Get(ctx, "after", now); err != nil {
		t.Errorf("after the file is free: %v", err)
	}
}

// A shell command revokes beside the running server: two processes, one file.
func TestSecondProcessRevokes(t *testing.T) {
	dir := t.TempDir()
	db, err := storage.OpenDurable(ctx, "sqlite://"+filepath.Join(dir, "main.db"), storage.DurableOptions{})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.Migrate(ctx))
	process := func() *revocation.Service {
		short := open(t, filepath.Join(dir, "short.db"), false)
		return revocation.New(db.Revocations, short.Revocations, db, revocation.Config{})
	}
	wantRevoked := func(s *revocation.Service, jti string, want bool) {
		t.Helper()
		got, _, err := s.Check(ctx, revocation.Facts{JTI: jti})
		if err != nil || got != want {
			t.Errorf("Check(%s) = %v, %v; want %v", jti, got, err, want)
		}
	}
	revoke := func(s *revocation.Service, jti string) {
		t.Helper()
		must(t, s.Revoke(ctx, func(context.Context) ([]revocation.Entry, error) {
			return []revocation.Entry{{Kind: revocation.Token, ID: jti, ExpiresAt: time.Now().Add(time.Hour)}}, nil
		}))
	}
	server := process()
	revoke(server, "by the server")
	wantRevoked(server, "by the server", true)
	for i := range 3 {
		shell, jti := process(), fmt.Sprintf("by the shell %d", i)
		wantRevoked(server, jti, false)
		revoke(shell, jti)
		wantRevoked(server, jti, true)
		wantRevoked(shell, "by the server", true)
	}
	revoke(server, "later")
	wantRevoked(process(), "later", true)
	wantRevoked(server, "other", false)
}

func TestCountersAreWrittenBehindAndReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, now := filepath.Join(t.TempDir(), "short.db"), time.Now()
		s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: path, Fresh: true})
		must(t, err)
		defer func() { must(t, s.Close()) }()
		for range rule.Max {
			_, err := s.Limits.Take(ctx, rule, "alice", now)
			must(t, err)
		}
		time.Sleep(2 * time.Second)
		// Another process, or this one after kill -9.
		other, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: path})
		must(t, err)
		defer func() { must(t, other.Close()) }()
		if r, err := other.Limits.Take(ctx, rule, "alice", now); err != nil || r.Allowed {
			t.Errorf("two seconds later: %+v, %v; want refused", r, err)
		}
	})
}

func TestExpiredRowsLeaveTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "short.db")
		s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: path, Fresh: true})
		must(t, err)
		defer func() { must(t, s.Close()) }()
		for i := range 300 {
			must(t, put(s, fmt.Sprint(i), time.Now()))
			must(t, claim(s, fmt.Sprint(i), time.Now()))
		}
		time.Sleep(4 * time.Hour)
		must(t, put(s, "new", time.Now()))
		other, err := sql.Open("sqlite", path)
		must(t, err)
		defer func() { _ = other.Close() }()
		var flows, spent int
		must(t, other.QueryRow(`SELECT (SELECT count(*) FROM flow), (SELECT count(*) FROM spent)`).Scan(&flows, &spent))
		if flows != 1 || spent != 0 {
			t.Errorf("%d flows and %d spent ids are left, want 1 and 0", flows, spent)
		}
	})
}

// kill -9

const childVariable = "PORTICO_EMBEDDED_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

// child works until it is killed and says what was acknowledged.
func child(path string) {
	s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: path, Fresh: true})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	now := time.Now()
	for worker := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d", worker, i)
				if put(s, key, now) == nil {
					fmt.Printf("put %s\n", key)
				}
				if claim(s, key, now) == nil {
					fmt.Printf("claim %s\n", key)
				}
				if i%2 == 0 {
					if _, err := s.Flows.Take(ctx, key, now); err == nil {
						fmt.Printf("take %s\n", key)
					}
				}
			}
		}()
	}
	select {}
}

func TestKillForgetsNothingThatWasAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "short.db")
	put, claimed, taken := map[string]bool{}, map[string]bool{}, map[string]bool{}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		what, key, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "put":
			put[key] = true
		case "claim":
			claimed[key] = true
		case "take":
			taken[key] = true
		default:
			t.Errorf("the child says %q", lines.Text())
		}
		if n == 3000 {
			must(t, cmd.Process.Kill()) // and read what was said before
		}
	}
	_ = cmd.Wait()
	if len(taken) < 100 || len(claimed) < 100 {
		t.Fatalf("the child acknowledged %d takes and %d claims only", len(taken), len(claimed))
	}

	s := open(t, path, false)
	now := time.Now()
	for key := range taken {
		if _, err := s.Flows.Take(ctx, key, now); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s was taken before the kill, and again: %v", key, err)
		}
	}
	for key := range claimed {
		if err := claim(s, key, now); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s was claimed before the kill, and again: %v", key, err)
		}
	}
	odd := 0
	for key := range put {
		if taken[key] || evenKey(key) { // an unanswered take may have either outcome
			continue
		}
		odd++
		if _, err := s.Flows.Get(ctx, key, now); err != nil {
			t.Errorf("%s was put before the kill: %v", key, err)
		}
	}
	if odd == 0 {
		t.Error("no put to look for")
	}
}

func evenKey(key string) bool { return strings.ContainsRune("02468", rune(key[len(key)-1])) }

func BenchmarkPutGetTake(b *testing.B) {
	s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: filepath.Join(b.TempDir(), "short.db"), Fresh: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	now, i := time.Now(), 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		key := fmt.Sprint(i)
		if err := put(s, key, now); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Flows.Get(ctx, key, now); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Flows.Take(ctx, key, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHead(b *testing.B) {
	s, err := storage.OpenShortLived(ctx, storage.Options{EmbeddedPath: filepath.Join(b.TempDir(), "short.db"), Fresh: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Revocations.Rebuild(ctx, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Revocations.Head(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
