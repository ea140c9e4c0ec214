package ldap

import (
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
)

func TestGUIDIsWrittenAsEverybodyReadsIt(t *testing.T) {
	tests := map[string]struct{ raw, want string }{
		// Two well-known GUIDs: IID of OLE's documentation, and the EFI system
		// partition's as it stands on disks (UEFI 2.10 §5.3.3, appendix A).
		"MS-DTYP §2.3.4 the first three fields turn round": {"40fc296b47ca6710b31d00dd010662da", "6b29fc40-ca47-1067-b31d-00dd010662da"},
		"MS-DTYP §2.3.4 EFI system partition":              {"28732ac11ff8d211ba4b00a0c93ec93b", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"},
		"zeros stay":                                       {"0100000002000300040000000000000f", "00000001-0002-0003-0400-00000000000f"},
		"too short":                                        {"40fc296b47ca6710b31d00dd010662", ""},
		"too long":                                         {"40fc296b47ca6710b31d00dd010662dada", ""},
		"no attribute":                                     {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw, err := hex.DecodeString(tt.raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := guidText(raw); got != tt.want {
				t.Errorf("guidText(%s) = %q, want %q", tt.raw, got, tt.want)
			}
		})
	}
}

func TestRefusalsOfDirectories(t *testing.T) {
	ad := func(data string) error {
		return goldap.NewError(goldap.LDAPResultInvalidCredentials,
			errors.New("80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data "+data+", v2580"))
	}
	tests := map[string]struct {
		err  error
		want string
	}{
		"wrong password of AD":                        {ad("52e"), "wrong password"},
		"unknown to AD":                               {ad("525"), "no such person"},
		"disabled in AD":                              {ad("533"), "the account is disabled"},
		"expired in AD":                               {ad("701"), "the account is expired"},
		"expired password in AD":                      {ad("532"), "the password is expired"},
		"must change it in AD":                        {ad("773"), "the password must be changed first"},
		"locked in AD":                                {ad("775"), "the account is locked"},
		"a code of no list":                           {ad("999"), "wrong password"},
		"RFC 4511 §4.1.9 wrong password of others":    {goldap.NewError(goldap.LDAPResultInvalidCredentials, errors.New("")), "wrong password"},
		"no password there":                           {goldap.NewError(goldap.LDAPResultInappropriateAuthentication, errors.New("")), "no password, or no such person any more"},
		"gone since the search":                       {goldap.NewError(goldap.LDAPResultNoSuchObject, errors.New("")), "no password, or no such person any more"},
		"locked elsewhere":                            {goldap.NewError(goldap.LDAPResultUnwillingToPerform, errors.New("")), "the directory does not let them in"},
		"RFC 4511 §4.1.10 a referral is not followed": {goldap.NewError(goldap.LDAPResultReferral, errors.New("")), ""},
		"RFC 4513 §6.3.4 confidentiality is wanted":   {goldap.NewError(goldap.LDAPResultConfidentialityRequired, errors.New("")), ""},
		"busy":                     {goldap.NewError(goldap.LDAPResultBusy, errors.New("")), ""},
		"the network":              {goldap.NewError(goldap.ErrorNetwork, errors.New("data 52e")), ""},
		"no answer of a directory": {errors.New("unable to read"), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := refusal(tt.err); got != tt.want {
				t.Errorf("refusal(%v) = %q, want %q", tt.err, got, tt.want)
			}
		})
	}
}

