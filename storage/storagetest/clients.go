package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
)

// Clients checks a client.Store.
func Clients(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Clients
		var c client.Client
		fill(t, &c)
		must(t, s.Create(t.Context(), c))
		got, err := s.ByID(t.Context(), c.ID)
		must(t, err)
		same(t, "ByID", got, c)
		if string(got.JWKS) != string(c.JWKS) {
			t.Errorf("JWKS: got %s, want %s byte for byte", got.JWKS, c.JWKS)
		}
	})

	t.Run("an empty client comes back empty", func(t *testing.T) {
		s := open(t).Clients
		must(t, s.Create(t.Context(), client.Client{ID: "bare"}))
		got, err := s.ByID(t.Context(), "bare")
		must(t, err)
		same(t, "ByID", got, client.Client{ID: "bare"})
		if got.DefaultMaxAge != nil {
			t.Errorf("DefaultMaxAge: got %d, want none", *got.DefaultMaxAge)
		}
	})

	t.Run("a max age of zero is not none", func(t *testing.T) {
		s := open(t).Clients
		must(t, s.Create(t.Context(), client.Client{ID: "now", DefaultMaxAge: new(int)}))
		got, err := s.ByID(t.Context(), "now")
		must(t, err)
		if got.DefaultMaxAge == nil || *got.DefaultMaxAge != 0 {
			t.Errorf("DefaultMaxAge: got %v, want 0", got.DefaultMaxAge)
		}
	})

	t.Run("refusals", func(t *testing.T) { clientRefusals(t, open) })

	t.Run("update replaces the whole client but for when it was made", func(t *testing.T) {
		s := open(t).Clients
		var c client.Client
		fill(t, &c)
		must(t, s.Create(t.Context(), c))
		next := client.Client{ID: c.ID, Name: "renamed", CreatedAt: c.CreatedAt, UpdatedAt: epoch.Add(time.Hour)}
		must(t, s.Update(t.Context(), next))
		got, err := s.ByID(t.Context(), c.ID)
		must(t, err)
		same(t, "after the update", got, next)
	})

	t.Run("update leaves others alone", func(t *testing.T) {
		s := open(t).Clients
		must(t, s.Create(t.Context(), client.Client{ID: "a", Name: "first"}))
		must(t, s.Create(t.Context(), client.Client{ID: "b", Name: "second"}))
		must(t, s.Update(t.Context(), client.Client{ID: "b", Name: "changed"}))
		got, err := s.ByID(t.Context(), "a")
		must(t, err)
		if got.Name != "first" {
			t.Errorf("the other client is called %q, want first", got.Name)
		}
	})

	t.Run("one of many with the same id is made", func(t *testing.T) {
		s := open(t).Clients
		if won := race(t, fault.Conflict, func(n int) error {
			return s.Create(t.Context(), client.Client{ID: "same", Name: fmt.Sprint(n)})
		}); won != 1 {
			t.Errorf("%d clients were made, want 1", won)
		}
	})

	t.Run("pages", func(t *testing.T) { clientPages(t, open) })
	t.Run("origins", func(t *testing.T) { clientOrigins(t, open) })

	t.Run("sources", func(t *testing.T) {
		s := open(t).Clients
		must(t, s.Create(t.Context(), client.Client{ID: "a", Source: client.Operator}))
		for source, want := range map[client.Source]bool{client.Operator: true, client.Demo: false, client.Dynamic: false, "": false} {
			if got, err := s.HasSource(t.Context(), source); err != nil || got != want {
				t.Errorf("HasSource(%q) = %v, %v; want %v", source, got, err, want)
			}
		}
	})
}

