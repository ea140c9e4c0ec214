package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/scope"
)

// APIs checks a scope.Store.
func APIs(t *testing.T, open OpenDurable) {
	api := func(audience string, scopes ...string) scope.API {
		a := scope.API{Audience: audience, CreatedAt: epoch}
		for _, s := range scopes {
			a.Scopes = append(a.Scopes, scope.Scope{Name: s})
		}
		return a
	}

	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).APIs
		var a scope.API
		fill(t, &a)
		must(t, s.Create(t.Context(), a))
		got, err := s.All(t.Context())
		must(t, err)
		same(t, "All", got, []scope.API{a})
	})

	t.Run("in the order of creation", func(t *testing.T) {
		s := open(t).APIs
		for i, audience := range []string{"https://z.example", "https://a.example", "https://m.example"} {
			a := api(audience)
			a.CreatedAt = epoch.Add(time.Duration(i) * time.Second)
			must(t, s.Create(t.Context(), a))
		}
		got, err := s.All(t.Context())
		must(t, err)
		if len(got) != 3 || got[0].Audience != "https://z.example" || got[2].Audience != "https://m.example" {
			t.Errorf("All = %+v, want z, a, m", got)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		s := open(t).APIs
		must(t, s.Create(t.Context(), api("https://a.example", "orders:read", "orders:write")))
		must(t, s.Create(t.Context(), api("https://b.example", "stock:read")))
		tests := map[string]struct {
			err  error
			want fault.Kind
		}{
			"a taken audience":             {s.Create(t.Context(), api("https://a.example", "new")), fault.Conflict},
			"another's scope":              {s.Create(t.Context(), api("https://c.example", "new", "orders:read")), fault.Conflict},
			"a scope named twice":          {s.Create(t.Context(), api("https://c.example", "new", "new")), fault.Conflict},
			"no audience":                  {s.Create(t.Context(), api("", "new")), fault.Invalid},
			"a scope without a name":       {s.Create(t.Context(), api("https://c.example", "")), fault.Invalid},
			"an update to another's scope": {s.Update(t.Context(), api("https://b.example", "orders:write")), fault.Conflict},
			"an update of none":            {s.Update(t.Context(), api("https://c.example", "new")), fault.NotFound},
			"an update without a name":     {s.Update(t.Context(), api("")), fault.NotFound},
			"a removal of none":            {s.Delete(t.Context(), "https://c.example"), fault.NotFound},
			"a removal of a NUL":           {s.Delete(t.Context(), "https://a.example\x00"), fault.NotFound},
		}
		for name, tt := range tests {
			wantKind(t, name, tt.err, tt.want)
		}
		got, err := s.All(t.Context())
		must(t, err)
		same(t, "after the refusals", got, []scope.API{api("https://a.example", "orders:read", "orders:write"), api("https://b.example", "stock:read")})
	})

	t.Run("a scope that an API gave up is free", func(t *testing.T) {
		s := open(t).APIs
		must(t, s.Create(t.Context(), api("https://a.example", "x", "y")))
		must(t, s.Update(t.Context(), api("https://a.example", "y", "z")))
		must(t, s.Create(t.Context(), api("https://b.example", "x")))
		must(t, s.Delete(t.Context(), "https://a.example"))
		must(t, s.Create(t.Context(), api("https://c.example", "y", "z")))
	})

	t.Run("one of many gets a scope", func(t *testing.T) {
		s := open(t).APIs
		if won := race(t, fault.Conflict, func(n int) error {
			return s.Create(t.Context(), api(fmt.Sprintf("https://%d.example", n), "own:"+fmt.Sprint(n), "shared"))
		}); won != 1 {
			t.Errorf("%d APIs own the scope, want 1", won)
		}
		if got, err := s.All(t.Context()); err != nil || len(got) != 1 {
			t.Errorf("%d APIs are left, %v; want 1", len(got), err)
		}
	})
}
