package redisstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/replay"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/throwaway"
)

var ctx = context.Background()

// ask calls every method once and returns the errors by name.
func ask(s *storage.ShortLived) map[string]error {
	now := time.Now()
	rule := limit.Rule{Name: "r", Max: 1000, Window: time.Minute}
	errs := map[string]error{}
	errs["Put"] = s.Flows.Put(ctx, now.String(), flow.Record{Version: 1, ExpiresAt: now.Add(time.Hour)}, now)
	_, errs["Get"] = s.Flows.Get(ctx, "k", now)
	_, errs["Flows.Take"] = s.Flows.Take(ctx, "k", now)
	_, errs["Limits.Take"] = s.Limits.Take(ctx, rule, "k", now)
	errs["Give"] = s.Limits.Give(ctx, rule, "k", now)
	errs["Reset"] = s.Limits.Reset(ctx, rule, "k")
	_, errs["Spread"] = s.Spreads.Spread(ctx, rule, "k", "m", now)
	_, errs["Spreads"] = s.Spreads.Spreads(ctx, []limit.Spot{{Rule: rule, Key: "k"}, {Rule: rule, Key: "other"}}, now)
	errs["Claim"] = s.Replay.Claim(ctx, "n", now.String(), now.Add(time.Hour), now.Add(2*time.Hour), now)
	_, errs["Head"] = s.Revocations.Head(ctx)
	_, _, _, errs["Since"] = s.Revocations.Since(ctx, "")
	_, errs["Append"] = s.Revocations.Append(ctx, revocation.Entry{Kind: revocation.Token, ID: "t", ExpiresAt: now.Add(time.Hour)})
	_, errs["Rebuild"] = s.Revocations.Rebuild(ctx, nil)
	errs["Ping"] = s.Ping(ctx)
	return errs
}

func TestServerThatIsAwayIsUnavailableAndComesBack(t *testing.T) {
	server := throwaway.NewRedis(t, throwaway.RedisOptions{AppendOnly: true})
	s := open(t, server.URL(), true)
	for round := range 2 {
		for method, err := range ask(s) {
			if fault.Is(err, fault.Unavailable) {
				t.Errorf("round %d, %s: %v", round, method, err)
			}
		}
		server.Kill()
		begun := time.Now()
		for method, err := range ask(s) {
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("round %d, %s without a server: %v, want unavailable", round, method, err)
			}
			if f := fault.As(err); strings.Contains(f.Say, "127.0.0.1") || strings.Contains(f.Say, "dial") {
				t.Errorf("%s tells the caller %q", method, f.Say)
			}
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("14 calls without a server took %s", took)
		}
		server.Start()
		// After as many failures as it has connections the client looks once a
		// second whether the server is back.
		eventually(t, "the server is found again", func() bool { return s.Ping(ctx) == nil })
	}
}

func TestOpeningNeedsNoServer(t *testing.T) {
	server := throwaway.Redis(t)
	server.Stop()
	s := open(t, server.URL(), true)
	if err := s.Ping(ctx); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Ping = %v", err)
	}
	server.Start()
	if err := s.Ping(ctx); err != nil {
		t.Errorf("Ping = %v", err)
	}
	now := time.Now()
	if err := s.Replay.Claim(ctx, "client", "id", now, now.Add(time.Minute), now); err != nil {
		t.Errorf("the first assertion of a fresh installation: %v", err)
	}
}

func TestSilentServerDoesNotHoldUp(t *testing.T) {
	server := throwaway.Redis(t)
	s := open(t, server.URL(), true)
	command(t, server.Addr(), "CLIENT", "PAUSE", 60_000)
	begun := time.Now()
	if _, err := s.Flows.Take(ctx, "k", begun); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Take = %v", err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("a silent server held a call up for %s", took)
	}
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	begun = time.Now()
	if _, err := s.Flows.Get(short, "k", begun); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Get = %v", err)
	}
	if took := time.Since(begun); took > 400*time.Millisecond {
		t.Errorf("a context of 50 ms ended after %s", took)
	}
}

