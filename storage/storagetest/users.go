package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/user"
)

// Users checks a user.Store.
func Users(t *testing.T, open OpenDurable) {
	t.Run("every field comes back", func(t *testing.T) {
		s := open(t).Users
		var u user.User
		fill(t, &u)
		must(t, s.Create(t.Context(), u))
		got, err := s.ByID(t.Context(), u.ID)
		must(t, err)
		same(t, "ByID", got, u)
		for _, identifier := range []string{u.Email, u.Username} {
			got, err := s.ByIdentifier(t.Context(), user.Normalise(identifier))
			must(t, err)
			same(t, "ByIdentifier", got, u)
		}
	})

	t.Run("refusals", func(t *testing.T) { userRefusals(t, open) })
	t.Run("updates", func(t *testing.T) { userUpdates(t, open) })
	t.Run("end", func(t *testing.T) { usersEnd(t, open) })

	t.Run("people without a name or address do not collide", func(t *testing.T) {
		s := open(t).Users
		must(t, s.Create(t.Context(), user.User{ID: "a"}))
		must(t, s.Create(t.Context(), user.User{ID: "b"}))
		_, err := s.ByIdentifier(t.Context(), "")
		wantKind(t, "ByIdentifier of nothing", err, fault.NotFound)
	})

	t.Run("the name may be the address", func(t *testing.T) {
		s := open(t).Users
		must(t, s.Create(t.Context(), user.User{ID: "a", Username: "A@Example.com", Email: "a@example.com"}))
		must(t, s.Update(t.Context(), user.User{ID: "a", Username: "a@example.com", Email: "A@EXAMPLE.com"}))
		got, err := s.ByIdentifier(t.Context(), "a@example.com")
		if must(t, err); got.ID != "a" {
			t.Errorf("found %q, want a", got.ID)
		}
	})

	t.Run("one of many gets an address", func(t *testing.T) {
		s := open(t).Users
		spellings := []string{"Eve@Example.com", "eve@example.com", "EVE@EXAMPLE.COM", " eve@example.com"}
		if won := race(t, fault.Conflict, func(n int) error {
			u := user.User{ID: fmt.Sprint(n), Email: spellings[n%len(spellings)]}
			if n%5 == 0 {
				u.Email, u.Username = "", u.Email // a name is taken by an address, too
			}
			return s.Create(t.Context(), u)
		}); won != 1 {
			t.Errorf("%d people have the address, want 1", won)
		}
		if all, err := s.List(t.Context(), paging.Page{}); err != nil || len(all) != 1 {
			t.Errorf("%d people are left, %v; want 1", len(all), err)
		}
	})

	t.Run("pages", func(t *testing.T) {
		s := open(t).Users
		for i, id := range []string{"c", "a", "b"} {
			must(t, s.Create(t.Context(), user.User{ID: id, CreatedAt: epoch.Add(time.Duration(i) * time.Second)}))
		}
		first, err := s.List(t.Context(), paging.Page{Size: 2})
		must(t, err)
		rest, err := s.List(t.Context(), paging.Page{Size: 2, Cursor: "a"})
		must(t, err)
		if len(first) != 2 || first[0].ID != "c" || first[1].ID != "a" || len(rest) != 1 || rest[0].ID != "b" {
			t.Errorf("pages: got %v and %v, want c a and b", first, rest)
		}
		if none, err := s.List(t.Context(), paging.Page{Cursor: "unknown"}); err != nil || len(none) != 0 {
			t.Errorf("an unknown cursor: got %d people, %v; want none", len(none), err)
		}
	})

	t.Run("demo people are noticed", func(t *testing.T) {
		s := open(t).Users
		must(t, s.Create(t.Context(), user.User{ID: "a"}))
		if has, err := s.HasDemo(t.Context()); err != nil || has {
			t.Errorf("HasDemo = %v, %v; want false", has, err)
		}
		must(t, s.Create(t.Context(), user.User{ID: "b", Demo: true}))
		if has, err := s.HasDemo(t.Context()); err != nil || !has {
			t.Errorf("HasDemo = %v, %v; want true", has, err)
		}
	})
}

