package flow_test

import (
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/secret"
)

func zero() *int { n := 0; return &n }

func request() flow.Request {
	return flow.Request{
		ClientID: "shop", RedirectURI: "https://shop.test/cb", RedirectURISent: true, ResponseType: "code",
		ResponseMode: "query", State: "state-of-the-shop", Scopes: []string{"openid", "email"},
		Audiences: []string{"https://id.test"}, Nonce: "nonce-of-the-shop", Prompt: []string{"login"}, MaxAge: zero(),
		LoginHint: "alice@example.com", UILocales: []string{"de"}, HintSubject: "u-alice",
		Params: url.Values{"client_id": {"shop"}, "resource": {"https://a.test", "https://b.test"}, "id_token_hint": {"eyJhbGciOi.hint.sig"}},
	}
}

func begun(t *testing.T, s *flow.Service, browser string) *flow.Flow {
	t.Helper()
	f := s.Begin(browser, request())
	if err := s.Save(t.Context(), f); err != nil {
		t.Fatalf("Save: %v", err)
	}
	return f
}

func TestFlowComesBackAsItWas(t *testing.T) {
	s, browser := service(t, newMemory()), secret.New(secret.BrowserCookie)
	f := begun(t, s, browser)
	f.UserID, f.SessionID, f.FreshLogin, f.Step = "u-alice", "sid", true, "consent"
	if err := s.Save(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(t.Context(), f.ID, browser)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != f.ID || got.Version != 2 || !got.Saved || !got.CreatedAt.Equal(f.CreatedAt) || !got.ExpiresAt.Equal(f.ExpiresAt) {
		t.Errorf("Load = %+v, want %+v", got, f)
	}
	if !reflect.DeepEqual(got.Request, f.Request) || got.UserID != "u-alice" || got.SessionID != "sid" || !got.FreshLogin || got.Step != "consent" {
		t.Errorf("Load = %+v, want %+v", got, f)
	}
}

func TestLoadRefuses(t *testing.T) {
	s, browser := service(t, newMemory()), secret.New(secret.BrowserCookie)
	f := begun(t, s, browser)
	parked, err := s.Park(t.Context(), url.Values{"client_id": {"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		id, browser string
		kind        fault.Kind
	}{
		"another browser":        {f.ID, secret.New(secret.BrowserCookie), fault.Denied},
		"no browser cookie":      {f.ID, "", fault.Denied},
		"browser cookie altered": {f.ID, browser + "x", fault.Denied},
		"no id":                  {"", browser, fault.NotFound},
		"an id nobody made":      {secret.New(secret.FlowID), browser, fault.NotFound},
		"id altered":             {f.ID[:len(f.ID)-1] + "!", browser, fault.NotFound},
		"id of a parked request": {parked, browser, fault.NotFound},
		"id of another kind":     {secret.New(secret.SessionCookie), browser, fault.NotFound},
		"id a thousand times":    {strings.Repeat(f.ID, 1000), browser, fault.NotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := s.Load(t.Context(), tt.id, tt.browser)
			if fault.KindOf(err) != tt.kind || got != nil {
				t.Errorf("Load = %v, %v; want nothing, kind %v", got, err, tt.kind)
			}
			if f := fault.As(err); f.Rule == "" || f.Code == "" {
				t.Errorf("refusal %+v names no rule", f)
			}
		})
	}
	if _, err := s.Load(t.Context(), f.ID, browser); err != nil {
		t.Errorf("the right browser afterwards: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, browser := service(t, newMemory()), secret.New(secret.BrowserCookie)
		f := begun(t, s, browser)
		time.Sleep(30*time.Minute - time.Second)
		if _, err := s.Load(t.Context(), f.ID, browser); err != nil {
			t.Fatalf("before its end: %v", err)
		}
		time.Sleep(time.Second)
		got, err := s.Load(t.Context(), f.ID, browser)
		if !fault.Is(err, fault.Gone) || got == nil || got.Request.ClientID != "shop" {
			t.Errorf("at its end: %v, %v; want gone, with the flow for the way back", got, err)
		}
		if got, err := s.Load(t.Context(), f.ID, secret.New(secret.BrowserCookie)); !fault.Is(err, fault.Denied) || got != nil {
			t.Errorf("at its end, another browser: %v, %v; want denied", got, err)
		}
		time.Sleep(24 * time.Hour)
		if got, err := s.Load(t.Context(), f.ID, browser); !fault.Is(err, fault.NotFound) || got != nil {
			t.Errorf("a day later: %v, %v; want unknown", got, err)
		}
	})
}

func TestSavingDoesNotProlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, browser := service(t, newMemory()), secret.New(secret.BrowserCookie)
		f := begun(t, s, browser)
		for range 6 {
			time.Sleep(5 * time.Minute)
			if err := s.Save(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Load(t.Context(), f.ID, browser); !fault.Is(err, fault.Gone) {
			t.Errorf("after half an hour of saving: %v, want gone", err)
		}
	})
}

func TestSaveOfAnOldStateConflicts(t *testing.T) {
	s, browser := service(t, newMemory()), secret.New(secret.BrowserCookie)
	f := begun(t, s, browser)
	other, err := s.Load(t.Context(), f.ID, browser)
	if err != nil {
		t.Fatal(err)
	}
	other.Consented = true
	if err := s.Save(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	f.Step = "login"
	if err := s.Save(t.Context(), f); !fault.Is(err, fault.Conflict) {
		t.Errorf("Save of the older = %v, want a conflict", err)
	}
	if f.Version != 1 {
		t.Errorf("a failed Save moved the version to %d", f.Version)
	}
	if got, _ := s.Load(t.Context(), f.ID, browser); !got.Consented || got.Step != "" {
		t.Errorf("the older overwrote the newer: %+v", got)
	}
}

func TestOneOfFiftyEndsTheFlow(t *testing.T) {
	s, browser := service(t, newMemory()), secret.New(secret.BrowserCookie)
	f := begun(t, s, browser)
	var won atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 50 {
		mine, err := s.Load(t.Context(), f.ID, browser)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			<-start
			switch err := s.Done(t.Context(), mine); {
			case err == nil:
				won.Add(1)
			case !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "flow_over":
				t.Errorf("loser got %v, want the conflict flow_over", err)
			}
		})
	}
	close(start)
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d requests ended the flow, want 1", won.Load())
	}
	if got, err := s.Load(t.Context(), f.ID, browser); !fault.Is(err, fault.Gone) || got == nil || got.DoneAt.IsZero() {
		t.Errorf("afterwards: %v, %v; want gone, with the flow", got, err)
	}
}

