package ldap_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/federation/ldap"
	"github.com/portico-id/portico/storage/throwaway"
)

func TestMain(m *testing.M) { os.Exit(throwaway.Main(m)) }

const (
	people = "ou=people," + throwaway.SlapdBase
	search = "uid=portico," + throwaway.SlapdBase
	secret = "search-secret"
)

// company is a directory with people and groups.
func company(t *testing.T) *throwaway.SlapdServer {
	t.Helper()
	s := throwaway.Slapd(t)
	s.Change(`dn: ` + search + `
changetype: add
objectClass: inetOrgPerson
uid: portico
cn: Portico
sn: Portico
userPassword: ` + secret + `

dn: ` + people + `
changetype: add
objectClass: organizationalUnit

dn: ou=groups,` + throwaway.SlapdBase + `
changetype: add
objectClass: organizationalUnit
`)
	person(s, "ann", "uid=ann", "displayName: Ann Arbor\ngivenName: Ann\nmail: ann@example.test\nmail: a.arbor@example.test\ntelephoneNumber: +1 555 0100\npreferredLanguage: de, en;q=0.5\n")
	person(s, "bob", "uid=bob", "")
	person(s, "twin", "uid=twin", "")
	person(s, "twin", "cn=other twin", "")
	person(s, "star*", "uid=star*", "")
	person(s, "odd", `cn=Smith\, (John) *\\`, "")
	s.Change("dn: uid=none," + people + "\nchangetype: add\nobjectClass: inetOrgPerson\nuid: none\ncn: None\nsn: None\n")
	group(s, "staff", "uid=ann,"+people, "uid=bob,"+people, `cn=Smith\, (John) *\\,`+people)
	group(s, "admins", "uid=bob,"+people)
	// Its name holds what would be another group's.
	group(s, `x\,cn=admins\,ou=groups`, "uid=ann,"+people)
	return s
}

func person(s *throwaway.SlapdServer, uid, rdn, more string) {
	s.Change("dn: " + rdn + "," + people + "\nchangetype: add\nobjectClass: inetOrgPerson\nuid: " + uid + "\ncn: " + uid + "\nsn: Of " + uid +
		"\nuserPassword: right-" + uid + "\n" + more)
}

func group(s *throwaway.SlapdServer, cn string, members ...string) {
	ldif := "dn: cn=" + cn + ",ou=groups," + throwaway.SlapdBase + "\nchangetype: add\nobjectClass: groupOfNames\n"
	for _, m := range members {
		ldif += "member: " + m + "\n"
	}
	s.Change(ldif)
}

func settings(s *throwaway.SlapdServer) federation.Settings {
	return federation.Settings{Directory: &federation.Directory{
		URL: s.TLSURL(), RootsFile: s.Roots(), BindDN: search, BaseDN: people, Filter: "(|(uid=%s)(mail=%s))",
	}}
}