func TestActiveDirectoryIsAskedItsOwnWay(t *testing.T) {
	d, err := New(&federation.Provider{ID: "ad", Settings: federation.Settings{
		Directory: &federation.Directory{
			URL: "ldaps://dc1.corp.test", BaseDN: "OU=People,OU=Berlin,DC=corp,DC=test", ActiveDirectory: true,
			Filter: "(&(objectCategory=person)(sAMAccountName=%s))", BindDN: `CORP\portico`,
		},
		Roles: map[string]string{"admins": "admin"},
	}}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if d.address != "dc1.corp.test:636" || d.groups.base != "dc=corp,dc=test" {
		t.Errorf("asks %s, groups below %q", d.address, d.groups.base)
	}
	dn := `CN=Smith\, Jo (2)*,OU=People,DC=corp,DC=test`
	want := `(member:1.2.840.113556.1.4.1941:=CN=Smith\5c, Jo \282\29\2a,OU=People,DC=corp,DC=test)`
	if got := fill(d.groups.filter, dn); got != want {
		t.Errorf("groups by %s, want %s", got, want)
	}
	entry := &goldap.Entry{DN: dn, Attributes: []*goldap.EntryAttribute{
		{Name: "objectGUID", ByteValues: [][]byte{[]byte("\x40\xfc\x29\x6b\x47\xca\x67\x10\xb3\x1d\x00\xdd\x01\x06\x62\xda")}},
		goldap.NewEntryAttribute("sAMAccountName", []string{"jo"}), goldap.NewEntryAttribute("displayName", []string{"", "Jo Smith"}),
		goldap.NewEntryAttribute("givenName", []string{"J\x00o"}),
	}}
	d.groups.by = nil
	p, err := d.person(nil, entry)
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != "6b29fc40-ca47-1067-b31d-00dd010662da" || p.Issuer != "ldap:ad" || p.Label != "jo" || p.EmailVerified {
		t.Errorf("person %+v", p)
	}
	if want := map[string]any{"name": "Jo Smith", "preferred_username": "jo"}; !reflect.DeepEqual(p.Claims, want) {
		t.Errorf("claims %v, want %v", p.Claims, want)
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	tests := map[string]struct {
		set    func(*federation.Settings)
		secret string
		want   string
	}{
		"none":                                  {func(s *federation.Settings) { s.Directory = nil }, "s", "directory.url"},
		"no address":                            {func(s *federation.Settings) { s.Directory.URL = "" }, "s", "directory.url"},
		"a web address":                         {func(s *federation.Settings) { s.Directory.URL = "https://dir.test" }, "s", "directory.url"},
		"a socket":                              {func(s *federation.Settings) { s.Directory.URL = "ldapi:///run/slapd" }, "s", "directory.url"},
		"UDP":                                   {func(s *federation.Settings) { s.Directory.URL = "cldap://dir.test" }, "s", "directory.url"},
		"a password in the address":             {func(s *federation.Settings) { s.Directory.URL = "ldaps://cn=a:b@dir.test" }, "s", "directory.url"},
		"a base in the address":                 {func(s *federation.Settings) { s.Directory.URL = "ldaps://dir.test/dc=test" }, "s", "directory.url"},
		"plain text to another machine":         {func(s *federation.Settings) { s.Directory.URL, s.Directory.PlainText = "ldap://dir.test", true }, "s", "directory.plain_text"},
		"plain text to an address":              {func(s *federation.Settings) { s.Directory.URL, s.Directory.PlainText = "ldap://10.0.0.1", true }, "s", "directory.plain_text"},
		"plain text with TLS":                   {func(s *federation.Settings) { s.Directory.URL, s.Directory.PlainText = "ldaps://127.0.0.1", true }, "s", "directory.plain_text"},
		"authorities nowhere":                   {func(s *federation.Settings) { s.Directory.RootsFile = "/nowhere/roots.pem" }, "s", "directory.roots_file"},
		"authorities that are none":             {func(s *federation.Settings) { s.Directory.RootsFile = "inside_test.go" }, "s", "directory.roots_file"},
		"RFC 4513 §5.1.2 a bind without secret": {func(*federation.Settings) {}, "", "directory.bind_dn"},
		"no base":                               {func(s *federation.Settings) { s.Directory.BaseDN = "" }, "s", "directory.base_dn"},
		"a base that is none":                   {func(s *federation.Settings) { s.Directory.BaseDN = "people" }, "s", "directory.base_dn"},
		"no filter":                             {func(s *federation.Settings) { s.Directory.Filter = "" }, "s", "directory.filter"},
		"a filter for everybody":                {func(s *federation.Settings) { s.Directory.Filter = "(uid=*)" }, "s", "directory.filter"},
		"a filter that is typed":                {func(s *federation.Settings) { s.Directory.Filter = "%s" }, "s", "directory.filter"},
		"an attribute that is typed":            {func(s *federation.Settings) { s.Directory.Filter = "(%s=ann)" }, "s", "directory.filter"},
		"an attribute that is typed as well":    {func(s *federation.Settings) { s.Directory.Filter = "(&(uid=%s)(%s=ann))" }, "s", "directory.filter"},
		"a filter that is open":                 {func(s *federation.Settings) { s.Directory.Filter = "(uid=%s" }, "s", "directory.filter"},
		"a filter of groups without a place":    {func(s *federation.Settings) { s.Directory.GroupFilter = "(member=*)" }, "s", "directory.group_filter"},
		"groups nowhere":                        {func(s *federation.Settings) { s.Directory.GroupBase = "groups" }, "s", "directory.group_base"},
		"a claim of no attribute":               {func(s *federation.Settings) { s.Claims = map[string]string{"name": "cn)(uid=*"} }, "s", "directory.claims"},
		"a subject that is no attribute":        {func(s *federation.Settings) { s.Directory.Subject = "*" }, "s", "directory.claims"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			set := federation.Settings{Directory: &federation.Directory{
				URL: "ldaps://dir.test", BindDN: "cn=portico,dc=test", BaseDN: "ou=people,dc=test", Filter: "(uid=%s)",
			}}
			tt.set(&set)
			_, err := New(&federation.Provider{ID: "corp", Settings: set}, tt.secret)
			f := fault.As(err)
			if f == nil || f.Kind != fault.Invalid || len(f.Details) != 1 || f.Details[0].Field != tt.want {
				t.Errorf("New = %+v, want %s invalid", f, tt.want)
			}
		})
	}
}

func TestBreakerClosesAgain(t *testing.T) {
	var b breaker
	now := time.Unix(1000, 0)
	b.done(false, now)
	b.done(true, now)
	b.done(false, now)
	if !b.open(now) {
		t.Fatal("one failure in a row stops everybody")
	}
	b.done(false, now)
	if b.open(now.Add(breakerPause - time.Second)) {
		t.Error("asked during the pause")
	}
	later := now.Add(breakerPause)
	if first, second := b.open(later), b.open(later); !first || second {
		t.Error("after the pause not exactly one tries")
	}
	b.done(true, later)
	for range 2 {
		if !b.open(later) {
			t.Error("closed after an answer")
		}
	}
}
