package login_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

// directory is one that knows some people, and notes what it is asked.
type directory struct {
	people map[string]*login.Arrival // by name and password
	denied string                    // the name of who is right and not let in
	down   bool

	mu     sync.Mutex
	asked  []string // what was said to it
	looked int
}

const there = "corp"

func (d *directory) Any(_ context.Context, allows func(string) bool) (bool, error) {
	return allows(there), nil
}

func (d *directory) Authenticate(_ context.Context, allows func(string) bool, name, plain string) (*login.Arrival, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, name+" "+plain)
	switch found := d.people[name+" "+plain]; {
	case !allows(there):
		return nil, fault.New(fault.Internal, "", "asked although it is not allowed")
	case d.down:
		return nil, d.silent()
	case found != nil:
		return found, nil
	case name == d.denied:
		return nil, fault.New(fault.Denied, "upstream_no_account", "").Under("an account is made")
	}
	return nil, fault.New(fault.Unauthenticated, "login_failed", "").Under("RFC 4513 §5.1.3 the directory").Compare("directory corp", "accepted", "wrong")
}

func (d *directory) Lookup(context.Context, func(string) bool, string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looked++
	if d.down {
		return d.silent()
	}
	return nil
}

func (d *directory) Down(context.Context, func(string) bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return d.silent()
	}
	return nil
}

func (d *directory) silent() error {
	return fault.New(fault.Unavailable, login.CodeDirectory, "").After(15 * time.Second)
}

func (d *directory) heard() (asked []string, looked int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked, looked = d.asked, d.looked
	d.asked, d.looked = nil, 0
	return asked, looked
}

