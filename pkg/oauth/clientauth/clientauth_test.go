package clientauth_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/oauth/clientauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
)

const (
	issuer   = "https://id.example.test"
	tokenURL = issuer + "/oauth2/token"
)

// clients is a fixed set; secrets are kept as they are.
type clients struct {
	all    map[string]*client.Client
	plain  map[string]string
	down   error
	nobody int
}

func (s *clients) Get(_ context.Context, id string) (*client.Client, error) {
	if s.down != nil {
		return nil, s.down
	}
	if c, ok := s.all[id]; ok {
		return c, nil
	}
	return nil, fault.New(fault.NotFound, "client_not_found", "None.")
}

func (s *clients) CheckSecret(c *client.Client, presented string, _ time.Time) bool {
	return s.plain[c.ID] != "" && s.plain[c.ID] == presented
}

func (s *clients) CheckNobody(string) bool { s.nobody++; return false }

func newClients(list ...*client.Client) *clients {
	s := &clients{all: map[string]*client.Client{}, plain: map[string]string{}}
	for _, c := range list {
		s.all[c.ID], s.plain[c.ID] = c, "secret-of-"+c.ID
	}
	return s
}

type events struct {
	mu  sync.Mutex
	all []audit.Event
}

func (e *events) Record(_ context.Context, ev audit.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// ask authenticates a request with the form in its body.
func ask(a *clientauth.Authenticator, form url.Values, header ...string) (*client.Client, error) {
	r := httptest.NewRequest(http.MethodPost, tokenURL, nil)
	for _, h := range header {
		r.Header.Add("Authorization", h)
	}
	ctx := trail.With(r.Context(), &trail.Trail{ID: "r", Remote: netip.MustParseAddr("192.0.2.1")})
	return a.Authenticate(ctx, r.WithContext(ctx), form)
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestSecretMethods(t *testing.T) {
	set := newClients(
		&client.Client{ID: "web", AuthMethod: protocol.AuthSecretBasic},
		&client.Client{ID: "strict", AuthMethod: protocol.AuthSecretPost, AuthMethodStrict: true},
		&client.Client{ID: "off", AuthMethod: protocol.AuthSecretBasic, Disabled: true},
		&client.Client{ID: "spa", AuthMethod: protocol.AuthNone},
		&client.Client{ID: "jwt", AuthMethod: protocol.AuthPrivateKeyJWT},
		&client.Client{ID: "odd id", AuthMethod: protocol.AuthSecretBasic},
	)
	set.plain["odd id"] = "a+b/c%d e"
	heard := &events{}
	a := clientauth.New(clientauth.Config{Clients: set, Issuer: issuer, TokenURL: tokenURL, Audit: heard})
	body := func(pairs ...string) url.Values {
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	good := map[string]struct {
		form   url.Values
		header string
		want   string
	}{
		"basic":                             {nil, basic("web", "secret-of-web"), "web"},
		"basic with the id besides":         {body("client_id", "web"), basic("web", "secret-of-web"), "web"},
		"basic in lower case":               {nil, "basic" + basic("web", "secret-of-web")[5:], "web"},
		"post":                              {body("client_id", "web", "client_secret", "secret-of-web"), "", "web"},
		"post where it is the only method":  {body("client_id", "strict", "client_secret", "secret-of-strict"), "", "strict"},
		"none":                              {body("client_id", "spa"), "", "spa"},
		"RFC 6749 §2.3.1 form-encoded both": {nil, basic("odd+id", "a%2Bb%2Fc%25d+e"), "odd id"},
	}
	for name, tt := range good {
		t.Run(name, func(t *testing.T) {
			var header []string
			if tt.header != "" {
				header = append(header, tt.header)
			}
			c, err := ask(a, tt.form, header...)
			if err != nil || c.ID != tt.want {
				t.Errorf("got %v, %v", c, err)
			}
		})
	}
	const malformed, failed = "invalid_request", "invalid_client"
	bad := map[string]struct {
		form   url.Values
		header []string
		code   string
		rule   string
	}{
		"nothing":                               {nil, nil, failed, "says who it is"},
		"a wrong secret":                        {nil, []string{basic("web", "x")}, failed, "secret is the client's"},
		"an empty secret":                       {nil, []string{basic("web", "")}, failed, "secret is the client's"},
		"another client's secret":               {nil, []string{basic("web", "secret-of-strict")}, failed, "secret is the client's"},
		"an unknown client":                     {nil, []string{basic("nobody", "x")}, failed, "client is known"},
		"an unknown public client":              {body("client_id", "nobody"), nil, failed, "client is known"},
		"a disabled client":                     {nil, []string{basic("off", "secret-of-off")}, failed, "enabled"},
		"a confidential client without secret":  {body("client_id", "web"), nil, failed, "registered for the method"},
		"an empty secret in the body":           {body("client_id", "web", "client_secret", ""), nil, failed, "secret is the client's"},
		"a public client with a secret":         {body("client_id", "spa", "client_secret", "secret-of-spa"), nil, failed, "registered for the method"},
		"a public client by Basic":              {nil, []string{basic("spa", "")}, failed, "registered for the method"},
		"basic where post is the only method":   {nil, []string{basic("strict", "secret-of-strict")}, failed, "registered for the method"},
		"a secret where keys are the method":    {nil, []string{basic("jwt", "secret-of-jwt")}, failed, "registered for the method"},
		"a secret without client_id":            {body("client_secret", "secret-of-web"), nil, failed, "client_id goes with"},
		"RFC 6749 §2.3 two methods":             {body("client_id", "web", "client_secret", "secret-of-web"), []string{basic("web", "secret-of-web")}, malformed, "one authentication method"},
		"RFC 6749 §2.3 a header and assertion":  {body("client_assertion", "x", "client_assertion_type", protocol.AssertionJWTBearer), []string{basic("web", "secret-of-web")}, malformed, "one authentication method"},
		"RFC 6749 §2.3 a secret and assertion":  {body("client_secret", "x", "client_assertion", "y"), nil, malformed, "one authentication method"},
		"RFC 6749 §2.3 two headers":             {nil, []string{basic("web", "secret-of-web"), basic("web", "secret-of-web")}, malformed, "one authentication method"},
		"RFC 6749 §2.3 another id in the body":  {body("client_id", "strict"), []string{basic("web", "secret-of-web")}, malformed, "names the client"},
		"RFC 6749 §2.3 an empty id in the body": {body("client_id", ""), []string{basic("web", "secret-of-web")}, malformed, "names the client"},
		"RFC 7617 §2 no base64":                 {nil, []string{"Basic %%%"}, failed, "base64"},
		"RFC 7617 §2 no colon":                  {nil, []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("web"))}, failed, "colon"},
		"RFC 7617 §2 nothing":                   {nil, []string{"Basic "}, failed, "colon"},
		"RFC 7617 §2 no id":                     {nil, []string{basic("", "secret-of-web")}, failed, "name a client"},
		"a broken escape":                       {nil, []string{basic("web", "%zz")}, failed, "form-encoded"},
		"a control character":                   {nil, []string{basic("we%00b", "x")}, failed, "form-encoded"},
		"another scheme":                        {nil, []string{"Bearer x"}, failed, "scheme is Basic"},
		"credentials without end":               {nil, []string{"Basic " + strings.Repeat("A", 8000)}, failed, "bounded"},
		"an assertion of another type":          {body("client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), nil, malformed, "JWT profile"},
		"an assertion type alone":               {body("client_assertion_type", protocol.AssertionJWTBearer), nil, malformed, "is there"},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			c, err := ask(a, tt.form, tt.header...)
			f := fault.As(err)
			if f == nil || f.Code != tt.code || !strings.Contains(f.Rule, tt.rule) {
				t.Fatalf("got %v, %v (%v), want %s by %q", c, err, f, tt.code, tt.rule)
			}
			if tt.code == failed && (f.Kind != fault.Unauthenticated || f.Say != "Client authentication failed.") {
				t.Errorf("kind %v, sentence %q: refusals tell themselves apart", f.Kind, f.Say)
			}
		})
	}
	if set.nobody == 0 {
		t.Error("unknown clients cost less than known ones")
	}
	if len(heard.all) == 0 || heard.all[0].Name != audit.ClientAuthFailed {
		t.Error("failures leave no audit event")
	}
}

func TestAStoreThatIsDownFailsNobody(t *testing.T) {
	set := newClients()
	set.down = fault.New(fault.Unavailable, "down", "Down.")
	heard, counters := &events{}, newCounters()
	a := clientauth.New(clientauth.Config{Clients: set, Issuer: issuer, Audit: heard, Gate: limit.Gate{Store: counters}})
	if _, err := ask(a, nil, basic("web", "x")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	if len(heard.all) != 0 || counters.calls != 0 {
		t.Error("an outage counts as a failure of the client")
	}
}

// counters is a limit.Store in memory.
type counters struct {
	mu    sync.Mutex
	n     map[string]int
	calls int
	down  error
}

func newCounters() *counters { return &counters{n: map[string]int{}} }

func (c *counters) Take(_ context.Context, rule limit.Rule, key string, _ time.Time) (limit.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.down != nil {
		return limit.Result{}, c.down
	}
	if c.n[key] >= rule.Max {
		return limit.Result{RetryAfter: 30 * time.Second}, nil
	}
	c.n[key]++
	return limit.Result{Allowed: true, Remaining: rule.Max - c.n[key]}, nil
}

func (c *counters) Give(_ context.Context, _ limit.Rule, key string, _ time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.n[key]--
	return c.down
}

func (c *counters) Reset(context.Context, limit.Rule, string) error { return nil }

func TestGuessingIsLimited(t *testing.T) {
	set := newClients(&client.Client{ID: "web", AuthMethod: protocol.AuthSecretBasic}, &client.Client{ID: "other", AuthMethod: protocol.AuthSecretBasic})
	store := newCounters()
	a := clientauth.New(clientauth.Config{
		Clients: set, Issuer: issuer, Gate: limit.Gate{Store: store}, Failures: limit.Rule{Max: 5, Window: time.Minute},
	})
	if _, err := ask(a, nil, basic("web", "secret-of-web")); err != nil || store.calls != 0 {
		t.Fatalf("an honest client costs %d calls, %v", store.calls, err)
	}
	for _, id := range []string{"web", "nobody"} { // existing or not
		for i := range 5 {
			if _, err := ask(a, nil, basic(id, "guess")); !fault.Is(err, fault.Unauthenticated) {
				t.Fatalf("guess %d at %s: %v", i, id, err)
			}
		}
		_, err := ask(a, nil, basic(id, "guess"))
		if f := fault.As(err); f == nil || f.Kind != fault.Limited || f.RetryAfter != 30*time.Second {
			t.Errorf("%s: the sixth guess gives %v", id, err)
		}
	}
	if _, err := ask(a, nil, basic("web", "secret-of-web")); !fault.Is(err, fault.Limited) {
		t.Errorf("the right guess after too many wrong ones passes: %v", err)
	}
	if _, err := ask(a, nil, basic("other", "secret-of-other")); err != nil {
		t.Errorf("another client pays for it: %v", err)
	}
}

func TestCountersThatAreDownStopNobody(t *testing.T) {
	set := newClients(&client.Client{ID: "web", AuthMethod: protocol.AuthSecretBasic})
	store := newCounters()
	store.down = fault.New(fault.Unavailable, "down", "Down.")
	a := clientauth.New(clientauth.Config{Clients: set, Issuer: issuer, Gate: limit.Gate{Store: store}})
	if _, err := ask(a, nil, basic("web", "guess")); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a wrong secret gives %v", err)
	}
	if _, err := ask(a, nil, basic("web", "secret-of-web")); err != nil {
		t.Errorf("the right secret gives %v", err)
	}
}

func TestAGoodAttemptIsGivenBack(t *testing.T) {
	set := newClients(&client.Client{ID: "web", AuthMethod: protocol.AuthSecretBasic})
	store := newCounters()
	a := clientauth.New(clientauth.Config{Clients: set, Issuer: issuer, Gate: limit.Gate{Store: store}, Failures: limit.Rule{Max: 3, Window: time.Minute}})
	for range 10 {
		if _, err := ask(a, nil, basic("web", "secret-of-web")); err != nil {
			t.Fatal(err)
		}
		store.mu.Lock()
		clear(store.n)
		store.mu.Unlock()
		if _, err := ask(a, nil, basic("web", "typo")); !fault.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
	}
}
