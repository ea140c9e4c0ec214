package federation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage/storagetest"
)

// from adds a provider that nobody asks: what it would say is made up.
func from(t *testing.T, s *stage.Stage, change ...func(*federation.Settings)) *federation.Provider {
	t.Helper()
	set := federation.Settings{Issuer: "https://elsewhere.test", ClientID: clientID, Create: true}
	for _, f := range change {
		f(&set)
	}
	p, err := s.Federation.Create(t.Context(), federation.Provider{ID: "elsewhere", Kind: federation.OIDC, Settings: set}, clientSecret)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// somebody is who signed in there.
func somebody(subject, email string, verified bool) *federation.Person {
	return &federation.Person{
		Issuer: "https://elsewhere.test", Subject: subject, Email: email, EmailVerified: verified, IDToken: "the.id.token", Session: "sid there",
		Claims: map[string]any{"name": "Ann Elsewhere", "preferred_username": "ann"},
	}
}

// local makes somebody here.
func local(t *testing.T, s *stage.Stage, email string, verified bool, roles ...string) *user.User {
	t.Helper()
	u := s.Person(t, email, roles...)
	u, err := s.Users.Change(t.Context(), u.ID, func(_ context.Context, u *user.User) error { u.EmailVerified = verified; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func people(t *testing.T, s *stage.Stage) []user.User {
	t.Helper()
	all, err := s.Users.List(t.Context(), paging.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatASignInElsewhereDoes(t *testing.T) {
	never := func(set *federation.Settings) { set.Create = false }
	ours := func(set *federation.Settings) { set.Domains = []string{"Example.test"} }
	for name, tt := range map[string]struct {
		set      func(*federation.Settings)
		before   func(t *testing.T, s *stage.Stage)
		who      *federation.Person
		want     federation.Decision
		code     string
		security bool // the refusal cites it
	}{
		"nobody has the address":          {who: somebody("1", "new@example.test", true), want: federation.Created},
		"there is no address, but a name": {who: somebody("1", "", false), want: federation.Created},
		"security §11.10 somebody has the address": {
			before: func(t *testing.T, s *stage.Stage) { local(t, s, "Ann@example.test", true) },
			who:    somebody("1", "ann@EXAMPLE.test", true), want: federation.Proof,
		},
		"security §11.10 an unverified address equal to a local one": {
			before: func(t *testing.T, s *stage.Stage) { local(t, s, "ann@example.test", true) },
			who:    somebody("1", "ann@example.test", false), code: federation.CodeUnverified, security: true,
		},
		"security §11.10 nobody proved the address here": {
			before: func(t *testing.T, s *stage.Stage) { local(t, s, "ann@example.test", false) },
			who:    somebody("1", "ann@example.test", true), code: federation.CodeLocalUnverified, security: true,
		},
		"the local account is disabled": {
			before: func(t *testing.T, s *stage.Stage) {
				if err := s.Users.Disable(t.Context(), local(t, s, "ann@example.test", true).ID); err != nil {
					t.Fatal(err)
				}
			},
			who: somebody("1", "ann@example.test", true), code: federation.CodeDisabled,
		},
		"an account begins with a proven address": {who: somebody("1", "new@example.test", false), code: federation.CodeUnverified},
		"nobody makes accounts":                   {set: never, who: somebody("1", "new@example.test", true), code: federation.CodeNoAccount},
		"nobody makes accounts, but one is there": {
			set: never, before: func(t *testing.T, s *stage.Stage) { local(t, s, "ann@example.test", true) },
			who: somebody("1", "ann@example.test", true), want: federation.Proof,
		},
		"neither address nor name": {
			who: &federation.Person{Issuer: "https://elsewhere.test", Subject: "1"}, code: federation.CodeNoEmail,
		},
		"no address, and somebody has the name": {
			before: func(t *testing.T, s *stage.Stage) {
				if _, err := s.Users.Create(t.Context(), user.User{Username: "Ann"}, nil); err != nil {
					t.Fatal(err)
				}
			},
			who: somebody("1", "", false), code: federation.CodeNoEmail,
		},
		"an address that is none": {who: &federation.Person{Issuer: "https://elsewhere.test", Subject: "1", Email: "a@b\r\n", EmailVerified: true}, code: federation.CodeNoEmail},
		"a domain that may come":  {set: ours, who: somebody("1", "New@EXAMPLE.test", true), want: federation.Created},
		"another domain":          {set: ours, who: somebody("1", "new@evil.test", true), code: federation.CodeDomain},
		"a domain below":          {set: ours, who: somebody("1", "new@sub.example.test", true), code: federation.CodeDomain},
		"a domain that ends so":   {set: ours, who: somebody("1", "new@notexample.test", true), code: federation.CodeDomain},
		"a domain nobody proved":  {set: ours, who: somebody("1", "new@example.test", false), code: federation.CodeDomain},
		"no domain at all":        {set: ours, who: somebody("1", "", false), code: federation.CodeDomain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.New(t)
			p := from(t, s)
			if tt.set != nil {
				p = changed(t, s, tt.set)
			}
			if tt.before != nil {
				tt.before(t, s)
			}
			before := storagetest.Dump(t, s.Durable)
			out, err := s.Federation.Resolve(t.Context(), p, tt.who)
			if err != nil || out.Decision != tt.want || fault.CodeOf(refusal(out)) != tt.code {
				t.Fatalf("it is %+v, %v; want %v %s", out, err, tt.want, tt.code)
			}
			if tt.want != federation.Created && storagetest.Dump(t, s.Durable) != before {
				t.Error("something changed")
			}
			if tt.security && !strings.HasPrefix(out.Refusal.Rule, "security §11.10 ") {
				t.Errorf("refused under %q", out.Refusal.Rule)
			}
			if got := len(s.Audit.Named(audit.IdentityRefused)); (got == 1) != (tt.code != "") {
				t.Errorf("%d refusals are on record", got)
			}
			if tt.want == federation.Proof && (out.Link == nil || out.Link.UserID != out.User.ID || out.Link.Upstream.Subject != "1") {
				t.Errorf("the flow would keep %+v", out.Link)
			}
		})
	}
}

func refusal(out federation.Outcome) error {
	if out.Refusal == nil {
		return nil
	}
	return out.Refusal
}

func changed(t *testing.T, s *stage.Stage, set func(*federation.Settings)) *federation.Provider {
	t.Helper()
	p, err := s.Federation.Change(t.Context(), "elsewhere", "", func(p *federation.Provider) error { set(&p.Settings); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheSecondSignInIsKnown(t *testing.T) {
	s := stage.New(t)
	p := from(t, s)
	first, err := s.Federation.Resolve(t.Context(), p, somebody("1", "ann@example.test", true))
	if err != nil || first.Decision != federation.Created || !first.User.EmailVerified || first.User.Name != "Ann Elsewhere" || first.User.Username != "ann" {
		t.Fatalf("it is %+v, %v", first, err)
	}
	// The address there may change, and be that of somebody else here: the
	// subject is who they are.
	local(t, s, "bob@example.test", true)
	again, err := s.Federation.Resolve(t.Context(), p, somebody("1", "bob@example.test", true))
	if err != nil || again.Decision != federation.Known || again.User.ID != first.User.ID || again.User.Email != "ann@example.test" {
		t.Errorf("it is %+v, %v", again, err)
	}
	// Another subject with the same address is somebody else.
	other, err := s.Federation.Resolve(t.Context(), p, somebody("2", "ann@example.test", true))
	if err != nil || other.Decision != federation.Proof {
		t.Errorf("it is %+v, %v", other, err)
	}
	if err := s.Users.Disable(t.Context(), first.User.ID); err != nil {
		t.Fatal(err)
	}
	out, err := s.Federation.Resolve(t.Context(), p, somebody("1", "ann@example.test", true))
	if err != nil || out.Decision != federation.Refused || out.Refusal.Code != federation.CodeDisabled {
		t.Errorf("somebody disabled: %+v, %v", out, err)
	}
	for name, n := range map[audit.Name]int{audit.IdentityLinked: 1, audit.UserCreated: 3, audit.EmailVerified: 1, audit.IdentityRefused: 1} {
		if got := s.Audit.Named(name); name != audit.UserCreated && len(got) != n {
			t.Errorf("the audit has %d of %s, want %d", len(got), name, n)
		}
	}
}

func TestFiftyFirstSignInsMakeOnePerson(t *testing.T) {
	s := stage.New(t)
	p := from(t, s)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		ids   = map[string]int{}
		start = make(chan struct{})
	)
	for range 50 {
		wg.Go(func() {
			<-start
			out, err := s.Federation.Resolve(t.Context(), p, somebody("1", "ann@example.test", true))
			if err != nil || out.User == nil || out.Decision != federation.Known && out.Decision != federation.Created {
				t.Errorf("it is %+v, %v", out, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[out.User.ID]++
		})
	}
	close(start)
	wg.Wait()
	if len(ids) != 1 || len(people(t, s)) != 1 {
		t.Errorf("they are %v, and %d people are there", ids, len(people(t, s)))
	}
}

func TestClaimsOfANewAccount(t *testing.T) {
	s := stage.New(t)
	p := from(t, s, func(set *federation.Settings) {
		set.Claims = map[string]string{"nickname": "short name", "name": "display"}
	})
	who := somebody("1", "ann@example.test", true)
	who.Claims = map[string]any{
		"display": "Ann Example", "name": "Not This", "short name": []any{"Annie", "A"}, "given_name": strings.Repeat("x", 300), "family_name": "Ex\u202eample",
		"preferred_username": "admin", "picture": "javascript:alert(1)", "locale": "not a language", "zoneinfo": "Europe/Paris", "phone_number": "+49 30 1",
		"roles": []any{"portico:admin"}, "email_verified": true, "disabled": false, "id": "mine",
	}
	out, err := s.Federation.Resolve(t.Context(), p, who)
	if err != nil || out.Decision != federation.Created {
		t.Fatalf("it is %+v, %v", out, err)
	}
	u := out.User
	want := user.User{
		ID: u.ID, Email: "ann@example.test", EmailVerified: true, Name: "Ann Example", Nickname: "Annie", Zoneinfo: "Europe/Paris", PhoneNumber: "+49 30 1",
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
	if fmt.Sprintf("%+v", *u) != fmt.Sprintf("%+v", want) {
		t.Errorf("they are %+v, want %+v", *u, want)
	}
}

func FuzzClaims(f *testing.F) {
	f.Add("name", "Ann", "preferred_username", "ann")
	f.Add("picture", "https://x.test/a.png", "locale", "de-CH")
	f.Add("given_name", "\x00\xff", "zoneinfo", "../../etc/passwd")
	f.Add("name", strings.Repeat("é", 500), "phone_number", "\u202e")
	f.Fuzz(func(t *testing.T, a, x, b, y string) {
		u := federation.Take(map[string]string{a: x, "name": b}, map[string]any{a: x, b: y, x: []any{y, x}})
		u.Email = "ann@example.test"
		before := u
		if err := user.Validate(&u); err != nil {
			t.Errorf("what was taken over cannot be kept: %v", err)
		}
		if fmt.Sprint(before) != fmt.Sprint(u) {
			t.Errorf("it is not as it is kept: %+v", before)
		}
		if len(u.Roles) > 0 || u.EmailVerified || u.Disabled || u.ID != "" || u.PhoneNumberVerified || user.Invisible(u.Name+u.Username+u.Nickname) {
			t.Errorf("more was taken over than may be: %+v", u)
		}
	})
}

func TestRolesFollowTheProvider(t *testing.T) {
	s := stage.New(t)
	set := func(set *federation.Settings) {
		set.RolesClaim, set.Roles = "groups", map[string]string{"Staff": "staff", "Editors": "editor", "Admins": user.Administrator}
	}
	p := from(t, s, set)
	who := somebody("1", "ann@example.test", true)
	sign := func(roles ...string) *user.User {
		t.Helper()
		who.Roles = roles
		out, err := s.Federation.Resolve(t.Context(), p, who)
		if err != nil || out.User == nil {
			t.Fatalf("it is %+v, %v", out, err)
		}
		return out.User
	}
	roles := func(u *user.User) string { slices.Sort(u.Roles); return strings.Join(u.Roles, " ") }
	if got := roles(sign("editor", "staff")); got != "editor staff" {
		t.Errorf("at first they have %q", got)
	}
	id := people(t, s)[0].ID
	if _, err := s.Users.Change(t.Context(), id, func(_ context.Context, u *user.User) error { u.Roles = append(u.Roles, "own"); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		says []string
		want string
	}{
		{[]string{"staff"}, "own staff"},
		{[]string{"own"}, "own"},
		{nil, "own"}, // it was theirs before the provider said so
		{[]string{user.Administrator}, "own portico:admin"},
		{nil, "own"},
		{nil, "own"},
	} {
		if got := roles(sign(step.says...)); got != step.want {
			t.Errorf("when it says %v they have %q, want %q", step.says, got, step.want)
		}
	}
	sign("staff")
	ids, err := s.Federation.Identities(t.Context(), id)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	if err := s.Passwords.Set(t.Context(), id, "a phrase that nobody has used 42"); err != nil {
		t.Fatal(err)
	}
	if err := s.Federation.Unlink(t.Context(), federation.Unlinking{UserID: id, ID: ids[0].ID, Actor: id}); err != nil {
		t.Fatal(err)
	}
	if u, _ := s.Users.Get(t.Context(), id); roles(u) != "own" {
		t.Errorf("after the unlinking they have %q", roles(u))
	}
}

func TestRolesLeaveWithTheirProvider(t *testing.T) {
	s := stage.New(t)
	p := from(t, s, func(set *federation.Settings) {
		set.RolesClaim, set.Roles = "groups", map[string]string{"Admins": user.Administrator}
	})
	who := somebody("1", "ann@example.test", true)
	who.Roles = []string{user.Administrator}
	out, err := s.Federation.Resolve(t.Context(), p, who)
	if err != nil || !out.User.Administers() {
		t.Fatalf("it is %+v, %v", out, err)
	}
	if err := s.Federation.Delete(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if u, err := s.Users.Get(t.Context(), out.User.ID); err != nil || len(u.Roles) != 0 {
		t.Errorf("she has %v, %v", u.Roles, err)
	}
}

func TestLinking(t *testing.T) {
	s := stage.New(t)
	p := from(t, s)
	ann, bob := local(t, s, "ann@example.test", true), local(t, s, "bob@example.test", true)
	out, err := s.Federation.Resolve(t.Context(), p, somebody("1", "ann@example.test", true))
	if err != nil || out.Decision != federation.Proof {
		t.Fatal(out, err)
	}
	for range 2 { // repeating it changes nothing
		if err := s.Federation.Link(t.Context(), out.Link); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Audit.Named(audit.IdentityLinked); len(got) != 1 || got[0].UserID != ann.ID {
		t.Errorf("the audit has %+v", got)
	}
	out, err = s.Federation.Resolve(t.Context(), p, somebody("1", "ann@example.test", true))
	if err != nil || out.Decision != federation.Known || out.User.ID != ann.ID {
		t.Errorf("after linking it is %+v, %v", out, err)
	}
	link := func(change func(l *flow.Link)) error {
		l := flow.Link{UserID: bob.ID, At: clock.Now(), Upstream: flow.Upstream{Provider: "elsewhere", Issuer: "https://elsewhere.test", Subject: "2"}}
		change(&l)
		return s.Federation.Link(t.Context(), &l)
	}
	for name, tt := range map[string]struct {
		change func(l *flow.Link)
		want   fault.Kind
	}{
		"what somebody else has":   {func(l *flow.Link) { l.Upstream.Subject = "1" }, fault.Conflict},
		"after an hour":            {func(l *flow.Link) { l.At = clock.Now().Add(-time.Hour - time.Second) }, fault.Gone},
		"before it happened":       {func(l *flow.Link) { l.At = clock.Now().Add(time.Hour) }, fault.Gone},
		"of a provider that is no": {func(l *flow.Link) { l.Upstream.Provider = "gone" }, fault.Gone},
		"of a person who is no":    {func(l *flow.Link) { l.UserID = "nobody" }, fault.Gone},
	} {
		if err := link(tt.change); !fault.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Users.Disable(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	if err := link(func(*flow.Link) {}); !fault.Is(err, fault.Gone) {
		t.Errorf("of somebody disabled: %v", err)
	}
	if err := s.Federation.Connect(t.Context(), p, somebody("3", "whatever@example.test", false), ann.ID); err != nil {
		t.Errorf("who is signed in connects: %v", err)
	}
	p = changed(t, s, func(set *federation.Settings) { set.Domains = []string{"example.test"} })
	if err := s.Federation.Connect(t.Context(), p, somebody("4", "a@evil.test", true), ann.ID); fault.CodeOf(err) != federation.CodeDomain {
		t.Errorf("of another domain: %v", err)
	}
}

func TestIdentitiesAreBounded(t *testing.T) {
	s := stage.New(t)
	p := from(t, s)
	ann := local(t, s, "ann@example.test", true)
	for n := range 20 {
		if err := s.Federation.Connect(t.Context(), p, somebody(fmt.Sprint(n), "", false), ann.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Federation.Connect(t.Context(), p, somebody("20", "", false), ann.ID); !fault.Is(err, fault.Conflict) {
		t.Errorf("one too many: %v", err)
	}
}

func TestTheLastWayInStays(t *testing.T) {
	s := stage.New(t)
	p := from(t, s)
	out, err := s.Federation.Resolve(t.Context(), p, somebody("1", "ann@example.test", true))
	if err != nil {
		t.Fatal(err)
	}
	ann := out.User.ID
	unlink := func(n int) error {
		ids, err := s.Federation.Identities(t.Context(), ann)
		if err != nil || len(ids) <= n {
			t.Fatal(ids, err)
		}
		return s.Federation.Unlink(t.Context(), federation.Unlinking{UserID: ann, ID: ids[n].ID, Actor: ann})
	}
	if err := unlink(0); !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != federation.CodeLastWay {
		t.Errorf("the only one: %v", err)
	}
	if err := s.Federation.Connect(t.Context(), p, somebody("2", "", false), ann); err != nil {
		t.Fatal(err)
	}
	// Of two that go at once, one stays.
	ids, err := s.Federation.Identities(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			errs[n] = s.Federation.Unlink(t.Context(), federation.Unlinking{UserID: ann, ID: ids[n].ID, Actor: ann})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || fault.CodeOf(errors.Join(errs...)) == "" {
		t.Errorf("of two at once: %v", errs)
	}
	if _, err := s.Users.Change(t.Context(), ann, func(_ context.Context, u *user.User) error { u.Factors = []string{"passkey"}; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := unlink(0); err != nil {
		t.Errorf("with a passkey: %v", err)
	}
	if err := s.Federation.Unlink(t.Context(), federation.Unlinking{UserID: ann, ID: ids[0].ID, Actor: ann}); !fault.Is(err, fault.NotFound) {
		t.Errorf("one that is gone: %v", err)
	}
	if got := s.Audit.Named(audit.IdentityUnlinked); len(got) != 2 {
		t.Errorf("the audit has %+v", got)
	}
}

// session starts one of the person that comes from the subject there.
func begin(t *testing.T, s *stage.Stage, userID, subject, sid string) *session.Session {
	t.Helper()
	_, started, err := s.Sessions.Start(t.Context(), session.Start{UserID: userID})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Federation.Started(t.Context(), started, &flow.Upstream{
		Provider: "elsewhere", Issuer: "https://elsewhere.test", Subject: subject, Session: sid, IDToken: "the.id.token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return started
}

func ended(t *testing.T, s *stage.Stage, id string) bool {
	t.Helper()
	found, err := s.Durable.Sessions.ByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return !found.EndedAt.IsZero()
}

func TestUnlinkingEndsWhatCameFromThere(t *testing.T) {
	s := stage.New(t)
	p := from(t, s)
	ann := local(t, s, "ann@example.test", true)
	for _, subject := range []string{"1", "2"} {
		if err := s.Federation.Connect(t.Context(), p, somebody(subject, "", false), ann.ID); err != nil {
			t.Fatal(err)
		}
	}
	here, there, other := begin(t, s, ann.ID, "1", ""), begin(t, s, ann.ID, "1", ""), begin(t, s, ann.ID, "2", "")
	ids, _ := s.Federation.Identities(t.Context(), ann.ID)
	if err := s.Federation.Unlink(t.Context(), federation.Unlinking{UserID: ann.ID, ID: ids[0].ID, Actor: ann.ID, SessionID: here.ID}); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{here.ID: false, there.ID: true, other.ID: false} {
		if got := ended(t, s, id); got != want {
			t.Errorf("a session ended: %v, want %v", got, want)
		}
	}
	if strings.Contains(storagetest.Dump(t, s.Durable), "the.id.token") {
		t.Error("the ID token is kept in the clear")
	}
	o, token, err := s.Federation.OriginOf(t.Context(), here.ID)
	if err != nil || token != "the.id.token" || o.Provider != "elsewhere" {
		t.Errorf("the session comes from %+v, %q, %v", o, token, err)
	}
}

func TestTheLogoutThereEndsTheSessionsHere(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	elsewhere(t, s, p)
	ann, bob := local(t, s, "ann@example.test", true), local(t, s, "bob@example.test", true)
	start := func(u *user.User, issuer, subject, sid string) string {
		_, started, err := s.Sessions.Start(t.Context(), session.Start{UserID: u.ID})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Federation.Started(t.Context(), started, &flow.Upstream{Provider: "elsewhere", Issuer: issuer, Subject: subject, Session: sid}); err != nil {
			t.Fatal(err)
		}
		return started.ID
	}
	one, two, his, foreign := start(ann, p.URL, "subject", "sid 1"), start(ann, p.URL, "subject", "sid 2"), start(bob, p.URL, "other", "sid 3"), start(ann, "https://another.test", "subject", "sid 1")
	check := func(when string, want map[string]bool) {
		t.Helper()
		for id, over := range want {
			if got := ended(t, s, id); got != over {
				t.Errorf("%s: a session ended: %v, want %v", when, got, over)
			}
		}
	}
	s.Replay.SetDown(true)
	raw := logoutToken(p, func(c map[string]any) { delete(c, "sub"); c["sid"] = "sid 1" })
	if err := s.Federation.Logout(t.Context(), "elsewhere", raw); !fault.Is(err, fault.Unavailable) {
		t.Errorf("while it cannot be told whether it was taken: %v", err)
	}
	s.Replay.SetDown(false)
	check("when nothing could be told", map[string]bool{one: false, two: false, his: false, foreign: false})
	if err := s.Federation.Logout(t.Context(), "elsewhere", raw); err != nil {
		t.Fatal(err)
	}
	check("after the end of one session there", map[string]bool{one: true, two: false, his: false, foreign: false})
	if err := s.Federation.Logout(t.Context(), "elsewhere", raw); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(fault.As(err).Rule, "OIDC Back-Channel Logout §2.6 step 8") {
		t.Errorf("a second time: %v", err)
	}
	if err := s.Federation.Logout(t.Context(), "elsewhere", logoutToken(p, func(c map[string]any) { c["jti"] = "token 2" })); err != nil {
		t.Fatal(err)
	}
	check("after the end of the subject there", map[string]bool{one: true, two: true, his: false, foreign: false})
	if got := s.Audit.Named(audit.UpstreamLogout); len(got) != 2 {
		t.Errorf("the audit has %+v", got)
	}
}
