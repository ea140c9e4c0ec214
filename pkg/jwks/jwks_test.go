package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/fault"
)

// party is a stranger with a jwks_uri: what it answers may be changed.
type party struct {
	mu     sync.Mutex
	calls  int
	set    jose.JSONWebKeySet
	raw    []byte
	header http.Header
	err    error
	takes  time.Duration
}

func (p *party) Get(_ context.Context, _, accept string) ([]byte, http.Header, error) {
	p.mu.Lock()
	p.calls++
	raw, set, header, err, takes := p.raw, p.set, p.header, p.err, p.takes
	p.mu.Unlock()
	time.Sleep(takes)
	if accept == "" {
		return nil, nil, errors.New("no Accept header")
	}
	if err != nil {
		return nil, nil, err
	}
	if raw == nil {
		raw, _ = json.Marshal(set)
	}
	return raw, header, nil
}

func (p *party) change(f func(*party)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func (p *party) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

func jwk(kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: ecKey().Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

func setOf(kids ...string) jose.JSONWebKeySet {
	var s jose.JSONWebKeySet
	for _, kid := range kids {
		s.Keys = append(s.Keys, jwk(kid))
	}
	return s
}

const at = "https://client.example/jwks"

// wantKey asks for a kid and checks the kind of the fault, None for a key.
func wantKey(t *testing.T, c *Cache, kid string, want fault.Kind) {
	t.Helper()
	k, err := c.Key(t.Context(), at, kid, "ES256")
	if fault.KindOf(err) != want || want == fault.None && k.KeyID != kid {
		t.Errorf("Key(%q) = %q, %v; want %v", kid, k.KeyID, err, want)
	}
}

func wantCalls(t *testing.T, p *party, want int) {
	t.Helper()
	if got := p.count(); got != want {
		t.Errorf("fetched %d times, want %d", got, want)
	}
}

func TestServesFromMemoryUntilTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{set: setOf("a")}
		c := NewCache(p, Config{TTL: 10 * time.Minute})
		for range 5 {
			wantKey(t, c, "a", fault.None)
			time.Sleep(time.Minute)
		}
		wantCalls(t, p, 1)
		p.change(func(p *party) { p.set = setOf("b") })
		time.Sleep(5 * time.Minute)
		wantKey(t, c, "b", fault.None)
		wantCalls(t, p, 2)
		time.Sleep(time.Minute)
		wantKey(t, c, "a", fault.NotFound) // withdrawn keys are gone
	})
}

func TestHonoursCacheControlWithinBounds(t *testing.T) {
	for control, want := range map[string]time.Duration{
		"":                          15 * time.Minute,
		"max-age=300":               5 * time.Minute,
		"public, Max-Age=\"300\"":   5 * time.Minute,
		"max-age=0":                 time.Minute,
		"no-store":                  time.Minute,
		"no-cache, max-age=600":     time.Minute,
		"max-age=31536000":          15 * time.Minute,
		"max-age=-1":                15 * time.Minute,
		"max-age=99999999999999999": 15 * time.Minute,
		"max-age=banana,,=":         15 * time.Minute,
	} {
		c := NewCache(&party{}, Config{})
		if got := c.life(http.Header{"Cache-Control": {control}}); got != want {
			t.Errorf("life(%q) = %s, want %s", control, got, want)
		}
	}
}

func TestUnknownKidFetchesOncePerFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{set: setOf("a")}
		c := NewCache(p, Config{Floor: 30 * time.Second})
		wantKey(t, c, "a", fault.None)

		p.change(func(p *party) { p.set = setOf("a", "b") }) // rotated
		wantKey(t, c, "b", fault.None)
		wantCalls(t, p, 2)

		for i := range 50 { // a stranger makes up key ids
			wantKey(t, c, fmt.Sprint("made-up-", i), fault.NotFound)
		}
		wantCalls(t, p, 2)
		wantKey(t, c, "a", fault.None)

		time.Sleep(30 * time.Second)
		p.change(func(p *party) { p.set = setOf("c") })
		wantKey(t, c, "c", fault.None)
		wantCalls(t, p, 3)
	})
}

