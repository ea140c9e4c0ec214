package federation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/storage/storagetest"
)

func TestWhatIsNoProvider(t *testing.T) {
	s := stage.New(t)
	_, key := newAppleKey(t)
	for name, tt := range map[string]struct {
		change func(p *federation.Provider)
		secret string
		field  string
	}{
		"no id":                         {func(p *federation.Provider) { p.ID = "" }, "s", "id"},
		"an id with capitals":           {func(p *federation.Provider) { p.ID = "Google" }, "s", "id"},
		"an id with a slash":            {func(p *federation.Provider) { p.ID = "a/b" }, "s", "id"},
		"an id of 33":                   {func(p *federation.Provider) { p.ID = strings.Repeat("a", 33) }, "s", "id"},
		"the id of signing in here":     {func(p *federation.Provider) { p.ID = "local" }, "s", "id"},
		"an unknown kind":               {func(p *federation.Provider) { p.Kind = "saml" }, "s", "kind"},
		"an invisible name":             {func(p *federation.Provider) { p.Name = "Goo\u202egle" }, "s", "name"},
		"a long name":                   {func(p *federation.Provider) { p.Name = strings.Repeat("é", 61) }, "s", "name"},
		"a position below nothing":      {func(p *federation.Provider) { p.Position = -1 }, "s", "position"},
		"no issuer":                     {func(p *federation.Provider) { p.Settings.Issuer = "" }, "s", "issuer"},
		"an issuer in the clear":        {func(p *federation.Provider) { p.Settings.Issuer = "http://provider.test" }, "s", "issuer"},
		"an issuer that is a script":    {func(p *federation.Provider) { p.Settings.Issuer = "javascript:alert(1)//x" }, "s", "issuer"},
		"an issuer with a query":        {func(p *federation.Provider) { p.Settings.Issuer += "?a=b" }, "s", "issuer"},
		"an issuer with a fragment":     {func(p *federation.Provider) { p.Settings.Issuer += "#a" }, "s", "issuer"},
		"an issuer with a password":     {func(p *federation.Provider) { p.Settings.Issuer = "https://a:b@provider.test" }, "s", "issuer"},
		"a huge issuer":                 {func(p *federation.Provider) { p.Settings.Issuer += "/" + strings.Repeat("x", 3000) }, "s", "issuer"},
		"no client id":                  {func(p *federation.Provider) { p.Settings.ClientID = "" }, "s", "client_id"},
		"a client id with a line break": {func(p *federation.Provider) { p.Settings.ClientID = "a\nb" }, "s", "client_id"},
		"endpoints of OpenID":           {func(p *federation.Provider) { p.Settings.TokenURL = "https://provider.test/token" }, "s", "authorization_endpoint"},
		"endpoints without an issuer": {func(p *federation.Provider) {
			p.Kind = federation.GitHub
			p.Settings = federation.Settings{ClientID: "c", UserinfoURL: "https://git.test/user"}
		}, "s", "issuer"},
		"endpoints in the clear": {func(p *federation.Provider) {
			p.Kind = federation.GitHub
			p.Settings.AuthURL = "http://git.test/authorize"
		}, "s", "authorization_endpoint"},
		"scopes without openid": {func(p *federation.Provider) { p.Settings.Scopes = []string{"email"} }, "s", "scopes"},
		"a scope with a blank":  {func(p *federation.Provider) { p.Settings.Scopes = []string{"openid", "a b"} }, "s", "scopes"},
		"a parameter that is ours": {func(p *federation.Provider) {
			p.Settings.Params = map[string]string{"redirect_uri": "https://evil.test"}
		}, "s", "params"},
		"answers in the fragment":          {func(p *federation.Provider) { p.Settings.Params = map[string]string{"response_mode": "fragment"} }, "s", "params"},
		"a domain that is an address":      {func(p *federation.Provider) { p.Settings.Domains = []string{"a@example.test"} }, "s", "domains"},
		"a domain that is a wildcard":      {func(p *federation.Provider) { p.Settings.Domains = []string{"*.test"} }, "s", "domains"},
		"a claim that is not to be taken":  {func(p *federation.Provider) { p.Settings.Claims = map[string]string{"email": "mail"} }, "s", "claims"},
		"a claim that makes somebody else": {func(p *federation.Provider) { p.Settings.Claims = map[string]string{"sub": "x"} }, "s", "claims"},
		"a claim without a source":         {func(p *federation.Provider) { p.Settings.Claims = map[string]string{"name": ""} }, "s", "claims"},
		"roles from nowhere":               {func(p *federation.Provider) { p.Settings.Roles = map[string]string{"a": "b"} }, "s", "roles"},
		"roles that are not named":         {func(p *federation.Provider) { p.Settings.RolesClaim = "groups" }, "s", "roles"},
		"a role that is none": {func(p *federation.Provider) {
			p.Settings.RolesClaim, p.Settings.Roles = "groups", map[string]string{"a": "b c"}
		}, "s", "roles"},
		"a secret of 20 kB":           {func(*federation.Provider) {}, strings.Repeat("s", 20<<10), "secret"},
		"Google without a secret":     {func(p *federation.Provider) { p.Kind = federation.Google }, "", "secret"},
		"GitHub without a secret":     {func(p *federation.Provider) { p.Kind, p.Settings.Issuer = federation.GitHub, "" }, "", "secret"},
		"Apple without a team":        {func(p *federation.Provider) { p.Kind = federation.Apple }, key, "team_id"},
		"Apple with a word for a key": {apple, "a secret", "secret"},
		"Apple with a public key":     {apple, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "secret"},
		"Microsoft elsewhere": {func(p *federation.Provider) {
			p.Kind, p.Settings.Issuer = federation.Microsoft, "https://login.evil.test/common/v2.0"
		}, "s", "issuer"},
		"Microsoft with a deep path": {func(p *federation.Provider) {
			p.Kind, p.Settings.Issuer = federation.Microsoft, "https://login.microsoftonline.com/a/b/v2.0"
		}, "s", "issuer"},
		"security §11.10 anybody's word at Microsoft": {func(p *federation.Provider) {
			p.Kind, p.Settings.Issuer, p.Settings.TrustEmail = federation.Microsoft, "", true
		}, "s", "trust_email"},
		"security §11.10 any organization's word": {func(p *federation.Provider) {
			p.Kind, p.Settings.Issuer, p.Settings.TrustEmail = federation.Microsoft, "https://login.microsoftonline.com/organizations/v2.0", true
		}, "s", "trust_email"},
		"a directory that is none": {func(p *federation.Provider) { p.Settings.Directory = &federation.Directory{} }, "s", "directory"},
		"LDAP without one":         {func(p *federation.Provider) { p.Kind = federation.LDAP }, "s", "directory"},
	} {
		p := federation.Provider{ID: "elsewhere", Kind: federation.OIDC, Settings: federation.Settings{Issuer: "https://provider.test", ClientID: clientID}}
		tt.change(&p)
		_, err := s.Federation.Create(t.Context(), p, tt.secret)
		f := fault.As(err)
		if !fault.Is(err, fault.Invalid) || len(f.Details) != 1 || f.Details[0].Field != tt.field {
			t.Errorf("%s: %v, want the field %s", name, err, tt.field)
		}
		if err != nil && tt.secret != "" && len(tt.secret) > 3 && strings.Contains(err.Error(), tt.secret) {
			t.Errorf("%s: the secret is told", name)
		}
	}
	if all, err := s.Federation.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("there are %v, %v", all, err)
	}
	if got := s.Audit.Named(audit.ProviderCreated); len(got) != 0 {
		t.Errorf("the audit has %+v", got)
	}
}