// withDirectory is a stage with a directory that knows Dora by the name dora.
func withDirectory(t *testing.T, change ...func(*client.Client)) (*stage.Pages, *directory, *user.User) {
	t.Helper()
	d := &directory{people: map[string]*login.Arrival{}}
	r := stage.NewPages(t, change...)
	r.Login.Directories = d
	dora, err := r.Users.Create(ctx, user.User{Email: "dora@example.test", Name: "Dora"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.people["dora right"] = &login.Arrival{User: dora, Upstream: &flow.Upstream{Provider: there, Issuer: "ldap:corp", Subject: "1"}}
	return r, d, dora
}

func TestPeopleOfADirectorySignIn(t *testing.T) {
	r, d, dora := withDirectory(t)
	b := r.Browser()
	at := stage.Follow(t, b.Submit(r.Begin(t, b, ""), "username", "dora", "password", "right"))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("after the login: %q, want the consent page", at)
	}
	events := r.Audit.Named(audit.LoginSucceeded)
	if len(events) != 1 || events[0].UserID != dora.ID || events[0].Data["provider"] != there || events[0].Data["amr"] != "pwd" {
		t.Errorf("audit has %+v", events)
	}
	if asked, looked := d.heard(); len(asked) != 1 || looked != 0 {
		t.Errorf("asked %d times, looked %d times", len(asked), looked)
	}
}

func TestADirectoryNeverSeesALocalPassword(t *testing.T) {
	r, d, _ := withDirectory(t)
	r.Person(t, "ann@example.test")
	for name, tt := range map[string]struct {
		password string
		status   int
	}{"right": {stage.Password, http.StatusSeeOther}, "wrong": {"of the directory", http.StatusOK}} {
		t.Run(name, func(t *testing.T) {
			b := r.Browser()
			if a := b.Submit(r.Begin(t, b, ""), "username", "ann@example.test", "password", tt.password); a.Status != tt.status {
				t.Errorf("status %d, want %d", a.Status, tt.status)
			}
			asked, looked := d.heard()
			if len(asked) != 0 || tt.status == http.StatusOK && looked != 1 {
				t.Errorf("the directory heard %q and was asked about the name %d times", asked, looked)
			}
		})
	}
}

// Whoever does not get in reads one page, whether they exist here, there, or
// nowhere, and the directory is asked each time.
func TestNobodyLearnsWhereSomebodyIsKnown(t *testing.T) {
	for _, down := range []bool{true, false} {
		r, d, _ := withDirectory(t)
		d.down = down
		r.Person(t, "ann@example.test")
		off := r.Person(t, "off@example.test")
		if err := r.Users.Disable(ctx, off.ID); err != nil {
			t.Fatal(err)
		}
		gone := *d.people["dora right"].User
		gone.Disabled = true
		d.people["gone right"] = &login.Arrival{User: &gone}
		var first []string
		for i, who := range []string{"nobody x", "ann@example.test wrong", "off@example.test wrong", "dora wrong", "dora@example.test wrong", "gone right"} {
			name, password, _ := strings.Cut(who, " ")
			// Each from an address of its own, or the headers count.
			answers := attemptsFrom(t, r, fmt.Sprintf("198.51.%d.1:1", 100+i), 7, name, password)
			if asked, looked := d.heard(); len(asked)+looked < 5 {
				t.Errorf("down %v: %q asks the directory %d times", down, who, len(asked)+looked)
			}
			for n := range answers {
				shown := stage.Alike(answers[n], name)
				if i == 0 {
					first = append(first, shown)
				} else if shown != first[n] {
					t.Errorf("down %v: %q reads another page at attempt %d:\n%s\nwant\n%s", down, who, n+1, shown, first[n])
				}
			}
			if want := map[bool]int{false: http.StatusOK, true: http.StatusServiceUnavailable}[down]; answers[0].Status != want {
				t.Errorf("down %v: %q is answered %d", down, who, answers[0].Status)
			}
		}
	}
}

func TestADirectoryThatIsDown(t *testing.T) {
	r, d, _ := withDirectory(t)
	r.Person(t, "ann@example.test")
	d.down = true
	t.Run("is no wrong password", func(t *testing.T) {
		b := r.Browser()
		at := r.Begin(t, b, "")
		for range 30 {
			answer := b.Submit(at, "username", "dora", "password", "right")
			if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "15" || !strings.Contains(answer.Body, "directory of your organisation") {
				t.Fatalf("status %d, Retry-After %q", answer.Status, answer.Header.Get("Retry-After"))
			}
		}
		if n := len(r.Audit.Named(audit.LoginFailed)); n != 0 {
			t.Errorf("%d failed logins in the audit", n)
		}
	})
	t.Run("keeps nobody out who has a password here", func(t *testing.T) {
		b := r.Browser()
		if at := stage.Follow(t, b.Submit(r.Begin(t, b, ""), "username", "ann@example.test", "password", stage.Password)); !stage.IsPage(at, "/consent") {
			t.Errorf("at %q", at)
		}
	})
	t.Run("OWASP ASVS 6.3.1 lets nobody guess passwords of here", func(t *testing.T) {
		b := r.Browser()
		at := r.Begin(t, b, "")
		for range 5 {
			b.Submit(at, "username", "ann@example.test", "password", "guess")
		}
		if n := len(r.Audit.Named(audit.LoginFailed)); n != 5 {
			t.Errorf("%d failed logins in the audit, want 5", n)
		}
		answer := b.Submit(at, "username", "ann@example.test", "password", stage.Password)
		if answer.Status != http.StatusServiceUnavailable || len(r.Audit.Named(audit.LoginThrottled)) != 1 {
			t.Errorf("the sixth is answered %d", answer.Status)
		}
		d.down = false
		if answer := b.Submit(at, "username", "ann@example.test", "password", stage.Password); answer.Status != http.StatusTooManyRequests {
			t.Errorf("and later %d", answer.Status)
		}
	})
}

func TestWhoIsRightThereAndNotLetInHere(t *testing.T) {
	r, d, _ := withDirectory(t)
	t.Run("is told so", func(t *testing.T) {
		d.denied = "stranger"
		b := r.Browser()
		answer := b.Submit(r.Begin(t, b, ""), "username", "stranger", "password", "right")
		if answer.Status != http.StatusForbidden || !strings.Contains(answer.Body, "does not let you in here") || b.Cookie(stage.SessionCookie) != "" {
			t.Errorf("status %d", answer.Status)
		}
	})
	t.Run("security §11.10 proves an account that has their address first", func(t *testing.T) {
		ann := r.Person(t, "ann@example.test")
		linked := &linker{}
		r.Login.Linker = linked
		d.people["annie right"] = &login.Arrival{Elsewhere: &flow.Elsewhere{Provider: there, Name: "Corp"}, Link: &flow.Link{UserID: ann.ID, Email: "ann@example.test", Label: "annie", At: time.Now(), Upstream: flow.Upstream{Provider: there, Issuer: "ldap:corp", Subject: "2"}}}
		b := r.Browser()
		at := r.Begin(t, b, "")
		answer := b.Submit(at, "username", "annie", "password", "right")
		if to := stage.Follow(t, answer); !stage.IsPage(to, "/login/link") || b.Cookie(stage.SessionCookie) != "" {
			t.Fatalf("led to %q, want the page that tells the way forward", to)
		}
		if body := b.Get(at).Body; !strings.Contains(body, `value="ann@example.test"`) || !strings.Contains(body, "Corp") {
			t.Error("the form does not ask for the account of the address")
		}
		r.Person(t, "ben@example.test")
		stage.Follow(t, b.Submit(at, "username", "ann@example.test", "password", stage.Password))
		if len(linked.links) != 1 || linked.links[0].UserID != ann.ID || linked.links[0].Upstream.Subject != "2" {
			t.Errorf("tied %+v", linked.links)
		}
	})
	t.Run("security §11.10 and nobody else gets it", func(t *testing.T) {
		linked := &linker{}
		r.Login.Linker = linked
		b := r.Browser()
		at := r.Begin(t, b, "")
		b.Submit(at, "username", "annie", "password", "right")
		stage.Follow(t, b.Submit(at, "username", "ben@example.test", "password", stage.Password))
		if len(linked.links) != 0 {
			t.Errorf("tied %+v", linked.links)
		}
	})
}

type linker struct {
	links []flow.Link
	login.Linker
}

func (l *linker) Link(_ context.Context, link *flow.Link) error {
	l.links = append(l.links, *link)
	return nil
}

func TestWaysOfAnApplication(t *testing.T) {
	tests := map[string]struct {
		ways       []string
		here, elss bool
	}{
		"all":             {nil, true, true},
		"without it":      {[]string{client.WayLocal}, true, false},
		"nothing else":    {[]string{there}, false, true},
		"another":         {[]string{"other"}, false, false},
		"both by name":    {[]string{there, client.WayLocal}, true, true},
		"local and other": {[]string{client.WayLocal, "other"}, true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, _, _ := withDirectory(t, func(c *client.Client) { c.Ways = tt.ways })
			r.Person(t, "ann@example.test")
			for who, want := range map[string]bool{"ann@example.test": tt.here, "dora": tt.elss} {
				password := map[bool]string{true: stage.Password, false: "right"}[who != "dora"]
				b := r.Browser()
				answer := b.Submit(r.Begin(t, b, ""), "username", who, "password", password)
				if in := answer.Status == http.StatusSeeOther; in != want {
					t.Errorf("%s: status %d, want in %v", who, answer.Status, want)
				}
			}
		})
	}
}