func TestLostAnswerIsNotAskedForTwice(t *testing.T) {
	server := throwaway.Redis(t)
	p := newProxy(t, server.Addr())
	s, direct := open(t, p.URL(), true), open(t, server.URL(), true)
	_ = ask(direct) // from here on the server knows every script
	now := time.Now()
	rec := flow.Record{Version: 1, ExpiresAt: now.Add(time.Hour)}
	rule := limit.Rule{Name: "lost", Max: 10, Window: time.Minute}
	if err := direct.Flows.Put(ctx, "taken", rec, now); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Put":   func() error { return s.Flows.Put(ctx, "put", rec, now) },
		"Take":  func() error { _, err := s.Flows.Take(ctx, "taken", now); return err },
		"Claim": func() error { return s.Replay.Claim(ctx, "n", "id", now, now.Add(time.Minute), now) },
		"Limit": func() error { _, err := s.Limits.Take(ctx, rule, "k", now); return err },
	} {
		if err := s.Ping(ctx); err != nil { // so that a connection stands
			t.Fatal(err)
		}
		p.lose(1) // a second try would be answered
		if err := call(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s with its answer lost: %v, want unavailable", name, err)
		}
	}
	// Each was carried out, once.
	if _, err := direct.Flows.Get(ctx, "put", now); err != nil {
		t.Errorf("what was put: %v", err)
	}
	if _, err := direct.Flows.Take(ctx, "taken", now); !fault.Is(err, fault.NotFound) {
		t.Errorf("what was taken: %v", err)
	}
	if err := direct.Replay.Claim(ctx, "n", "id", now, now.Add(time.Minute), now); !fault.Is(err, fault.Conflict) {
		t.Errorf("what was claimed: %v", err)
	}
	if r, err := direct.Limits.Take(ctx, rule, "k", now); err != nil || r.Remaining != rule.Max-2 {
		t.Errorf("one attempt was counted as %+v, %v", r, err)
	}
}

func TestKeysSayNothing(t *testing.T) {
	server := throwaway.Redis(t)
	s := open(t, server.URL(), true)
	now := time.Now()
	secrets := []string{"ptf_verysecret", "alice@example.com", "jti-of-an-assertion", "Winter-2026"}
	if err := s.Flows.Put(ctx, secrets[0], flow.Record{Value: []byte("v"), Version: 1, ExpiresAt: now.Add(time.Hour)}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Limits.Take(ctx, limit.Rule{Name: "login", Max: 3, Window: time.Minute}, secrets[1], now); err != nil {
		t.Fatal(err)
	}
	if err := s.Replay.Claim(ctx, "client", secrets[2], now, now.Add(time.Minute), now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Spreads.Spread(ctx, limit.Rule{Name: "spread", Max: 3, Window: time.Minute}, secrets[3], secrets[1], now); err != nil {
		t.Fatal(err)
	}
	spread := 0
	keys := command(t, server.Addr(), "KEYS", "*").([]any)
	dump := fmt.Sprint(keys)
	for _, k := range keys {
		if !strings.HasPrefix(k.(string), "portico:") {
			t.Errorf("key %q has no prefix", k)
		}
		dump += fmt.Sprint(command(t, server.Addr(), "DUMP", k))
	}
	for _, secret := range secrets {
		if strings.Contains(dump, secret) {
			t.Errorf("%q is to be read in the dump", secret)
		}
	}
	for _, k := range keys {
		kind := command(t, server.Addr(), "TYPE", k)
		ttl := command(t, server.Addr(), "PTTL", k).(int64)
		ends := kind == "hash"
		if strings.HasPrefix(k.(string), "portico:spread:") {
			ends = true
			spread++
		}
		if ends != (ttl > 0) {
			t.Errorf("%v, a %v, lives for %d ms: flows, counters and spreads end, replay sets do not", k, kind, ttl)
		}
	}
	if spread != 1 {
		t.Errorf("%d spreads are kept, want 1", spread)
	}
}

func TestForeignDataIsNotBelieved(t *testing.T) {
	server := throwaway.Redis(t)
	s := open(t, server.URL(), true)
	_ = ask(s)
	for _, k := range command(t, server.Addr(), "KEYS", "*").([]any) {
		command(t, server.Addr(), "SET", k, "scribble")
	}
	now := time.Now()
	if err := s.Replay.Claim(ctx, "n", "id", now, now.Add(time.Minute), now); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Claim = %v", err)
	}
	if _, err := s.Revocations.Head(ctx); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Head = %v", err)
	}
	server.FlushAll()
	command(t, server.Addr(), "HSET", "portico:{revoked}:set", "head", "nonsense", "etoken", "x", "l0", "y")
	if _, _, _, err := s.Revocations.Since(ctx, ""); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Since = %v", err)
	}
	if _, err := s.Revocations.Append(ctx, revocation.Entry{Kind: revocation.Token, ID: "t", ExpiresAt: now}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Append = %v", err)
	}
}

