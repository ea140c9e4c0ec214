package porticotest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// App is an application in a test: a client with its secret and where its
// answers go.
type App struct {
	ID, Secret  string
	RedirectURI string
	Verifier    string // PKCE; empty: none is sent
}

// Callback is a redirect URI that the demo clients have, on some port.
const Callback = "http://127.0.0.1:65123/callback"

// Apps of the demo data.
var (
	Web     = App{server.DemoWeb, server.DemoWebSecret, Callback, Verifier}
	SPA     = App{server.DemoSPA, "", Callback, Verifier}
	Machine = App{ID: server.DemoService, Secret: server.DemoServiceSecret}
)

// Verifier is the code verifier of RFC 7636 appendix B.
const Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// Challenge returns the S256 code challenge of a verifier.
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// AuthorizeURL is an authorization request of the application. extra replaces
// parameters; an empty value removes one.
func (s *Server) AuthorizeURL(app App, scope string, extra ...string) string {
	q := url.Values{
		protocol.ClientID: {app.ID}, protocol.ResponseType: {protocol.ResponseTypeCode},
		protocol.RedirectURI: {app.RedirectURI}, protocol.Scope: {scope},
		protocol.State: {"the state"}, protocol.Nonce: {"the nonce"},
	}
	if app.Verifier != "" {
		q.Set(protocol.CodeChallenge, Challenge(app.Verifier))
		q.Set(protocol.CodeChallengeMethod, protocol.ChallengeS256)
	}
	for i := 0; i+1 < len(extra); i += 2 {
		q.Del(extra[i])
		if extra[i+1] != "" {
			q.Set(extra[i], extra[i+1])
		}
	}
	return protocol.PathAuthorize + "?" + q.Encode()
}

// SignIn takes the browser through whatever pages stand between the address
// and the application: it signs in as the person and allows what is asked.
func (b *Browser) SignIn(address, email string) *Page {
	b.tb.Helper()
	page := b.Get(address)
	for range 5 {
		switch {
		case page.Left:
			return page
		case page.Has("factor-submit") && b.Authenticator != nil:
			page = page.Submit(map[string]string{"code": b.Authenticator.Code()}, "", "")
		case page.Has("login-submit"):
			page = page.Submit(map[string]string{"username": email, "password": server.DemoPassword}, "", "")
		case page.Has("consent-allow"):
			page = page.Submit(nil, "decision", "allow")
		default:
			b.tb.Fatalf("%s (%d) is neither login nor consent:\n%s", page.URL.Path, page.Status, page.Text())
		}
	}
	if !page.Left {
		b.tb.Fatalf("the flow does not end; last page %s (%d):\n%s", page.URL.Path, page.Status, page.Text())
	}
	return page
}

// Code signs alice in and returns the authorization code.
func (s *Server) Code(b *Browser, app App, scope string, extra ...string) string {
	s.tb.Helper()
	page := b.SignIn(s.AuthorizeURL(app, scope, extra...), server.DemoPeople[0])
	code := page.URL.Query().Get(protocol.Code)
	if code == "" {
		s.tb.Fatalf("no code in %s", page.URL)
	}
	return code
}

// Answer is a JSON answer.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
	JSON   map[string]any
}

// Text returns a member that is text, or "".
func (a *Answer) Text(member string) string {
	v, _ := a.JSON[member].(string)
	return v
}

// Send sends a form to a path of the issuer as the application, by Basic
// authentication when it has a secret.
func (s *Server) Send(app App, path string, form url.Values) *Answer {
	s.tb.Helper()
	a, err := s.TrySend(app, path, form)
	if err != nil {
		s.tb.Fatalf("POST %s: %v", path, err)
	}
	return a
}

// TrySend is Send for tests in which the connection may break.
func (s *Server) TrySend(app App, path string, form url.Values) (*Answer, error) {
	if app.Secret == "" && app.ID != "" {
		form = cloneValues(form)
		form.Set(protocol.ClientID, app.ID)
	}
	req, err := http.NewRequestWithContext(s.tb.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if app.Secret != "" {
		req.SetBasicAuth(url.QueryEscape(app.ID), url.QueryEscape(app.Secret))
	}
	return s.do(req)
}

// Fetch sends a GET with the bearer token, if any.
func (s *Server) Fetch(path, bearer string) *Answer {
	s.tb.Helper()
	req, err := http.NewRequestWithContext(s.tb.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	a, err := s.do(req)
	if err != nil {
		s.tb.Fatalf("GET %s: %v", path, err)
	}
	return a
}

func (s *Server) do(req *http.Request) (*Answer, error) {
	c := &http.Client{Transport: s.transport}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: res.StatusCode, Header: res.Header, Raw: raw}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &a.JSON); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Exchange redeems a code.
func (s *Server) Exchange(app App, code string) *Answer {
	s.tb.Helper()
	form := url.Values{
		protocol.GrantType: {protocol.GrantAuthorizationCode}, protocol.Code: {code}, protocol.RedirectURI: {app.RedirectURI},
	}
	if app.Verifier != "" {
		form.Set(protocol.CodeVerifier, app.Verifier)
	}
	return s.Send(app, protocol.PathToken, form)
}

// Refresh redeems a refresh token.
func (s *Server) Refresh(app App, token string) *Answer {
	s.tb.Helper()
	return s.Send(app, protocol.PathToken, url.Values{
		protocol.GrantType: {protocol.GrantRefreshToken}, protocol.RefreshToken: {token},
	})
}

// Introspect asks about a token.
func (s *Server) Introspect(app App, token string) *Answer {
	s.tb.Helper()
	return s.Send(app, protocol.PathIntrospect, url.Values{protocol.Token: {token}})
}

// Revoke revokes a token.
func (s *Server) Revoke(app App, token string) *Answer {
	s.tb.Helper()
	return s.Send(app, protocol.PathRevoke, url.Values{protocol.Token: {token}})
}

func cloneValues(v url.Values) url.Values {
	out := url.Values{}
	for k, vs := range v {
		out[k] = append([]string(nil), vs...)
	}
	return out
}

// FetchURL sends a GET to an absolute address of the server.
func (s *Server) FetchURL(address string) *Answer {
	s.tb.Helper()
	req, err := http.NewRequestWithContext(s.tb.Context(), http.MethodGet, address, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	a, err := s.do(req)
	if err != nil {
		s.tb.Fatalf("GET %s: %v", address, err)
	}
	return a
}
