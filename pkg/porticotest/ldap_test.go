//go:build unix

package porticotest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage/throwaway"
)

const corpPeople = "ou=people," + throwaway.SlapdBase

// corp gives a server a directory with Dora, who is an editor, and Bob, whose
// address the demo's Bob has.
func corp(t *testing.T, s *porticotest.Server, change ...func(*federation.Settings)) *throwaway.SlapdServer {
	t.Helper()
	dir := throwaway.Slapd(t)
	add := func(dn, more string) { dir.Change("dn: " + dn + "\nchangetype: add\n" + more) }
	add(corpPeople, "objectClass: organizationalUnit\n")
	add("uid=search,"+throwaway.SlapdBase, "objectClass: inetOrgPerson\nuid: search\ncn: Search\nsn: Search\nuserPassword: search-secret\n")
	add("uid=dora,"+corpPeople, "objectClass: inetOrgPerson\nuid: dora\ncn: Dora Corp\nsn: Corp\ngivenName: Dora\nmail: dora@corp.test\nuserPassword: of-dora\n")
	add("uid=robert,"+corpPeople, "objectClass: inetOrgPerson\nuid: robert\ncn: Bob\nsn: Example\nmail: "+server.DemoPeople[1]+"\nuserPassword: of-bob\n")
	add("cn=editors,"+throwaway.SlapdBase, "objectClass: groupOfNames\nmember: uid=dora,"+corpPeople+"\nmember: uid=robert,"+corpPeople+"\n")
	set := federation.Settings{
		Directory: &federation.Directory{
			URL: dir.URL(), RootsFile: dir.Roots(), BindDN: "uid=search," + throwaway.SlapdBase, BaseDN: corpPeople, Filter: "(|(uid=%s)(mail=%s))",
		},
		Create: true, Roles: map[string]string{"cn=editors," + throwaway.SlapdBase: "editor"},
	}
	for _, f := range change {
		f(&set)
	}
	if _, err := s.Federation.Create(t.Context(), federation.Provider{ID: "corp", Kind: federation.LDAP, Name: "Corp", Settings: set}, "search-secret"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// enterBy signs a new browser in with name and password, and allows what is
// asked.
func enterBy(s *porticotest.Server, b *porticotest.Browser, app porticotest.App, name, password string) *porticotest.Page {
	page := b.Get(s.AuthorizeURL(app, "openid profile email roles"))
	page = page.Submit(map[string]string{"username": name, "password": password}, "", "")
	if page.Has("consent-allow") {
		page = page.Submit(nil, "decision", "allow")
	}
	return page
}

// told returns what the application learns of who signed in.
func told(t *testing.T, s *porticotest.Server, app porticotest.App, page *porticotest.Page) map[string]any {
	t.Helper()
	if !page.Left {
		t.Fatalf("not at the application but at %s (%d): %s", page.URL.Path, page.Status, page.Text())
	}
	tokens := s.Exchange(app, page.URL.Query().Get("code"))
	return s.Fetch(protocol.PathUserinfo, tokens.Text("access_token")).JSON
}

func TestPeopleOfADirectorySignInToApplications(t *testing.T) {
	s := porticotest.New(t)
	dir := corp(t, s)
	first := told(t, s, porticotest.Web, enterBy(s, s.NewBrowser(), porticotest.Web, "dora", "of-dora"))
	for claim, want := range map[string]string{
		"name": "Dora Corp", "given_name": "Dora", "email": "dora@corp.test", "email_verified": "true", "preferred_username": "dora", "roles": "[editor]",
	} {
		if got := fmt.Sprint(first[claim]); got != want {
			t.Errorf("%s is %s, want %s", claim, got, want)
		}
	}

	// She leaves the group, and has another name from now on.
	dir.Change("dn: cn=editors," + throwaway.SlapdBase + "\nchangetype: modify\ndelete: member\nmember: uid=dora," + corpPeople + "\n")
	dir.Change("dn: uid=dora," + corpPeople + "\nchangetype: modrdn\nnewrdn: uid=theodora\ndeleteoldrdn: 1\n")
	next := told(t, s, porticotest.Web, enterBy(s, s.NewBrowser(), porticotest.Web, "theodora", "of-dora"))
	if next["sub"] != first["sub"] || strings.Contains(fmt.Sprint(next["roles"]), "editor") {
		t.Errorf("after she left the group: %v, want the same person without the role", next)
	}

	// She comes back to it.
	dir.Change("dn: cn=editors," + throwaway.SlapdBase + "\nchangetype: modify\nadd: member\nmember: uid=theodora," + corpPeople + "\n")
	if again := told(t, s, porticotest.Web, enterBy(s, s.NewBrowser(), porticotest.Web, "dora@corp.test", "of-dora")); fmt.Sprint(again["roles"]) != "[editor]" {
		t.Errorf("after she came back: roles %v", again["roles"])
	}
	if page := enterBy(s, s.NewBrowser(), porticotest.Web, "theodora", "wrong"); page.Left || page.Status != http.StatusOK || !strings.Contains(page.Text(), "do not match") {
		t.Errorf("with a wrong password: %d %s", page.Status, page.Text())
	}

	// Disabled here, she reads what everybody reads.
	if err := s.Users.Disable(t.Context(), first["sub"].(string)); err != nil {
		t.Fatal(err)
	}
	if page := enterBy(s, s.NewBrowser(), porticotest.Web, "theodora", "of-dora"); page.Left || !strings.Contains(page.Text(), "do not match") {
		t.Errorf("disabled: %d %s", page.Status, page.Text())
	}
}

func TestADirectoryTiesToAnAccountAfterItsProof(t *testing.T) {
	s := porticotest.New(t)
	corp(t, s)
	bob, err := s.Users.ByIdentifier(t.Context(), server.DemoPeople[1])
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBrowser()
	page := enterBy(s, b, porticotest.Web, "robert", "of-bob")
	if page.URL.Path != protocol.PathLoginLink || !strings.Contains(page.Text(), "Corp") || !strings.Contains(page.Text(), server.DemoPeople[1]) {
		t.Fatalf("an address that an account has: %s %d %s", page.URL.Path, page.Status, page.Text())
	}
	if got := b.Get(strings.Replace(page.URL.String(), protocol.PathLoginLink, protocol.PathLogin, 1)).Value("username"); got != server.DemoPeople[1] {
		t.Errorf("the form asks for %q, want the account of the address", got)
	}
	if ids, err := s.Federation.Identities(t.Context(), bob.ID); err != nil || len(ids) != 0 {
		t.Fatalf("tied before the proof: %+v, %v", ids, err)
	}
	page = b.Get(strings.Replace(page.URL.String(), protocol.PathLoginLink, protocol.PathLogin, 1))
	page = page.Submit(map[string]string{"username": server.DemoPeople[1], "password": server.DemoPassword}, "", "")
	if page.Has("consent-allow") {
		page = page.Submit(nil, "decision", "allow")
	}
	if who := told(t, s, porticotest.Web, page); who["sub"] != bob.ID {
		t.Errorf("signed in as %v", who)
	}
	ids, err := s.Federation.Identities(t.Context(), bob.ID)
	if err != nil || len(ids) != 1 || ids[0].Issuer != "ldap:corp" {
		t.Fatalf("tied %+v, %v", ids, err)
	}
	who := told(t, s, porticotest.Web, enterBy(s, s.NewBrowser(), porticotest.Web, "robert", "of-bob"))
	if who["sub"] != bob.ID || fmt.Sprint(who["roles"]) != "[editor]" {
		t.Errorf("from now on: %v", who)
	}
	// His address is of an account with a password: the directory is not asked.
	if page := enterBy(s, s.NewBrowser(), porticotest.Web, server.DemoPeople[1], "of-bob"); page.Left {
		t.Error("the directory's password lets him in under the name of the account here")
	}
}

func TestAnOperatorTiesADirectoryToAnAccount(t *testing.T) {
	s := porticotest.New(t)
	dir := corp(t, s)
	alice, err := s.Users.ByIdentifier(t.Context(), server.DemoPeople[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Federation.Appoint(t.Context(), alice.ID, "corp", dir.UUID("uid=dora,"+corpPeople), "shell"); err != nil {
		t.Fatal(err)
	}
	if who := told(t, s, porticotest.Web, enterBy(s, s.NewBrowser(), porticotest.Web, "dora", "of-dora")); who["sub"] != alice.ID {
		t.Errorf("signed in as %v", who)
	}
}

func TestADirectoryThatIsDownKeepsNobodyElseOut(t *testing.T) {
	s := porticotest.New(t)
	dir := corp(t, s)
	dir.Kill()
	for range 3 {
		page := enterBy(s, s.NewBrowser(), porticotest.Web, "dora", "of-dora")
		if page.Status != http.StatusServiceUnavailable || !strings.Contains(page.Text(), "directory of your organisation does not answer") {
			t.Fatalf("somebody of the directory: %d %s", page.Status, page.Text())
		}
	}
	if page := enterBy(s, s.NewBrowser(), porticotest.Web, server.DemoPeople[0], server.DemoPassword); !page.Left {
		t.Errorf("somebody with a password here: %d %s", page.Status, page.Text())
	}
	if page := enterBy(s, s.NewBrowser(), porticotest.Web, server.DemoPeople[0], "wrong"); page.Status != http.StatusServiceUnavailable {
		t.Errorf("a wrong password here: %d, want what everybody reads", page.Status)
	}
	if n := recorded(s, audit.ProviderFailed); n != 2 {
		t.Errorf("%d failures on record, want the two questions that were asked", n)
	}
}

func TestADirectoryAmongTheWaysOfAnApplication(t *testing.T) {
	s := porticotest.New(t)
	corp(t, s)
	ways := func(ways ...string) {
		t.Helper()
		c, err := s.Clients.Get(t.Context(), server.DemoWeb)
		if err != nil {
			t.Fatal(err)
		}
		changed := *c
		changed.Ways = ways
		if _, err := s.Clients.Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		ways       []string
		dora, here bool
	}{
		"only it":    {[]string{"corp"}, true, false},
		"without it": {[]string{client.WayLocal}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			ways(tt.ways...)
			if page := enterBy(s, s.NewBrowser(), porticotest.Web, "dora", "of-dora"); page.Left != tt.dora {
				t.Errorf("somebody of the directory: %d %s", page.Status, page.Text())
			}
			if page := enterBy(s, s.NewBrowser(), porticotest.Web, server.DemoPeople[0], server.DemoPassword); page.Left != tt.here {
				t.Errorf("somebody with a password here: %d %s", page.Status, page.Text())
			}
		})
	}
}

func TestADirectoryThatMakesNoAccounts(t *testing.T) {
	s := porticotest.New(t)
	corp(t, s, func(set *federation.Settings) { set.Create = false })
	page := enterBy(s, s.NewBrowser(), porticotest.Web, "dora", "of-dora")
	if page.Left || page.Status != http.StatusForbidden || !strings.Contains(page.Text(), "does not let you in here") {
		t.Errorf("a stranger: %d %s", page.Status, page.Text())
	}
	if _, err := s.Users.ByIdentifier(t.Context(), "dora@corp.test"); err == nil {
		t.Error("an account was made")
	}
	if n := recorded(s, audit.IdentityRefused); n != 1 {
		t.Errorf("%d refusals on record, want 1", n)
	}
}

// recorded counts the events of a name in the log, where each is written.
func recorded(s *porticotest.Server, name audit.Name) int {
	return strings.Count(s.Log.String(), `"msg":"`+string(name)+`"`)
}