func TestDoneTwiceInOneRequest(t *testing.T) {
	s := service(t, newMemory())
	for name, f := range map[string]*flow.Flow{
		"saved":   begun(t, s, secret.New(secret.BrowserCookie)),
		"unsaved": s.Begin("", request()),
	} {
		if err := s.Done(t.Context(), f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.Done(t.Context(), f); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s, again: %v, want a conflict", name, err)
		}
	}
}

func TestReopenedFlowCanBeAnswered(t *testing.T) {
	s, browser := service(t, newMemory()), secret.New(secret.BrowserCookie)
	f := begun(t, s, browser)
	stale, err := s.Load(t.Context(), f.ID, browser)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Done(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), f.ID, browser); err != nil {
		t.Errorf("Load of the reopened: %v", err)
	}
	if err := s.Done(t.Context(), stale); !fault.Is(err, fault.Conflict) {
		t.Errorf("who lost before ends it now: %v, want a conflict", err)
	}
	if err := s.Done(t.Context(), f); err != nil {
		t.Errorf("the winner ends it again: %v", err)
	}
}

func TestUnsavedFlowTouchesNoStore(t *testing.T) {
	m := newMemory()
	m.set(errDown)
	s := service(t, m)
	f := s.Begin(secret.New(secret.BrowserCookie), request())
	if err := s.Done(t.Context(), f); err != nil {
		t.Errorf("Done of an unsaved flow: %v", err)
	}
	if err := s.Reopen(t.Context(), f); err != nil || !f.DoneAt.IsZero() {
		t.Errorf("Reopen of an unsaved flow: %v", err)
	}
}

func TestStoreDown(t *testing.T) {
	m := newMemory()
	s, browser := service(t, m), secret.New(secret.BrowserCookie)
	f := begun(t, s, browser)
	parked, err := s.Park(t.Context(), url.Values{"a": {"b"}})
	if err != nil {
		t.Fatal(err)
	}
	m.set(errDown)
	if err := s.Save(t.Context(), f); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Save = %v, want unavailable", err)
	}
	if err := s.Done(t.Context(), f); !fault.Is(err, fault.Unavailable) || !f.DoneAt.IsZero() {
		t.Errorf("Done = %v (done at %v), want unavailable and still open", err, f.DoneAt)
	}
	if _, err := s.Load(t.Context(), f.ID, browser); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Load = %v, want unavailable", err)
	}
	if _, err := s.Park(t.Context(), url.Values{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Park = %v, want unavailable", err)
	}
	if _, err := s.Unpark(t.Context(), parked); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Unpark = %v, want unavailable", err)
	}
	m.set(nil)
	if _, err := s.Load(t.Context(), f.ID, browser); err != nil {
		t.Errorf("Load afterwards = %v", err)
	}
	if _, err := s.Unpark(t.Context(), parked); err != nil {
		t.Errorf("Unpark afterwards = %v", err)
	}
}

func TestDumpOfTheStoreShowsNothing(t *testing.T) {
	m := newMemory()
	s, browser := service(t, m), secret.New(secret.BrowserCookie)
	f := begun(t, s, browser)
	id, err := s.Park(t.Context(), url.Values{"id_token_hint": {"eyJhbGciOi.hint.sig"}, "login_hint": {"alice@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	dump := m.dump()
	for _, secret := range []string{f.ID, id, browser, f.Browser, "alice", "eyJhbGciOi", "state-of-the-shop", "nonce-of-the-shop", "shop.test"} {
		if strings.Contains(dump, secret) {
			t.Errorf("the store shows %q", secret)
		}
	}
}

// A record moved under another key, or altered, does not open.
func TestRecordsAreBoundToTheirID(t *testing.T) {
	m := newMemory()
	s, browser := service(t, m), secret.New(secret.BrowserCookie)
	mine, other := begun(t, s, browser), begun(t, s, browser)
	m.mu.Lock()
	var keys []string
	for key := range m.records {
		keys = append(keys, key)
	}
	m.records[keys[0]], m.records[keys[1]] = m.records[keys[1]], m.records[keys[0]]
	m.mu.Unlock()
	for _, f := range []*flow.Flow{mine, other} {
		if got, err := s.Load(t.Context(), f.ID, browser); err == nil || got != nil {
			t.Errorf("Load of an exchanged record = %v, %v; want an error", got, err)
		}
	}
}
