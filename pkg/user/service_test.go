package user_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

var ctx = context.Background()

func TestCreate(t *testing.T) {
	s := stage.New(t)
	made, err := s.Users.Create(ctx, user.User{ID: "chosen", Email: " Ann@Example.test ", Username: "ann"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if made.ID == "chosen" || len(made.ID) < 22 {
		t.Errorf("id %q, want a random one of ours", made.ID)
	}
	if made.Email != "Ann@Example.test" {
		t.Errorf("e-mail %q, want it as written, without blanks around", made.Email)
	}
	for _, spelling := range []string{"ann@example.test", "ANN@EXAMPLE.TEST", " Ann@Example.test", "ann", "ANN", "ａｎｎ"} {
		if u, err := s.Users.ByIdentifier(ctx, spelling); err != nil || u.ID != made.ID {
			t.Errorf("ByIdentifier(%q) = %v, %v; want the person", spelling, u, err)
		}
	}
	for name, taken := range map[string]user.User{
		"the address":                   {Email: "ann@example.test"},
		"the address, another spelling": {Email: "ANN@example.TEST"},
		"the username":                  {Username: "Ann"},
	} {
		if _, err := s.Users.Create(ctx, taken, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s is taken: Create = %v, want a conflict", name, err)
		}
	}
	if n := len(s.Audit.Named(audit.UserCreated)); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}
}

func TestCreateIsAllOrNothing(t *testing.T) {
	s := stage.New(t)
	failed := errors.New("no")
	_, err := s.Users.Create(ctx, user.User{Email: "a@example.test"}, func(context.Context, string) error { return failed })
	if !errors.Is(err, failed) {
		t.Fatalf("Create = %v, want the error of what belongs to it", err)
	}
	if _, err := s.Users.ByIdentifier(ctx, "a@example.test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the person exists without what belongs to it: %v", err)
	}
	if n := len(s.Audit.Events()); n != 0 {
		t.Errorf("%d audit events of what did not happen", n)
	}
}

func TestByIdentifierOfGarbage(t *testing.T) {
	s := stage.New(t)
	for _, garbage := range []string{"", "   ", "nobody@example.test", strings.Repeat("a", 1<<20), "a\x00b", "\xff\xfe", "a\nb", "' OR 1=1 --", "%"} {
		if u, err := s.Users.ByIdentifier(ctx, garbage); !fault.Is(err, fault.NotFound) {
			t.Errorf("ByIdentifier(%.20q) = %v, %v; want not found", garbage, u, err)
		}
	}
}

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := map[string]struct {
		user  user.User
		field string
	}{
		"nothing to find them by":             {user.User{Name: "Ann"}, "email"},
		"no at sign":                          {user.User{Email: "ann"}, "email"},
		"two addresses":                       {user.User{Email: "a@x.test,b@x.test"}, "email"},
		"a name around it":                    {user.User{Email: "Ann <a@x.test>"}, "email"},
		"a header hidden in it":               {user.User{Email: "a@x.test\r\nBcc: b@x.test"}, "email"},
		"a quoted local part":                 {user.User{Email: `"a b"@x.test`}, "email"},
		"an address literal":                  {user.User{Email: "a@[127.0.0.1]"}, "email"},
		"no domain":                           {user.User{Email: "a@"}, "email"},
		"a label of hyphens":                  {user.User{Email: "a@-x-.test"}, "email"},
		"two dots":                            {user.User{Email: "a@x..test"}, "email"},
		"RFC 5321 §4.5.3.1.1 long local part": {user.User{Email: strings.Repeat("a", 65) + "@x.test"}, "email"},
		"RFC 5321 §4.5.3.1.3 long":            {user.User{Email: "a@" + strings.Repeat("x.", 150) + "test"}, "email"},
		"a username like an address":          {user.User{Username: "ann@x.test"}, "username"},
		"a username with a blank":             {user.User{Username: "ann b"}, "username"},
		"a long username":                     {user.User{Username: strings.Repeat("a", 65)}, "username"},
		"a long name":                         {user.User{Username: "a", Name: long}, "name"},
		"a line break in a name":              {user.User{Username: "a", Name: "Ann\nAdmin"}, "name"},
		"a name that is not UTF-8":            {user.User{Username: "a", Nickname: "\xff"}, "nickname"},
		"OIDC Core §5.1 picture is a URL":     {user.User{Username: "a", Picture: "javascript:alert(1)"}, "picture"},
		"OIDC Core §5.1 website is a URL":     {user.User{Username: "a", Website: "//evil.test"}, "website"},
		"OIDC Core §5.1 profile is a URL":     {user.User{Username: "a", Profile: "https://ann:pw@x.test/"}, "profile"},
		"OIDC Core §5.1 birthdate":            {user.User{Username: "a", Birthdate: "31.12.1990"}, "birthdate"},
		"OIDC Core §5.1 birthdate, month 13":  {user.User{Username: "a", Birthdate: "1990-13-01"}, "birthdate"},
		"OIDC Core §5.1 zoneinfo":             {user.User{Username: "a", Zoneinfo: "../../etc/passwd"}, "zoneinfo"},
		"OIDC Core §5.1 locale":               {user.User{Username: "a", Locale: "not a locale"}, "locale"},
		"a long address":                      {user.User{Username: "a", Address: user.Address{Formatted: strings.Repeat("x", 2000)}}, "address"},
		"a role twice":                        {user.User{Username: "a", Roles: []string{"r", "r"}}, "roles"},
		"a role with a blank":                 {user.User{Username: "a", Roles: []string{"r s"}}, "roles"},
		"very many roles":                     {user.User{Username: "a", Roles: make([]string, 100)}, "roles"},

		"an address":              {user.User{Email: "ann.o'neil+shop@mail.example.test"}, ""},
		"an address at localhost": {user.User{Email: "root@localhost"}, ""},
		"letters of the world":    {user.User{Email: "анна@пример.test", Username: "анна", Name: "Анна 안나 安娜"}, ""},
		"a year":                  {user.User{Username: "a", Birthdate: "1990"}, ""},
		"a birthday":              {user.User{Username: "a", Birthdate: "0000-12-31"}, ""},
		"a zone of three parts":   {user.User{Username: "a", Zoneinfo: "America/Argentina/Buenos_Aires"}, ""},
		"an administrator":        {user.User{Username: "a", Roles: []string{user.Administrator, "shop/clerk"}}, ""},
		"an address of two lines": {user.User{Username: "a", Address: user.Address{Formatted: "Street 1\nTown"}}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := user.Validate(&tt.user)
			field := ""
			if f := fault.As(err); f != nil && len(f.Details) == 1 {
				field = f.Details[0].Field
			}
			if field != tt.field || (err != nil) != (tt.field != "") {
				t.Errorf("Validate(%+v) refuses %q (%v), want %q", tt.user, field, err, tt.field)
			}
		})
	}
}