func open(t *testing.T, s federation.Settings) *ldap.Directory {
	t.Helper()
	d, err := ldap.New(&federation.Provider{ID: "corp", Kind: federation.LDAP, Settings: s}, secret)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhoGetsIn(t *testing.T) {
	s := company(t)
	d := open(t, settings(s))
	tests := map[string]struct{ name, password, want string }{
		"by name":               {"ann", "right-ann", "ann@example.test"},
		"by address":            {"ann@example.test", "right-ann", "ann@example.test"},
		"by the second address": {"a.arbor@example.test", "right-ann", "ann@example.test"},
		"whatever the case":     {" ANN ", "right-ann", "ann@example.test"},
		"without an address":    {"bob", "right-bob", "bob"},
		"a name that is escaped for the filter, and a DN that is escaped": {"odd", "right-odd", "odd"},
		"RFC 4515 §3 an asterisk stands for itself":                       {"star*", "right-star*", "star*"},

		"wrong password":                      {"ann", "right-bob", ""},
		"RFC 4513 §5.1.2 empty password":      {"ann", "", ""},
		"endless password":                    {"ann", strings.Repeat("x", 1025), ""},
		"no password there":                   {"none", "right-none", ""},
		"unknown":                             {"eve", "right-eve", ""},
		"nothing typed":                       {"", "right-ann", ""},
		"two people":                          {"twin", "right-twin", ""},
		"RFC 4515 §3 everybody":               {"*", "right-ann", ""},
		"RFC 4515 §3 everybody in hex":        {`\2a`, "right-ann", ""},
		"RFC 4515 §3 the start of a name":     {"an*", "right-ann", ""},
		"RFC 4515 §3 another filter":          {"*)(uid=*", "right-ann", ""},
		"RFC 4515 §3 another filter, closed":  {"ann)(|(uid=*", "right-ann", ""},
		"RFC 4515 §3 a filter that is broken": {"ann)", "right-ann", ""},
		"a DN":                                {"uid=ann," + people, "right-ann", ""},
		"NUL":                                 {"ann\x00", "right-ann", ""},
		"a line break inside":                 {"an\nn", "right-ann", ""},
		"not UTF-8":                           {"ann\xff", "right-ann", ""},
		"10 kB":                               {strings.Repeat("ann", 3500), "right-ann", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := d.Authenticate(t.Context(), tt.name, tt.password)
			switch {
			case tt.want == "" && (p != nil || !fault.Is(err, fault.Unauthenticated)):
				t.Fatalf("Authenticate(%q) = %+v, %v; want Unauthenticated", tt.name, p, err)
			case tt.want == "":
				if f := fault.As(err); f.Code != "login_failed" || f.Rule == "" || strings.Contains(f.Say, people) {
					t.Errorf("refused with %+v", f)
				}
			case err != nil || p.Label != tt.want:
				t.Errorf("Authenticate(%q) = %+v, %v; want %s", tt.name, p, err, tt.want)
			}
			if err := d.Lookup(t.Context(), tt.name); err != nil {
				t.Errorf("Lookup(%q) = %v", tt.name, err)
			}
		})
	}
	said := s.Said()
	if n := strings.Count(said, `BIND dn="" method=128`) + strings.Count(said, "anonymous bind"); n > 0 {
		t.Errorf("%d binds as nobody", n)
	}
	if strings.Contains(said, "uid=*)") || strings.Contains(said, "uid=an*") {
		t.Error("the directory was asked about what was typed as about a filter")
	}
}

// Whoever measures learns no name: the directory does the same work for each.
func TestEverybodyWhoIsWrongCostsTheSame(t *testing.T) {
	s := company(t)
	d := open(t, settings(s))
	wrong := func(name, password string) func() error {
		return func() error {
			_, err := d.Authenticate(t.Context(), name, password)
			return err
		}
	}
	for name, ask := range map[string]func() error{
		"wrong password": wrong("ann", "wrong"), "unknown": wrong("eve", "wrong"), "two people": wrong("twin", "wrong"), "empty password": wrong("ann", ""),
		"looked up":          func() error { return d.Lookup(t.Context(), "ann") },
		"looked up, unknown": func() error { return d.Lookup(t.Context(), "eve") },
	} {
		before := s.Said()
		_ = ask()
		said := strings.TrimPrefix(s.Said(), before)
		for what, want := range map[string]int{" ACCEPT from": 2, " BIND dn=\"" + search: 2, " BIND dn=": 3, " SRCH base=": 1} {
			if got := strings.Count(said, what); got != want {
				t.Errorf("%s: %d times%s, want %d:\n%s", name, got, what, want, said)
			}
		}
	}
}

func TestPersonIsTakenOver(t *testing.T) {
	s := company(t)
	set := settings(s)
	set.Claims = map[string]string{"nickname": "sn"}
	p, err := open(t, set).Authenticate(t.Context(), "ann", "right-ann")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"email": "ann@example.test", "name": "Ann Arbor", "given_name": "Ann", "family_name": "Of ann", "nickname": "Of ann", "sn": "Of ann",
		"phone_number": "+1 555 0100", "locale": "de", "preferred_username": "ann",
	}
	if !reflect.DeepEqual(p.Claims, want) {
		t.Errorf("claims %v, want %v", p.Claims, want)
	}
	if p.Issuer != "ldap:corp" || len(p.Subject) != 36 || !p.EmailVerified || p.Email != "ann@example.test" || !reflect.DeepEqual(p.AMR, []string{"pwd"}) {
		t.Errorf("person %+v", p)
	}
}

