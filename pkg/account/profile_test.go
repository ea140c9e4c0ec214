package account_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

func TestProfileIsSaved(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	sent := map[string]string{
		"name": " Ann Á. Example ", "given_name": "Ann", "middle_name": "Á.", "family_name": "Example", "nickname": "安",
		"username": "ann", "birthdate": "1990-12-31", "website": "https://ann.example.test", "picture": "https://ann.example.test/a.png",
		"zoneinfo": "Europe/Vienna", "phone_number": "+43 1 5550100", "locale": "de",
		"street_address": "Ring 1\r\nDoor 2", "postal_code": "1010", "locality": "Wien", "region": "", "country": "Austria",
	}
	var pairs []string
	for name, value := range sent {
		pairs = append(pairs, name, value)
	}
	if at := stage.Follow(t, b.Submit("/account/profile", pairs...)); at != "/account/profile?done=profile" {
		t.Fatalf("saving led to %q", at)
	}
	got := r.person(t)
	want := *r.ann
	want.Name, want.GivenName, want.MiddleName, want.FamilyName, want.Nickname = "Ann Á. Example", "Ann", "Á.", "Example", "安"
	want.Username, want.Birthdate, want.Website, want.Picture = "ann", "1990-12-31", sent["website"], sent["picture"]
	want.Zoneinfo, want.PhoneNumber, want.Locale = "Europe/Vienna", "+43 1 5550100", "de"
	want.Address = user.Address{StreetAddress: "Ring 1\nDoor 2", PostalCode: "1010", Locality: "Wien", Country: "Austria", Formatted: "Ring 1\nDoor 2\n1010 Wien\nAustria"}
	want.UpdatedAt = got.UpdatedAt
	if !equal(got, &want) {
		t.Errorf("saved\n%+v, want\n%+v", got, want)
	}
	page := b.Get("/account/profile?done=profile").Body
	if !strings.Contains(page, `<html lang="de"`) || !strings.Contains(page, "gespeichert") {
		t.Error("the language is not spoken at once")
	}
	if field(page, "nickname") != "安" || !strings.Contains(page, `<option value="de" selected>`) {
		t.Error("the form does not show what is saved")
	}
	if n := len(r.Audit.Named(audit.UserUpdated)); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}
	if at := stage.Follow(t, b.Submit("/account/profile", "locale", "")); at == "" || r.person(t).Locale != "" {
		t.Error("the browser's language cannot be chosen again")
	}
}

func equal(a, b *user.User) bool {
	x, y := *a, *b
	return x.ID == y.ID && x.Email == y.Email && x.EmailVerified == y.EmailVerified && x.Name == y.Name && x.GivenName == y.GivenName &&
		x.MiddleName == y.MiddleName && x.FamilyName == y.FamilyName && x.Nickname == y.Nickname && x.Username == y.Username &&
		x.Birthdate == y.Birthdate && x.Website == y.Website && x.Picture == y.Picture && x.Zoneinfo == y.Zoneinfo &&
		x.PhoneNumber == y.PhoneNumber && x.PhoneNumberVerified == y.PhoneNumberVerified && x.Locale == y.Locale && x.Address == y.Address &&
		x.Disabled == y.Disabled && x.Demo == y.Demo && x.DeleteAt.Equal(y.DeleteAt) && slices.Equal(a.Roles, b.Roles)
}