func TestUnknownKidOfAFreshSetIsNotAskedTwice(t *testing.T) {
	p := &party{set: setOf("a")}
	wantKey(t, NewCache(p, Config{}), "x", fault.NotFound)
	wantCalls(t, p, 1)
}

func TestFailureIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{err: errors.New("connection refused by 10.0.0.1")}
		c := NewCache(p, Config{Floor: 30 * time.Second})
		for range 10 {
			wantKey(t, c, "a", fault.Unavailable)
		}
		wantCalls(t, p, 1)
		_, err := c.Key(t.Context(), at, "a", "ES256")
		if f := fault.As(err); f.Cause == nil || f.Say == f.Cause.Error() {
			t.Errorf("cause %v, said %q", f.Cause, f.Say)
		}
		p.change(func(p *party) { p.err, p.set = nil, setOf("a") })
		time.Sleep(29 * time.Second)
		wantKey(t, c, "a", fault.Unavailable)
		time.Sleep(time.Second)
		wantKey(t, c, "a", fault.None)
		wantCalls(t, p, 2)
	})
}

func TestStaleSetServesWhileTheOwnerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{set: setOf("a")}
		c := NewCache(p, Config{TTL: 10 * time.Minute, StaleFor: time.Hour, Floor: 30 * time.Second})
		wantKey(t, c, "a", fault.None)
		p.change(func(p *party) { p.err = errors.New("down") })
		time.Sleep(11 * time.Minute)
		wantKey(t, c, "a", fault.None)
		wantKey(t, c, "a", fault.None)
		wantCalls(t, p, 2) // one try per floor, not one per request
		wantKey(t, c, "new", fault.NotFound)
		wantCalls(t, p, 2)
		time.Sleep(time.Minute)
		wantKey(t, c, "a", fault.None)
		wantCalls(t, p, 3)
		time.Sleep(time.Hour)
		wantKey(t, c, "a", fault.Unavailable) // bounded
		p.change(func(p *party) { p.err = nil })
		time.Sleep(30 * time.Second)
		wantKey(t, c, "a", fault.None)
	})
}

func TestBrokenSetIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{set: setOf("a")}
		c := NewCache(p, Config{TTL: 10 * time.Minute})
		wantKey(t, c, "a", fault.None)
		p.change(func(p *party) { p.raw = []byte(`<html>maintenance</html>`) })
		time.Sleep(11 * time.Minute)
		wantKey(t, c, "a", fault.None) // the last good set stands
	})
}

func TestOneFetchForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{set: setOf("a"), takes: 3 * time.Second}
		c := NewCache(p, Config{})
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { // came first, leaves first, and fails nobody else
			if _, err := c.Key(impatient, at, "a", "ES256"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient Key = %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() { wantKey(t, c, "a", fault.None) })
		}
		wg.Wait()
		wantCalls(t, p, 1)
	})
}

func TestAddressesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &party{set: setOf("a")}
		c := NewCache(p, Config{MaxEntries: 10})
		for i := range 1000 {
			if _, err := c.Set(t.Context(), fmt.Sprintf("https://c%d.example/jwks", i%500)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if len(c.entries) != 10 {
			t.Errorf("%d addresses are remembered, want 10", len(c.entries))
		}
		before := p.count()
		if _, err := c.Set(t.Context(), "https://c499.example/jwks"); err != nil || p.count() != before {
			t.Errorf("the address used last was dropped: %v", err)
		}
	})
}

func TestWithoutKidOnlyAClearKeyServes(t *testing.T) {
	two := setOf("a", "b")
	c := NewCache(&party{set: two}, Config{})
	if _, err := c.Key(t.Context(), at, "", "ES256"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Key without kid among two = %v", err)
	}
	if keys, err := c.Keys(t.Context(), at, "", "ES256"); err != nil || len(keys) != 2 {
		t.Errorf("Keys without kid = %d keys, %v", len(keys), err)
	}
	c = NewCache(&party{set: setOf("a")}, Config{})
	if k, err := c.Key(t.Context(), at, "", "ES256"); err != nil || k.KeyID != "a" {
		t.Errorf("Key without kid of one = %v, %v", k.KeyID, err)
	}
}