func TestSubjectOutlivesNames(t *testing.T) {
	s := company(t)
	d := open(t, settings(s))
	before, err := d.Authenticate(t.Context(), "ann", "right-ann")
	if err != nil {
		t.Fatal(err)
	}
	s.Change("dn: uid=ann," + people + "\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n")
	if _, err := d.Authenticate(t.Context(), "ann", "right-ann"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("by the old name: %v", err)
	}
	after, err := d.Authenticate(t.Context(), "anna", "right-ann")
	if err != nil || after.Subject != before.Subject {
		t.Fatalf("after the change of the name: %+v, %v; want subject %s", after, err, before.Subject)
	}
	// Somebody who gets the name later is somebody else.
	person(s, "ann", "uid=ann", "")
	if other, err := d.Authenticate(t.Context(), "ann", "right-ann"); err != nil || other.Subject == before.Subject {
		t.Errorf("the next of the name: %+v, %v", other, err)
	}
}

func TestSubjectThatCannotBeReadIsNobody(t *testing.T) {
	set := settings(company(t))
	set.Directory.Subject = "employeeNumber"
	_, err := open(t, set).Authenticate(t.Context(), "ann", "right-ann")
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Hint, "employeeNumber") {
		t.Errorf("without the attribute: %v", err)
	}
}

func TestGroupsGiveRoles(t *testing.T) {
	s := company(t)
	groups := "ou=groups," + throwaway.SlapdBase
	searched := func(set *federation.Settings) { set.Directory.GroupBase = groups }
	tests := map[string]struct {
		set   func(*federation.Settings)
		roles map[string]string
		name  string
		want  []string
	}{
		"none are mapped":                {nil, nil, "bob", nil},
		"by name":                        {nil, map[string]string{"STAFF": "member", "admins": "admin", "others": "other"}, "bob", []string{"admin", "member"}},
		"by DN":                          {nil, map[string]string{"CN=admins, OU=groups," + throwaway.SlapdBase: "admin"}, "bob", []string{"admin"}},
		"by the DN of another place":     {nil, map[string]string{"cn=admins,ou=people," + throwaway.SlapdBase: "admin"}, "bob", nil},
		"two groups of one role":         {nil, map[string]string{"staff": "member", "admins": "member"}, "bob", []string{"member"}},
		"a folder is no group":           {nil, map[string]string{"groups": "admin"}, "bob", nil},
		"not theirs":                     {nil, map[string]string{"admins": "admin"}, "ann", nil},
		"RFC 4514 §2.4 a name like a DN": {nil, map[string]string{"cn=admins," + groups: "admin", "admins": "admin"}, "ann", nil},
		"searched":                       {searched, map[string]string{"admins": "admin", "staff": "member"}, "bob", []string{"admin", "member"}},
		"RFC 4515 §3 searched for a DN with an asterisk":   {searched, map[string]string{"admins": "admin", "staff": "member"}, "odd", []string{"member"}},
		"searched by a filter of the operator":             {func(set *federation.Settings) { searched(set); set.Directory.GroupFilter = "(&(member=%s)(cn=admins))" }, map[string]string{"staff": "member", "admins": "admin"}, "bob", []string{"admin"}},
		"searched where there are none":                    {func(set *federation.Settings) { set.Directory.GroupBase = people }, map[string]string{"staff": "member"}, "bob", nil},
		"by the values of an attribute":                    {func(set *federation.Settings) { set.RolesClaim = "sn" }, map[string]string{"of bob": "member", "staff": "staff"}, "bob", []string{"member"}},
		"by an attribute instead of the groups' directory": {func(set *federation.Settings) { searched(set); set.RolesClaim = "uid" }, map[string]string{"staff": "member"}, "bob", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			set := settings(s)
			set.Roles = tt.roles
			if tt.set != nil {
				tt.set(&set)
			}
			p, err := open(t, set).Authenticate(t.Context(), tt.name, "right-"+tt.name)
			if err != nil || !reflect.DeepEqual(p.Roles, tt.want) {
				t.Errorf("%s: %+v, %v; want roles %v", tt.name, p, err, tt.want)
			}
		})
	}
}