func userRefusals(t *testing.T, open OpenDurable) {
	s := open(t).Users
	must(t, s.Create(t.Context(), user.User{ID: "taken", Email: "Alice@Example.com", Username: "Alice"}))
	must(t, s.Create(t.Context(), user.User{ID: "other", Email: "bob@example.com", Username: "bob", Disabled: true}))
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"no id":                         {s.Create(t.Context(), user.User{Email: "new@example.com"}), fault.Invalid},
		"a taken id":                    {s.Create(t.Context(), user.User{ID: "taken", Email: "new@example.com"}), fault.Conflict},
		"a taken address":               {s.Create(t.Context(), user.User{ID: "new", Email: " ALICE@example.COM"}), fault.Conflict},
		"a taken name":                  {s.Create(t.Context(), user.User{ID: "new", Username: "ＡＬＩＣＥ"}), fault.Conflict}, // full width
		"a name that is another's mail": {s.Create(t.Context(), user.User{ID: "new", Username: "alice@example.com"}), fault.Conflict},
		"an address that is a name":     {s.Create(t.Context(), user.User{ID: "new", Email: "alice"}), fault.Conflict},
		"a taken address of a disabled": {s.Create(t.Context(), user.User{ID: "new", Email: "bob@example.com"}), fault.Conflict},
		"update to a taken address":     {s.Update(t.Context(), user.User{ID: "other", Email: "alice@example.com"}), fault.Conflict},
		"update to a taken name":        {s.Update(t.Context(), user.User{ID: "other", Username: "alice"}), fault.Conflict},
		"update to a name that is mail": {s.Update(t.Context(), user.User{ID: "other", Username: "alice@example.com"}), fault.Conflict},
		"update of nobody":              {s.Update(t.Context(), user.User{ID: "nobody", Email: "new@example.com"}), fault.NotFound},
		"update of a person without id": {s.Update(t.Context(), user.User{Email: "new@example.com"}), fault.NotFound},
	}
	for name, tt := range tests {
		wantKind(t, name, tt.err, tt.want)
	}
	for name, key := range strangeKeys {
		_, err := s.ByID(t.Context(), key)
		wantKind(t, "ByID of "+name, err, fault.NotFound)
		_, err = s.ByIdentifier(t.Context(), key)
		wantKind(t, "ByIdentifier of "+name, err, fault.NotFound)
	}
	// Nothing of what was refused is left, and nobody was changed.
	_, err := s.ByIdentifier(t.Context(), "new@example.com")
	wantKind(t, "the refused address", err, fault.NotFound)
	for identifier, id := range map[string]string{"alice@example.com": "taken", "alice": "taken", "bob@example.com": "other", "bob": "other"} {
		if got, err := s.ByIdentifier(t.Context(), identifier); err != nil || got.ID != id {
			t.Errorf("ByIdentifier(%q) = %q, %v; want %q", identifier, got.ID, err, id)
		}
	}
}

func userUpdates(t *testing.T, open OpenDurable) {
	s := open(t).Users
	var u user.User
	fill(t, &u)
	u.Email, u.Username = "old@example.com", "old"
	must(t, s.Create(t.Context(), u))
	next := user.User{ID: u.ID, Email: "new@example.com", CreatedAt: u.CreatedAt, UpdatedAt: epoch.Add(time.Hour)}
	must(t, s.Update(t.Context(), next))
	got, err := s.ByIdentifier(t.Context(), "new@example.com")
	must(t, err)
	same(t, "after the update", got, next)
	for _, gone := range []string{"old@example.com", "old"} {
		_, err := s.ByIdentifier(t.Context(), gone)
		wantKind(t, "the old identifier "+gone, err, fault.NotFound)
	}
	must(t, s.Create(t.Context(), user.User{ID: "heir", Email: "old@example.com", Username: "old"}))
}