func TestProfileRefusesPerField(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	r.Person(t, "bob@example.test")
	if _, err := r.Users.Create(ctx, user.User{Username: "taken"}, nil); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 3000)
	for name, tt := range map[string]struct {
		sent map[string]string
		want string
	}{
		"a huge name":                  {map[string]string{"name": long}, "name-problem"},
		"a line break in a name":       {map[string]string{"name": "Ann\nAdmin"}, "name-problem"},
		"a control character":          {map[string]string{"given_name": "A\x1bnn"}, "given_name-problem"},
		"a C1 control character":       {map[string]string{"nickname": "A\u0085nn"}, "nickname-problem"},
		"wide letters, too many":       {map[string]string{"family_name": strings.Repeat("安", 201)}, "family_name-problem"},
		"a script as website":          {map[string]string{"website": "javascript:alert(1)"}, "website-problem"},
		"a relative picture":           {map[string]string{"picture": "/a.png"}, "picture-problem"},
		"a URL with a password":        {map[string]string{"website": "https://a:b@example.test"}, "website-problem"},
		"no date":                      {map[string]string{"birthdate": "31.12.1990"}, "birthdate-problem"},
		"month 13":                     {map[string]string{"birthdate": "1990-13-01"}, "birthdate-problem"},
		"a path as zone":               {map[string]string{"zoneinfo": "../../etc/passwd"}, "zoneinfo-problem"},
		"an address as username":       {map[string]string{"username": "bob@example.test"}, "username-problem"},
		"a username of two scripts":    {map[string]string{"username": "аnn"}, "username-problem"},
		"a username of the operator":   {map[string]string{"username": "admin"}, "username-problem"},
		"a name that is turned around": {map[string]string{"name": "Ann \u202eexe"}, "name-problem"},
		"a username of blanks":         {map[string]string{"username": "a b"}, "username-problem"},
		"a username that is taken":     {map[string]string{"username": "TAKEN"}, "username-problem"},
		"a tab in the address":         {map[string]string{"street_address": "Ring\t1"}, "street_address-problem"},
		"a line break in a town":       {map[string]string{"locality": "Wien\nAdmin"}, "locality-problem"},
		"a huge street":                {map[string]string{"street_address": long}, "street_address-problem"},
		"a language that is none":      {map[string]string{"locale": "not a language"}, ""},
		"a language we lack":           {map[string]string{"locale": "tlh"}, ""},
		"several at once": {
			map[string]string{"name": long, "website": "x", "birthdate": "x", "zoneinfo": "!", "username": "!"},
			"name-problem username-problem birthdate-problem website-problem zoneinfo-problem",
		},
	} {
		t.Run(name, func(t *testing.T) {
			pairs := []string{"nickname", "kept"}
			for k, v := range tt.sent {
				pairs = append(pairs, k, v)
			}
			a := b.Submit("/account/profile", pairs...)
			if a.Status != http.StatusOK {
				t.Fatalf("status %d, to %q; want the form again", a.Status, a.Location)
			}
			if !sameWords(marks(a.Body), tt.want) || tt.want == "" && !strings.Contains(a.Body, `role="alert" id="problem"`) {
				t.Errorf("wrong are %q, want %q", marks(a.Body), tt.want)
			}
			if _, wrong := tt.sent["nickname"]; !wrong && field(a.Body, "nickname") != "kept" {
				t.Errorf("what was right is lost: %q", field(a.Body, "nickname"))
			}
			if strings.Count(a.Body, " autofocus") > 1 {
				t.Error("several fields want the focus")
			}
			if u := r.person(t); u.Nickname != "" || u.Username != "" || u.Locale != "" || u.Name != "Ann Example" {
				t.Errorf("a refused form changed %+v", u)
			}
		})
	}
}