// epochs of the replay sets

func claims(s replay.Store, id string, issued time.Time) error {
	return s.Claim(ctx, "client", id, issued, issued.Add(5*time.Minute), time.Now())
}

func TestLostReplaySetRefusesWhatItMayHaveSeen(t *testing.T) {
	losses := map[string]func(t *testing.T, server *throwaway.RedisServer){
		"flushed":         func(_ *testing.T, server *throwaway.RedisServer) { server.FlushAll() },
		"restarted empty": func(_ *testing.T, server *throwaway.RedisServer) { server.StartEmpty() },
		"restarted from an older snapshot": func(t *testing.T, server *throwaway.RedisServer) {
			server.Kill() // the snapshot was taken before the claim
			server.Start()
		},
	}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			server := throwaway.Redis(t)
			a, b := open(t, server.URL(), true), open(t, server.URL(), false)
			command(t, server.Addr(), "SAVE")
			issued := time.Now()
			for i := range 50 { // over all buckets
				if err := claims(a.Replay, fmt.Sprint(i), issued); err != nil {
					t.Fatalf("before the loss: %v", err)
				}
			}
			lose(t, server)
			for i := range 50 {
				if err := claims([]replay.Store{a.Replay, b.Replay}[i%2], fmt.Sprint(i), issued); !fault.Is(err, fault.Conflict) {
					t.Errorf("id %d after the loss: %v, want a conflict", i, err)
				}
			}
			fresh := time.Now().Add(time.Millisecond)
			for i := range 50 {
				if err := claims(b.Replay, "new"+fmt.Sprint(i), fresh); err != nil {
					t.Errorf("issued after the loss: %v", err)
				}
				if err := claims(a.Replay, "new"+fmt.Sprint(i), fresh); !fault.Is(err, fault.Conflict) {
					t.Errorf("issued after the loss, again: %v", err)
				}
			}
		})
	}
}

func TestOneRefusalBeginsAllReplaySets(t *testing.T) {
	server := throwaway.Redis(t)
	s := open(t, server.URL(), true)
	server.FlushAll()
	before := time.Now()
	if err := claims(s.Replay, "first", before); !fault.Is(err, fault.Conflict) {
		t.Fatalf("after a flush: %v", err)
	}
	issued := time.Now().Add(time.Millisecond)
	for i := range 64 {
		if err := claims(s.Replay, fmt.Sprint(i), issued); err != nil {
			t.Errorf("bucket of id %d begins at its first claim: %v", i, err)
		}
	}
}

func TestOldInstallationWithAnEmptyReplaySet(t *testing.T) {
	server := throwaway.Redis(t)
	s := open(t, server.URL(), false)
	if err := claims(s.Replay, "id", time.Now().Add(-time.Minute)); !fault.Is(err, fault.Conflict) {
		t.Errorf("issued before the set began: %v", err)
	}
	if err := claims(s.Replay, "id", time.Now()); err != nil {
		t.Errorf("issued after the set began: %v", err)
	}
}

// revocations, with the ledger in SQL

func ledger(t *testing.T) *storage.Durable {
	t.Helper()
	return ledgerFor(t)
}