func clientRefusals(t *testing.T, open OpenDurable) {
	s := open(t).Clients
	must(t, s.Create(t.Context(), client.Client{ID: "taken", Name: "first"}))
	wantKind(t, "a taken id", s.Create(t.Context(), client.Client{ID: "taken", Name: "second"}), fault.Conflict)
	wantKind(t, "no id", s.Create(t.Context(), client.Client{}), fault.Invalid)
	got, err := s.ByID(t.Context(), "taken")
	must(t, err)
	if got.Name != "first" {
		t.Errorf("the client is called %q after a refused creation, want first", got.Name)
	}
	for name, id := range strangeKeys {
		_, err := s.ByID(t.Context(), id)
		wantKind(t, "ByID of "+name, err, fault.NotFound)
		wantKind(t, "Update of "+name, s.Update(t.Context(), client.Client{ID: id}), fault.NotFound)
		wantKind(t, "Delete of "+name, s.Delete(t.Context(), id), fault.NotFound)
	}
	must(t, s.Delete(t.Context(), "taken"))
	wantKind(t, "a second Delete", s.Delete(t.Context(), "taken"), fault.NotFound)
	_, err = s.ByID(t.Context(), "taken")
	wantKind(t, "ByID after Delete", err, fault.NotFound)
}

// strangeKeys are keys under which nothing was ever stored. None may be an
// error of the database.
var strangeKeys = map[string]string{
	"nothing":       "",
	"an unknown":    "unknown",
	"a NUL":         "taken\x00",
	"broken UTF-8":  "taken\xff\xfe",
	"a wildcard":    "%",
	"a quote":       "' OR '1'='1",
	"another case":  "TAKEN",
	"blanks around": " taken ",
	"a long one":    fmt.Sprintf("%04000d", 1),
}

func clientPages(t *testing.T, open OpenDurable) {
	s := open(t).Clients
	// Made out of order, and two at the same time.
	for _, c := range []struct {
		id  string
		min int
	}{{"d", 3}, {"b", 1}, {"a", 1}, {"c", 2}, {"e", 4}} {
		must(t, s.Create(t.Context(), client.Client{ID: c.id, CreatedAt: epoch.Add(time.Duration(c.min) * time.Minute)}))
	}
	var got string
	page := paging.Page{Size: 2}
	for range 4 {
		part, err := s.List(t.Context(), page)
		must(t, err)
		for _, c := range part {
			got += c.ID
			page.Cursor = c.ID
		}
		got += "|"
	}
	if want := "ab|cd|e||"; got != want {
		t.Errorf("pages: got %s, want %s", got, want)
	}
	for name, cursor := range strangeKeys {
		if part, err := s.List(t.Context(), paging.Page{Cursor: cursor}); err != nil || (len(part) != 0 && cursor != "") {
			t.Errorf("cursor of %s: got %d clients, %v; want none and no error", name, len(part), err)
		}
	}
	all, err := s.List(t.Context(), paging.Page{})
	if must(t, err); len(all) != 5 {
		t.Errorf("a page of default size has %d clients, want 5", len(all))
	}
}

func clientOrigins(t *testing.T, open OpenDurable) {
	s := open(t).Clients
	must(t, s.Create(t.Context(), client.Client{ID: "a", RedirectURIs: []string{
		"https://Shop.example/cb?x=1", "https://shop.example:443/other", "https://shop.example:8443/cb",
		"http://127.0.0.1:5555/cb", "http://[::1]/cb", "http://localhost:3000/cb", "https://localhost:3000/cb",
		"http://plain.example:80/cb", "com.example.app:/cb", "com.example.app://host/cb", "::broken", "/path", "",
	}}))
	must(t, s.Create(t.Context(), client.Client{ID: "b", RedirectURIs: []string{"https://shop.example/again"}}))
	must(t, s.Create(t.Context(), client.Client{ID: "off", Disabled: true, RedirectURIs: []string{"https://off.example/cb"}}))
	got, err := s.Origins(t.Context())
	must(t, err)
	same(t, "Origins", got, []string{
		"http://127.0.0.1", "http://[::1]", "http://localhost", "http://plain.example",
		"https://localhost:3000", "https://shop.example", "https://shop.example:8443",
	})
}
