package bench

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// client sends requests on connections that stay open.
type client struct{ http http.Client }

func newClient() *client {
	return &client{http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: connections, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ok sends a request, wants 200 and throws the answer away.
func (c *client) ok(method, address, authorization string, form url.Values) error {
	_, err := c.send(method, address, authorization, form, http.StatusOK, nil)
	return err
}

// send returns the Location of the answer, and reads a JSON body into into.
func (c *client) send(method, address, authorization string, form url.Values, want int, into any) (string, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		return "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != want {
		return "", fmt.Errorf("%s answered %d, want %d: %.300s", req.URL.Path, res.StatusCode, want, raw)
	}
	switch into := into.(type) {
	case nil:
	case *string:
		*into = string(raw)
	default:
		if err := json.Unmarshal(raw, into); err != nil {
			return "", err
		}
	}
	return res.Header.Get("Location"), nil
}

// readAll reads a body and closes it.
func readAll(res *http.Response) (string, error) {
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return string(raw), err
}

func basic(c credentials) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.Secret))
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func (s *site) authorizeURL(app credentials, scope string) string {
	sum := sha256.Sum256([]byte(verifier))
	return s.URL + "/oauth2/authorize?" + url.Values{
		"client_id": {app.ID}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {scope}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
}

// person is a browser with a session, once signed in.
type person struct {
	*client
	s   *site
	app credentials // of the application they sign in to
}

func (s *site) newPerson(app credentials) (*person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	p := &person{newClient(), s, app}
	p.http.Jar = jar
	return p, nil
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// login goes from the authorization request to the code: three requests.
func (p *person) login(scope string) (code string, err error) {
	to, err := p.send(http.MethodGet, p.s.authorizeURL(p.app, scope), "", nil, http.StatusSeeOther, nil)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(to, "http") {
		to = p.s.URL + to
	}
	var page string
	if _, err := p.send(http.MethodGet, to, "", nil, http.StatusOK, &page); err != nil {
		return "", err
	}
	form := url.Values{"username": {p.s.email}, "password": {p.s.password}}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], m[2])
	}
	back, err := p.send(http.MethodPost, to, "", form, http.StatusSeeOther, nil)
	if err != nil {
		return "", err
	}
	return codeOf(back)
}

// again gets a code with the session that the browser has: one request.
func (p *person) again(scope string) (string, error) {
	back, err := p.send(http.MethodGet, p.s.authorizeURL(p.app, scope), "", nil, http.StatusSeeOther, nil)
	if err != nil {
		return "", err
	}
	return codeOf(back)
}

func codeOf(location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil || u.Query().Get("code") == "" {
		return "", fmt.Errorf("no code in %q", location)
	}
	return u.Query().Get("code"), nil
}

func (p *person) exchange(code string) (t tokens, err error) {
	_, err = p.send(http.MethodPost, p.s.URL+"/oauth2/token", basic(p.app), url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}, http.StatusOK, &t)
	return t, err
}

func (p *person) refresh(token string) (t tokens, err error) {
	_, err = p.send(http.MethodPost, p.s.URL+"/oauth2/token", basic(p.app), url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token},
	}, http.StatusOK, &t)
	return t, err
}