// marks returns the ids of the problems of single fields.
func marks(page string) string {
	var found []string
	for line := range strings.Lines(page) {
		if _, rest, ok := strings.Cut(line, `<p class="wrong" role="alert" id="`); ok {
			id, _, _ := strings.Cut(rest, `"`)
			found = append(found, id)
		}
	}
	return strings.Join(found, " ")
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

func TestProfileTakesNothingElse(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	bob := r.Person(t, "bob@example.test")
	before := *r.person(t)
	f := form(b, "/account/profile", "nickname", "Ann")
	for name, value := range map[string]string{
		"id": bob.ID, "sub": bob.ID, "user_id": bob.ID, "email": "eve@example.test", "email_verified": "true", "roles": user.Administrator, "Roles": "x",
		"disabled": "true", "demo": "true", "password": "x", "phone_number_verified": "true", "terms_version": "9", "delete_at": "2020-01-01T00:00:00Z",
		"created_at": "2020-01-01T00:00:00Z", "formatted": "x", "gender": "x", "profile": "https://evil.example",
	} {
		f.Set(name, value)
	}
	if at := stage.Follow(t, b.Post("/account/profile", f)); at != "/account/profile?done=profile" {
		t.Fatalf("it led to %q", at)
	}
	want := before
	want.Nickname = "Ann"
	if got := r.person(t); !equal(got, &want) || got.Gender != "" || got.Profile != "" || got.TermsVersion != "" || got.Address.Formatted != "" {
		t.Errorf("changed to %+v", got)
	}
	if got, err := r.Users.Get(ctx, bob.ID); err != nil || got.Nickname != "" {
		t.Errorf("somebody else is %+v, %v", got, err)
	}
	noted := r.Audit.Named(audit.AccountRefused)
	if len(noted) != 1 || !strings.Contains(noted[0].Data["what"], "roles") || strings.Contains(noted[0].Data["what"], user.Administrator) {
		t.Errorf("noted %+v, want the names of what was tried", noted)
	}
}

func TestAProvenNumberThatChangesIsNotProven(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	prove := func() {
		if _, err := r.Users.Change(ctx, r.ann.ID, func(_ ctxt, u *user.User) error {
			u.PhoneNumber, u.PhoneNumberVerified = "+431", true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	prove()
	stage.Follow(t, b.Submit("/account/profile", "phone_number", "+431"))
	if !r.person(t).PhoneNumberVerified {
		t.Error("a number that stays is not proven any more")
	}
	stage.Follow(t, b.Submit("/account/profile", "phone_number", "+432"))
	if r.person(t).PhoneNumberVerified {
		t.Error("another number is proven")
	}
}

func TestUsernamesFollowTheSetting(t *testing.T) {
	r := newRig(t, func(d *account.Deps) { d.Usernames = false })
	b := r.signIn(t, ann)
	if page := b.Get("/account/profile").Body; strings.Contains(page, `name="username"`) {
		t.Error("the form asks for a username")
	}
	stage.Follow(t, b.Submit("/account/profile", "username", "ann"))
	if got := r.person(t).Username; got != "" {
		t.Errorf("a username was taken: %q", got)
	}
	given := newRig(t)
	if _, err := given.Users.Change(ctx, given.ann.ID, func(_ ctxt, u *user.User) error { u.Username = "support"; return nil }); err != nil {
		t.Fatal(err)
	}
	if a := given.signIn(t, ann).Submit("/account/profile", "nickname", "A"); a.Status != http.StatusSeeOther {
		t.Errorf("a username that an operator gave is refused: %d, %q", a.Status, marks(a.Body))
	}
	must := newRig(t, func(d *account.Deps) { d.UsernameRequired = true })
	c := must.signIn(t, ann)
	if a := c.Submit("/account/profile", "username", ""); marks(a.Body) != "username-problem" {
		t.Errorf("no username: %d, %q", a.Status, marks(a.Body))
	}
}

// TestProfileLosesNoOtherChange: two forms and a change of the address at once.
func TestProfileLosesNoOtherChange(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	f := form(b, "/account/profile")
	var wg sync.WaitGroup
	for _, pair := range [][2]string{{"nickname", "nick"}, {"given_name", "Ann"}, {"family_name", "Example"}, {"birthdate", "1990"}} {
		wg.Go(func() {
			own := url.Values{"form_token": f["form_token"], pair[0]: {pair[1]}}
			if a := b.Post("/account/profile", own); a.Status != http.StatusSeeOther {
				t.Errorf("%s: status %d", pair[0], a.Status)
			}
		})
	}
	wg.Go(func() {
		if _, err := r.Users.Change(ctx, r.ann.ID, func(_ ctxt, u *user.User) error { u.EmailVerified = true; return nil }); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	u := r.person(t)
	got := map[string]string{"nickname": u.Nickname, "given_name": u.GivenName, "family_name": u.FamilyName, "birthdate": u.Birthdate}
	if !maps.Equal(got, map[string]string{"nickname": "nick", "given_name": "Ann", "family_name": "Example", "birthdate": "1990"}) || !u.EmailVerified {
		t.Errorf("left are %v, verified %v", got, u.EmailVerified)
	}
}