func apple(p *federation.Provider) {
	p.Kind, p.Settings = federation.Apple, federation.Settings{ClientID: "test.example.web", TeamID: "TEAM567890", KeyID: "KEY4567890"}
}

func TestWhatIsAProvider(t *testing.T) {
	s := stage.New(t)
	_, key := newAppleKey(t)
	for id, tt := range map[string]struct {
		p      federation.Provider
		secret string
		name   string
	}{
		"public":    {federation.Provider{Kind: federation.OIDC, Settings: federation.Settings{Issuer: "https://provider.test/realm", ClientID: "c"}}, "", "OpenID"},
		"loopback":  {federation.Provider{Kind: federation.OIDC, Name: " Ours ", Settings: federation.Settings{Issuer: "http://127.0.0.1:5556/dex", ClientID: "c"}}, "s", "Ours"},
		"localhost": {federation.Provider{Kind: federation.OIDC, Settings: federation.Settings{Issuer: "http://localhost:5556", ClientID: "c"}}, "s", "OpenID"},
		"google":    {federation.Provider{Kind: federation.Google, Settings: federation.Settings{ClientID: "c", Domains: []string{"Example.COM"}}}, "s", "Google"},
		"microsoft": {federation.Provider{Kind: federation.Microsoft, Settings: federation.Settings{ClientID: "c", Issuer: "https://login.microsoftonline.com/" + tenantID + "/v2.0", TrustEmail: true}}, "s", "Microsoft"},
		"facebook":  {federation.Provider{Kind: federation.Facebook, Settings: federation.Settings{ClientID: "c"}}, "s", "Facebook"},
		"github":    {federation.Provider{Kind: federation.GitHub, Settings: federation.Settings{ClientID: "c"}}, "s", "GitHub"},
		"apple":     {federation.Provider{Kind: federation.Apple, Settings: federation.Settings{ClientID: "c", TeamID: "TEAM567890", KeyID: "KEY4567890"}}, key, "Apple"},
		"admins": {federation.Provider{Kind: federation.OIDC, Settings: federation.Settings{
			Issuer: "https://provider.test", ClientID: "c", RolesClaim: "groups", Roles: map[string]string{"root": "portico:admin"}, // the operator's word
		}}, "s", "OpenID"},
	} {
		tt.p.ID = id
		made, err := s.Federation.Create(t.Context(), tt.p, tt.secret)
		if err != nil || made.Name != tt.name {
			t.Errorf("%s: %+v, %v", id, made, err)
		}
	}
	if p, err := s.Federation.Get(t.Context(), "google"); err != nil || p.Settings.Domains[0] != "example.com" {
		t.Errorf("google is %+v, %v", p, err)
	}
	if strings.Contains(storagetest.Dump(t, s.Durable), key[30:60]) {
		t.Error("a private key is kept in the clear")
	}
	closed := s.NewFederation(federation.Config{})
	_, err := closed.Create(t.Context(), federation.Provider{ID: "x", Kind: federation.OIDC, Settings: federation.Settings{Issuer: "http://127.0.0.1", ClientID: "c"}}, "")
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("plain http where it is not allowed: %v", err)
	}
}