func TestUpdateKeepsWhatIsNotTheirs(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	if err := s.Users.Disable(ctx, ann.ID); err != nil {
		t.Fatal(err)
	}
	got, err := s.Users.Update(ctx, user.User{ID: ann.ID, Email: "ann@example.test", Name: "Ann", Disabled: false, Demo: true})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Disabled || got.Demo || !got.CreatedAt.Equal(ann.CreatedAt) || got.Name != "Ann" {
		t.Errorf("after Update the person is %+v", got)
	}
	if _, err := s.Users.ByIdentifier(ctx, "a@example.test"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the old address still finds somebody: %v", err)
	}
	s.Person(t, "b@example.test")
	if _, err := s.Users.Update(ctx, user.User{ID: ann.ID, Email: "B@example.test"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("Update to a taken address = %v, want a conflict", err)
	}
	if _, err := s.Users.Update(ctx, user.User{ID: "nobody", Email: "c@example.test"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("Update of nobody = %v, want not found", err)
	}
}

func TestDisableEndsEverything(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	token, _, err := s.Sessions.Start(ctx, session.Start{UserID: ann.ID})
	if err != nil {
		t.Fatal(err)
	}
	s.Revoker.SetDown(true)
	if err := s.Users.Disable(ctx, ann.ID); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Disable while the live set is down = %v, want unavailable", err)
	}
	s.Revoker.SetDown(false)
	for range 2 { // repeating it is harmless
		if err := s.Users.Disable(ctx, ann.ID); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := s.Sessions.FromToken(ctx, token); found != nil || err != nil {
		t.Errorf("the session of a disabled person = %v, %v", found, err)
	}
	if u, err := s.Users.Get(ctx, ann.ID); err != nil || !u.Disabled {
		t.Errorf("Get = %+v, %v; want disabled", u, err)
	}
	if err := s.Users.Enable(ctx, ann.ID); err != nil {
		t.Fatal(err)
	}
	if found, _ := s.Sessions.FromToken(ctx, token); found != nil {
		t.Error("enabling brought a session back to life")
	}
	if err := s.Users.Disable(ctx, "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Disable of nobody = %v, want not found", err)
	}
}

func FuzzValidEmail(f *testing.F) {
	for _, s := range []string{"a@b", "a@b.test", "", "@", "a@", "\"x\"@b", "a@b\r\nc", "<a@b>", "a@[::1]", "ä@ö.test"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !user.ValidEmail(s) {
			return
		}
		if len(s) > 254 || strings.ContainsAny(s, "\r\n\x00<>\", ") || strings.Count(s, "@") < 1 {
			t.Errorf("ValidEmail(%q) = true", s)
		}
	})
}

func TestAcceptTerms(t *testing.T) {
	s := stage.New(t)
	u := s.Person(t, "ann@example.test")
	for _, version := range []string{"2026-01", "2026-01", "2026-11"} {
		if err := s.Users.AcceptTerms(ctx, u.ID, version); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Users.Get(ctx, u.ID)
	if err != nil || got.TermsVersion != "2026-11" || got.TermsAcceptedAt.IsZero() || got.Name != u.Name || got.Email != u.Email {
		t.Errorf("the person is %+v, %v", got, err)
	}
	events := s.Audit.Named(audit.TermsAccepted)
	if len(events) != 2 || events[1].UserID != u.ID || events[1].Data["version"] != "2026-11" {
		t.Errorf("audit has %+v, want each version once", events)
	}
	if err := s.Users.AcceptTerms(ctx, "nobody", "2026-11"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody accepts: %v", err)
	}
}

// A profile that is saved while an operator disables the person must not let
// them in again.
func TestSavingAProfileBringsNobodyBack(t *testing.T) {
	s := stage.New(t)
	ann := s.Person(t, "a@example.test")
	var wg sync.WaitGroup
	start := make(chan struct{})
	for n := range 50 {
		wg.Go(func() {
			<-start
			if n == 25 {
				if err := s.Users.Disable(ctx, ann.ID); err != nil {
					t.Errorf("Disable: %v", err)
				}
				return
			}
			if _, err := s.Users.Update(ctx, user.User{ID: ann.ID, Email: ann.Email, Name: "Ann " + strings.Repeat("x", n)}); err != nil {
				t.Errorf("Update: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	if u, err := s.Users.Get(ctx, ann.ID); err != nil || !u.Disabled {
		t.Errorf("after all is done: disabled %v, %v", u != nil && u.Disabled, err)
	}
}