func ledgerFor(t testing.TB) *storage.Durable {
	t.Helper()
	d, err := storage.OpenDurable(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "ledger.db"), storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func revoke(t *testing.T, s *revocation.Service, jti string) {
	t.Helper()
	if err := s.Revoke(ctx, func(context.Context) ([]revocation.Entry, error) {
		return []revocation.Entry{{Kind: revocation.Token, ID: jti, ExpiresAt: time.Now().Add(time.Hour)}}, nil
	}); err != nil {
		t.Fatalf("Revoke(%s) = %v", jti, err)
	}
}

func wantRevoked(t *testing.T, s *revocation.Service, jti string, want bool) {
	t.Helper()
	got, _, err := s.Check(ctx, revocation.Facts{JTI: jti, IssuedAt: time.Now()})
	if err != nil || got != want {
		t.Errorf("Check(%s) = %v, %v; want %v", jti, got, err, want)
	}
}

func TestAcknowledgedRevocationsOutliveTheServer(t *testing.T) {
	losses := map[string]func(server *throwaway.RedisServer){
		"flushed":                           func(server *throwaway.RedisServer) { server.FlushAll() },
		"restarted empty":                   func(server *throwaway.RedisServer) { server.StartEmpty() },
		"killed, back with an old snapshot": func(server *throwaway.RedisServer) { server.Kill(); server.Start() },
	}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			server, db := throwaway.Redis(t), ledger(t)
			service := func() *revocation.Service {
				return revocation.New(db.Revocations, open(t, server.URL(), false).Revocations, db, revocation.Config{})
			}
			a, b := service(), service()
			revoke(t, a, "kept")
			wantRevoked(t, b, "kept", true) // b is in step with what the snapshot holds
			command(t, server.Addr(), "SAVE")
			revoke(t, a, "newest")
			lose(server)
			for _, s := range []*revocation.Service{b, a, service()} {
				wantRevoked(t, s, "newest", true)
				wantRevoked(t, s, "kept", true)
				wantRevoked(t, s, "other", false)
				if err := s.Ready(ctx); err != nil {
					t.Errorf("Ready = %v", err)
				}
			}
			revoke(t, b, "after")
			wantRevoked(t, a, "after", true)
		})
	}
}

func TestFailoverToAReplicaThatLacksTheNewest(t *testing.T) {
	master, db := throwaway.NewRedis(t, throwaway.RedisOptions{Settings: map[string]string{"repl-diskless-sync-delay": "0"}}), ledger(t)
	_, port, _ := strings.Cut(master.Addr(), ":")
	replica := throwaway.NewRedis(t, throwaway.RedisOptions{Settings: map[string]string{"replicaof": "127.0.0.1 " + port}})
	name := newProxy(t, master.Addr())
	service := func() *revocation.Service {
		return revocation.New(db.Revocations, open(t, name.URL(), false).Revocations, db, revocation.Config{})
	}
	a, b := service(), service()
	revoke(t, a, "kept")
	wantRevoked(t, b, "kept", true)
	inStep(t, master, replica)
	command(t, replica.Addr(), "REPLICAOF", "NO", "ONE") // promoted, unknown to the master
	revoke(t, a, "lost")
	name.lead(replica.Addr())
	for _, s := range []*revocation.Service{b, a, service()} {
		wantRevoked(t, s, "lost", true)
		wantRevoked(t, s, "kept", true)
	}
	// And back to the old master, which lacks what came after.
	revoke(t, b, "later")
	name.lead(master.Addr())
	command(t, master.Addr(), "REPLICAOF", "NO", "ONE")
	for _, s := range []*revocation.Service{a, b} {
		wantRevoked(t, s, "later", true)
	}
}

// inStep waits until the replica has what the master has.
func inStep(t *testing.T, master, replica *throwaway.RedisServer) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		want := command(t, master.Addr(), "HGET", "portico:{revoked}:set", "head")
		if got := command(t, replica.Addr(), "HGET", "portico:{revoked}:set", "head"); got == want && want != nil {
			return
		}
		<-tick.C
	}
	t.Fatal("the replica did not come into step")
}