func TestProvidersChange(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	other := s.NewFederation(federation.Config{Loopback: true, TTL: time.Nanosecond}) // another instance, after a while
	if all, err := other.Active(t.Context()); len(all) != 0 || err != nil {
		t.Fatal(all, err)
	}
	made := elsewhere(t, s, p)
	if strings.Contains(storagetest.Dump(t, s.Durable), clientSecret) {
		t.Error("the secret is kept in the clear")
	}
	if _, err := s.Federation.Create(t.Context(), *made, clientSecret); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second one of the id: %v", err)
	}
	if _, err := signIn(t, s, p); err != nil {
		t.Fatal(err)
	}
	if all, err := other.Active(t.Context()); len(all) != 1 || err != nil {
		t.Errorf("another instance has %v, %v", all, err)
	}

	if _, err := s.Federation.Change(t.Context(), "elsewhere", "another secret", func(p *federation.Provider) error {
		p.Name, p.ID, p.Kind, p.CreatedAt = "Renamed", "other", federation.GitHub, time.Time{}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Federation.Get(t.Context(), "elsewhere")
	if err != nil || got.Name != "Renamed" || got.Kind != federation.OIDC || !got.CreatedAt.Equal(made.CreatedAt) {
		t.Errorf("it is %+v, %v", got, err)
	}
	if _, err := signIn(t, s, p); err != nil || !strings.HasSuffix(basic(t, p), ":another+secret") {
		t.Errorf("it is told %q, %v", basic(t, p), err)
	}
	if _, err := s.Federation.Change(t.Context(), "nowhere", "", func(*federation.Provider) error { return nil }); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown one: %v", err)
	}

	if _, err := s.Federation.Change(t.Context(), "elsewhere", "", func(p *federation.Provider) error { p.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(t, s, p); !fault.Is(err, fault.NotFound) {
		t.Errorf("a disabled one: %v", err)
	}
	if all, err := s.Federation.Active(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("the login page has %v, %v", all, err)
	}
	if all, err := other.Active(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("another instance has %v, %v", all, err)
	}

	ann := local(t, s, "ann@example.test", true)
	if _, err := s.Federation.Change(t.Context(), "elsewhere", "", func(p *federation.Provider) error { p.Disabled = false; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Federation.Connect(t.Context(), got, &federation.Person{Issuer: p.URL, Subject: "1"}, ann.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Federation.Delete(t.Context(), "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.Federation.Identities(t.Context(), ann.ID); len(ids) != 0 || err != nil {
		t.Errorf("her identities are %v, %v", ids, err)
	}
	if err := s.Federation.Delete(t.Context(), "elsewhere"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a second time: %v", err)
	}
	for name, n := range map[audit.Name]int{audit.ProviderCreated: 1, audit.ProviderUpdated: 4, // the last one is disabled before it goes
		audit.ProviderDeleted: 1} {
		if got := s.Audit.Named(name); len(got) != n || got[0].Actor != "shell" {
			t.Errorf("the audit has %+v, want %d", got, n)
		}
	}
}

// basic returns what the provider was told in Basic.
func basic(t *testing.T, p *provider) string {
	t.Helper()
	r := newRequest(p)
	name, password, _ := r.BasicAuth()
	return name + ":" + password
}

func TestASecretThatDoesNotOpenIsSaid(t *testing.T) {
	s, p := stage.New(t), newProvider(t)
	made := elsewhere(t, s, p)
	made.Sealed = []byte("of another key, or moved from another row")
	if err := s.Durable.Federation.PutProvider(t.Context(), *made); err != nil {
		t.Fatal(err)
	}
	fresh := s.NewFederation(federation.Config{Loopback: true})
	_, _, err := fresh.Upstream(t.Context(), "elsewhere")
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.As(err).Hint, "portico provider update") {
		t.Errorf("got %v", err)
	}
}
