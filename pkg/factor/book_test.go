package factor_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

// stored does nothing besides the book.
func stored(context.Context, *user.User) error { return nil }

// gone says that so many of the kind are left.
func gone(left int) func(context.Context, *user.User) (int, error) {
	return func(context.Context, *user.User) (int, error) { return left, nil }
}

// codes counts whose recovery codes were removed.
type codes struct{ removed []string }

func (c *codes) RemoveAll(_ context.Context, userID string) error {
	c.removed = append(c.removed, userID)
	return nil
}

type bookRig struct {
	*stage.Stage
	book  *factor.Book
	codes *codes
	ann   *user.User
}

func newBook(t *testing.T, policy assurance.Policy) *bookRig {
	t.Helper()
	s := stage.New(t)
	r := &bookRig{Stage: s, codes: &codes{}, ann: s.Person(t, "ann@example.test")}
	policy.Taken = assurance.Factors()
	r.book = factor.NewBook(factor.BookDeps{
		Users: s.Users, Policy: policy, Browsers: s.Browsers, Letters: s.Letters, Audit: s.Audit, Codes: r.codes, URL: s.Kit.URL,
	})
	return r
}

func (r *bookRig) add(t *testing.T, kinds ...assurance.Factor) {
	t.Helper()
	for _, kind := range kinds {
		if err := r.book.Add(t.Context(), factor.Change{UserID: r.ann.ID, Kind: kind, Name: "Ann's " + string(kind)}, stored); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *bookRig) has(t *testing.T) []string {
	t.Helper()
	u, err := r.Users.Get(t.Context(), r.ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u.Factors
}

func TestTheBookKnowsWhatPeopleHave(t *testing.T) {
	r := newBook(t, assurance.Policy{})
	r.add(t, assurance.TOTP, assurance.Passkey, assurance.TOTP)
	if got := r.has(t); !slices.Equal(got, []string{"passkey", "totp"}) {
		t.Fatalf("has %v, want passkey and totp, each once", got)
	}
	remove := func(kind assurance.Factor, left int) {
		t.Helper()
		if err := r.book.Remove(t.Context(), factor.Change{UserID: r.ann.ID, Kind: kind}, gone(left)); err != nil {
			t.Fatal(err)
		}
	}
	remove(assurance.TOTP, 1)
	if got := r.has(t); len(got) != 2 {
		t.Errorf("one of two apps went, and %v is left", got)
	}
	remove(assurance.TOTP, 0)
	if got := r.has(t); !slices.Equal(got, []string{"passkey"}) || len(r.codes.removed) != 0 {
		t.Errorf("has %v, codes removed of %v; want the passkey, and the codes kept", got, r.codes.removed)
	}
	if _, _, err := r.Browsers.Trust(t.Context(), r.ann.ID); err != nil {
		t.Fatal(err)
	}
	remove(assurance.Passkey, 0)
	left, err := r.Browsers.List(t.Context(), r.ann.ID)
	if got := r.has(t); len(got) != 0 || len(r.codes.removed) != 1 || len(left) != 0 || err != nil {
		t.Errorf("after the last: has %v, codes removed of %v, %d browsers, %v; want nothing left", got, r.codes.removed, len(left), err)
	}
}

func TestEveryChangeIsMailedAndRecorded(t *testing.T) {
	r := newBook(t, assurance.Policy{})
	r.add(t, assurance.TOTP)
	if err := r.book.Remove(t.Context(), factor.Change{UserID: r.ann.ID, Kind: assurance.TOTP, Name: "My phone", Actor: "shell"}, gone(0)); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, l := range r.Letters.All() {
		keys = append(keys, l.Key)
		if l.To.Email != r.ann.Email || l.Facts[0].Key != "factor" || l.Facts[0].Value == "" {
			t.Errorf("letter %s to %s tells %v", l.Key, l.To.Email, l.Facts)
		}
	}
	if !slices.Equal(keys, []string{"factor_added", "factor_removed"}) {
		t.Errorf("letters %v", keys)
	}
	removed := r.Audit.Named(audit.FactorRemoved)
	if len(r.Audit.Named(audit.FactorAdded)) != 1 || len(removed) != 1 || removed[0].Data["factor"] != "totp" || removed[0].Actor != "shell" {
		t.Errorf("recorded %v", removed)
	}
}

func TestNothingChangesWhenAPartFails(t *testing.T) {
	r := newBook(t, assurance.Policy{})
	down := errors.New("down")
	err := r.book.Add(t.Context(), factor.Change{UserID: r.ann.ID, Kind: assurance.TOTP}, func(context.Context, *user.User) error { return down })
	if !errors.Is(err, down) || len(r.has(t)) != 0 || len(r.Letters.All()) != 0 || len(r.Audit.Named(audit.FactorAdded)) != 0 {
		t.Errorf("Add = %v, has %v", err, r.has(t))
	}
	r.add(t, assurance.TOTP)
	err = r.book.Remove(t.Context(), factor.Change{UserID: r.ann.ID, Kind: assurance.TOTP}, func(context.Context, *user.User) (int, error) { return 0, down })
	if !errors.Is(err, down) || len(r.has(t)) != 1 || len(r.Audit.Named(audit.FactorRemoved)) != 0 {
		t.Errorf("Remove = %v, has %v", err, r.has(t))
	}
	err = r.book.Add(t.Context(), factor.Change{UserID: "nobody", Kind: assurance.TOTP}, stored)
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("Add to nobody = %v", err)
	}
}

func TestTheLastFactorStaysWhileAPolicyDemandsOne(t *testing.T) {
	for name, tt := range map[string]struct {
		policy assurance.Policy
		roles  []string
		has    []assurance.Factor
		remove assurance.Factor
		left   int
		force  bool
		want   fault.Kind
	}{
		"nobody demands one":               {has: []assurance.Factor{"totp"}, remove: "totp"},
		"demanded of everybody":            {policy: assurance.Policy{Everyone: "2"}, has: []assurance.Factor{"totp"}, remove: "totp", want: fault.Conflict},
		"another of the kind is left":      {policy: assurance.Policy{Everyone: "2"}, has: []assurance.Factor{"totp"}, remove: "totp", left: 1},
		"another kind is left":             {policy: assurance.Policy{Everyone: "2"}, has: []assurance.Factor{"totp", "email"}, remove: "totp"},
		"a weaker kind is left":            {policy: assurance.Policy{Everyone: "phr"}, has: []assurance.Factor{"totp", "passkey"}, remove: "passkey", want: fault.Conflict},
		"the weaker kind goes":             {policy: assurance.Policy{Everyone: "phr"}, has: []assurance.Factor{"totp", "passkey"}, remove: "totp"},
		"recovery codes are none":          {policy: assurance.Policy{Everyone: "2"}, has: []assurance.Factor{"totp", "recovery_code"}, remove: "totp", want: fault.Conflict},
		"demanded of a role they have":     {policy: assurance.Policy{Roles: map[string]string{"staff": "2"}}, roles: []string{"staff"}, has: []assurance.Factor{"totp"}, remove: "totp", want: fault.Conflict},
		"demanded of a role of others":     {policy: assurance.Policy{Roles: map[string]string{"staff": "2"}}, roles: []string{"guest"}, has: []assurance.Factor{"totp"}, remove: "totp"},
		"demanded, and an operator's word": {policy: assurance.Policy{Everyone: "2"}, has: []assurance.Factor{"totp"}, remove: "totp", force: true},
		"one factor demands none":          {policy: assurance.Policy{Everyone: "1"}, has: []assurance.Factor{"totp"}, remove: "totp"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newBook(t, tt.policy)
			if _, err := r.Users.Change(t.Context(), r.ann.ID, func(_ context.Context, u *user.User) error { u.Roles = tt.roles; return nil }); err != nil {
				t.Fatal(err)
			}
			r.add(t, tt.has...)
			err := r.book.Remove(t.Context(), factor.Change{UserID: r.ann.ID, Kind: tt.remove, Force: tt.force}, gone(tt.left))
			if fault.KindOf(err) != tt.want {
				t.Errorf("Remove = %v, want %v", err, tt.want)
			}
			if tt.want == fault.Conflict && (fault.CodeOf(err) != "last_factor" || len(r.has(t)) != len(tt.has)) {
				t.Errorf("Remove = %v, and %v is left", err, r.has(t))
			}
		})
	}
}

// Of two last factors that leave at once one stays.
func TestTwoLastFactorsDoNotLeaveAtOnce(t *testing.T) {
	r := newBook(t, assurance.Policy{Everyone: "2"})
	r.add(t, assurance.TOTP, assurance.Email)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, kind := range []assurance.Factor{assurance.TOTP, assurance.Email} {
		wg.Go(func() {
			errs[i] = r.book.Remove(context.Background(), factor.Change{UserID: r.ann.ID, Kind: kind}, gone(0))
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || len(r.has(t)) != 1 {
		t.Errorf("both removals: %v; %v is left", errs, r.has(t))
	}
}
