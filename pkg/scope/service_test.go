package scope_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/scope"
)

func TestStoreIsReadOnceWhileWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{apis: apis()}
		s := scope.NewService(m, scope.Config{Issuer: issuer})
		ask := scope.Ask{Client: shop(), Scopes: []string{"orders:read"}, Machine: true}
		for range 100 {
			if _, err := s.Resolve(t.Context(), ask); err != nil {
				t.Fatal(err)
			}
		}
		if m.count() != 1 {
			t.Errorf("%d reads for 100 requests within the TTL, want 1", m.count())
		}
		time.Sleep(2*time.Second - time.Millisecond)
		m.set(errDown)
		if _, err := s.Resolve(t.Context(), ask); err != nil {
			t.Errorf("store down within the TTL: %v, want an answer", err)
		}
		time.Sleep(time.Millisecond)
		if _, err := s.Resolve(t.Context(), ask); !fault.Is(err, fault.Unavailable) {
			t.Errorf("store down after the TTL: %v, want unavailable", err)
		}
		m.set(nil)
		if _, err := s.Resolve(t.Context(), ask); err != nil {
			t.Errorf("store back: %v, want an answer at once", err)
		}
	})
}

func TestEveryQuestionFailsClosed(t *testing.T) {
	s := scope.NewService(&memory{down: errDown}, scope.Config{Issuer: issuer})
	ctx := context.Background()
	if may, err := s.MayIntrospect(ctx, "orders-server", []string{orders}); may || !fault.Is(err, fault.Unavailable) {
		t.Errorf("MayIntrospect = %v, %v; want no answer", may, err)
	}
	if got, err := s.PersonMay(ctx, []string{"orders:admin"}, nil); got != nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("PersonMay = %v, %v; want no answer", got, err)
	}
	if got, err := s.Describe(ctx, []string{"openid"}); got != nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("Describe = %v, %v; want no answer", got, err)
	}
	if got, _, err := s.ForDynamic(ctx); got != nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("ForDynamic = %v, %v; want no answer", got, err)
	}
	if got, err := s.All(ctx); got != nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("All = %v, %v; want no answer", got, err)
	}
}

func TestHerdReadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{apis: apis(), wait: make(chan struct{})}
		s := scope.NewService(m, scope.Config{Issuer: issuer})
		impatient, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.All(impatient); !errors.Is(err, context.Canceled) {
				t.Errorf("who gave up got %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() {
				if got, err := s.All(t.Context()); err != nil || len(got) != 3 {
					t.Errorf("All = %d APIs, %v", len(got), err)
				}
			})
		}
		synctest.Wait()
		cancel() // the one that began the read gives up; the others must not suffer
		synctest.Wait()
		close(m.wait)
		wg.Wait()
		if m.count() != 1 {
			t.Errorf("%d reads for 21 callers at once, want 1", m.count())
		}
	})
}

func TestChangeIsSeenAtOnce(t *testing.T) {
	s := scope.NewService(&memory{}, scope.Config{Issuer: issuer})
	ctx := context.Background()
	if got, _ := s.All(ctx); len(got) != 0 {
		t.Fatalf("All = %v, want none", got)
	}
	made, err := s.Create(ctx, scope.API{Audience: orders, Scopes: []scope.Scope{{Name: "orders:read"}}})
	if err != nil || made.Format != scope.JWT || made.CreatedAt.IsZero() {
		t.Fatalf("Create = %+v, %v; want defaults filled", made, err)
	}
	if got, _ := s.All(ctx); len(got) != 1 {
		t.Errorf("after Create: %v", got)
	}
	made.Name = "Orders"
	if err := s.Update(ctx, made); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.All(ctx); len(got) != 1 || got[0].Name != "Orders" {
		t.Errorf("after Update: %v", got)
	}
	if err := s.Delete(ctx, orders); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.All(ctx); len(got) != 0 {
		t.Errorf("after Delete: %v", got)
	}
	if err := s.Delete(ctx, orders); !fault.Is(err, fault.NotFound) {
		t.Errorf("second Delete: %v, want not found", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	good := scope.API{Audience: orders, Scopes: []scope.Scope{{Name: "orders:read"}}}
	tests := map[string]func(*scope.API){
		"no audience":                func(a *scope.API) { a.Audience = "" },
		"audience relative":          func(a *scope.API) { a.Audience = "/orders" },
		"audience with fragment":     func(a *scope.API) { a.Audience = orders + "#x" },
		"audience with blank":        func(a *scope.API) { a.Audience = "https://orders.example.test/a b" },
		"audience with user-info":    func(a *scope.API) { a.Audience = "https://u@orders.example.test" },
		"audience too long":          func(a *scope.API) { a.Audience = orders + "/" + strings.Repeat("a", 512) },
		"audience of the issuer":     func(a *scope.API) { a.Audience = issuer },
		"name with a line break":     func(a *scope.API) { a.Name = "a\nb" },
		"name not UTF-8":             func(a *scope.API) { a.Name = "\xff" },
		"name too long":              func(a *scope.API) { a.Name = strings.Repeat("n", 241) },
		"format":                     func(a *scope.API) { a.Format = "saml" },
		"negative life":              func(a *scope.API) { a.TokenTTL = -time.Second },
		"life above a day":           func(a *scope.API) { a.TokenTTL = 25 * time.Hour },
		"scope of Portico":           func(a *scope.API) { a.Scopes[0].Name = "email" },
		"scope twice":                func(a *scope.API) { a.Scopes = append(a.Scopes, a.Scopes[0]) },
		"scope empty":                func(a *scope.API) { a.Scopes[0].Name = "" },
		"scope with blank":           func(a *scope.API) { a.Scopes[0].Name = "orders read" },
		"scope with quote":           func(a *scope.API) { a.Scopes[0].Name = `orders"` },
		"description too long":       func(a *scope.API) { a.Scopes[0].Description = strings.Repeat("d", 241) },
		"description with an escape": func(a *scope.API) { a.Scopes[0].Description = "a\x1b[31m" },
		"too many scopes":            func(a *scope.API) { a.Scopes = make([]scope.Scope, 101) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			a := good
			a.Scopes = []scope.Scope{good.Scopes[0]}
			spoil(&a)
			m := &memory{}
			_, err := scope.NewService(m, scope.Config{Issuer: issuer}).Create(context.Background(), a)
			if !fault.Is(err, fault.Invalid) || len(m.apis) != 0 {
				t.Errorf("Create(%+v) = %v and kept %d; want refused", a, err, len(m.apis))
			}
		})
	}
}