func TestGroupsAreTakenAway(t *testing.T) {
	s := company(t)
	set := settings(s)
	set.Roles = map[string]string{"admins": "admin", "staff": "member"}
	d := open(t, set)
	group(s, "guests", "uid=bob,"+people)
	s.Change("dn: cn=admins,ou=groups," + throwaway.SlapdBase + "\nchangetype: modify\nadd: member\nmember: uid=ann," + people + "\n-\ndelete: member\nmember: uid=bob," + people + "\n")
	p, err := d.Authenticate(t.Context(), "bob", "right-bob")
	if err != nil || !reflect.DeepEqual(p.Roles, []string{"member"}) {
		t.Errorf("bob has left the group: %+v, %v", p, err)
	}
	p, err = d.Authenticate(t.Context(), "ann", "right-ann")
	if err != nil || !reflect.DeepEqual(p.Roles, []string{"admin", "member"}) {
		t.Errorf("ann has joined the group: %+v, %v", p, err)
	}
}

// strangers is a file with the certificate of an authority that issued
// nothing here.
func strangers(t *testing.T) string {
	t.Helper()
	a, err := throwaway.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(name, a.Roots, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestWayToTheDirectory(t *testing.T) {
	s := company(t)
	as := func(dir federation.Directory) func(*federation.Directory) {
		return func(d *federation.Directory) {
			if dir.URL != "" {
				d.URL = dir.URL
			}
			if dir.RootsFile != "" {
				d.RootsFile = dir.RootsFile
			}
			d.PlainText = dir.PlainText
		}
	}
	unknown := strangers(t)
	localhost := func(url string) string { return strings.Replace(url, "127.0.0.1", "localhost", 1) }
	tests := map[string]struct {
		set   func(*federation.Directory)
		cause string // empty: they get in
	}{
		"TLS":                         {as(federation.Directory{}), ""},
		"StartTLS":                    {as(federation.Directory{URL: s.URL()}), ""},
		"plain text to loopback":      {as(federation.Directory{URL: s.URL(), PlainText: true}), ""},
		"TLS of an unknown authority": {as(federation.Directory{RootsFile: unknown}), "unknown authority"},
		"RFC 4513 §3.1.3 TLS of a host of another name":      {as(federation.Directory{URL: localhost(s.TLSURL())}), "wanted to match localhost"},
		"StartTLS of an unknown authority":                   {as(federation.Directory{URL: s.URL(), RootsFile: unknown}), "unknown authority"},
		"RFC 4513 §3.1.3 StartTLS of a host of another name": {as(federation.Directory{URL: localhost(s.URL())}), "wanted to match localhost"},
		"the system's authorities":                           {func(d *federation.Directory) { d.RootsFile = "" }, "unknown authority"},
		"plain text where TLS is":                            {as(federation.Directory{URL: strings.Replace(s.TLSURL(), "ldaps", "ldap", 1), PlainText: true}), "unable to read"},
		"TLS where plain text is":                            {as(federation.Directory{URL: strings.Replace(s.URL(), "ldap", "ldaps", 1)}), "EOF"},
		"the wrong bind":                                     {func(d *federation.Directory) { d.BindDN = "uid=ann," + people }, "Invalid Credentials"},
		"no bind where one is needed":                        {func(d *federation.Directory) { d.BindDN = "" }, "No Such Object"},
		"a base that is nowhere there":                       {func(d *federation.Directory) { d.BaseDN = "ou=nowhere," + throwaway.SlapdBase }, "No Such Object"},
		"a base of another directory":                        {func(d *federation.Directory) { d.BaseDN = "dc=elsewhere,dc=test" }, "No Such Object"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			set := settings(s)
			tt.set(set.Directory)
			d := open(t, set)
			p, err := d.Authenticate(t.Context(), "ann", "right-ann")
			if tt.cause == "" {
				if err != nil || p.Label != "ann@example.test" {
					t.Errorf("got %+v, %v", p, err)
				}
				return
			}
			if p != nil || !fault.Is(err, fault.Unavailable) || !strings.Contains(fmt.Sprint(fault.As(err).Cause), tt.cause) {
				t.Errorf("got %+v, %v; want Unavailable because of %q", p, err, tt.cause)
			} else if strings.Contains(fault.As(err).Say, tt.cause) {
				t.Errorf("told to everybody: %q", fault.As(err).Say)
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	a, err := throwaway.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.Issue("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake() // it will not come to one
			_ = c.Close()
		}
	}()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, a.Roots, 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, federation.Settings{Directory: &federation.Directory{
		URL: "ldaps://" + l.Addr().String(), RootsFile: roots, BindDN: search, BaseDN: people, Filter: "(uid=%s)",
	}})
	_, err = d.Authenticate(t.Context(), "ann", "right-ann")
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v, want Unavailable", err)
	}
}

// talker is a server that speaks plain LDAP as told, one answer for each
// message that it gets.
func talker(t *testing.T, answers ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				buf := make([]byte, 4096)
				for i := 0; ; i++ {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if i < len(answers) {
						_, _ = c.Write([]byte(answers[i]))
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestPasswordNeverGoesInPlainText(t *testing.T) {
	// Messages of BER: a refusal of the extended operation (protocolError), and
	// the same with what somebody on the way would like to put behind it.
	refusal := "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"
	for name, answer := range map[string]string{
		"RFC 4513 §3.1.1 StartTLS is refused":    refusal,
		"RFC 4513 §3.1.1 StartTLS and then none": "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
		"garbage": "HTTP/1.1 400 Bad Request\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, federation.Settings{Directory: &federation.Directory{
				URL: "ldap://" + talker(t, answer), BindDN: search, BaseDN: people, Filter: "(uid=%s)",
			}})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if p, err := d.Authenticate(ctx, "ann", "right-ann"); p != nil || !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %+v, %v; want Unavailable", p, err)
			}
		})
	}
}

func TestDeadDirectoryCostsLittle(t *testing.T) {
	s := company(t)
	d := open(t, settings(s))
	s.Kill()
	for i := range 3 {
		if _, err := d.Authenticate(t.Context(), "ann", "right-ann"); !fault.Is(err, fault.Unavailable) || fault.As(err).RetryAfter == 0 {
			t.Fatalf("try %d: %v, want Unavailable", i, err)
		}
	}
	s.Start()
	_, err := d.Authenticate(t.Context(), "ann", "right-ann")
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "a moment ago") {
		t.Errorf("it was asked although it failed twice: %v", err)
	}
	if err := d.Lookup(t.Context(), "ann"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Lookup = %v, want the same", err)
	}
}

func TestSlowDirectoryIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, scheme := range []string{"ldaps://", "ldap://"} {
		d := open(t, federation.Settings{Directory: &federation.Directory{
			URL: scheme + l.Addr().String(), BindDN: search, BaseDN: people, Filter: "(uid=%s)",
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := d.Authenticate(ctx, "ann", "right-ann")
		if took := time.Since(start); !fault.Is(err, fault.Unavailable) || took > 3*time.Second {
			t.Errorf("%s: %v after %v", scheme, err, took)
		}
		// Who asked went away: that was no failure of the directory.
		if _, err := d.Authenticate(ctx, "ann", "right-ann"); errors.Is(err, ldap.ErrPaused) {
			t.Errorf("%s: left alone after somebody went away", scheme)
		}
	}
}

func TestFrozenDirectoryIsLeftAfterItsTime(t *testing.T) {
	s := company(t)
	d := open(t, settings(s))
	s.Pause()
	defer s.Resume()
	start := time.Now()
	_, err := d.Authenticate(t.Context(), "ann", "right-ann")
	if took := time.Since(start); !fault.Is(err, fault.Unavailable) || took < 4*time.Second || took > 8*time.Second {
		t.Errorf("%v after %v, want Unavailable after five seconds", err, took)
	}
}

func TestManyAtOnce(t *testing.T) {
	d := open(t, settings(company(t)))
	errs := make(chan error, 50)
	for i := range cap(errs) {
		go func() {
			name := []string{"ann", "bob"}[i%2]
			p, err := d.Authenticate(t.Context(), name, "right-"+name)
			if err == nil && p.Claims["preferred_username"] != name {
				err = fmt.Errorf("%s became %v", name, p.Claims["preferred_username"])
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
