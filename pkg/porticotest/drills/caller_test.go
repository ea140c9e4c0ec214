package drills

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// caller sends requests to a child, on connections that stay open. Unlike
// porticotest it returns errors: connections break in these drills.
type caller struct {
	s    *site
	http http.Client
}

func (s *site) caller() *caller {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &caller{s, http.Client{
		Jar: jar, Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is what came back.
type reply struct {
	status   int
	header   http.Header
	raw      []byte
	json     map[string]any
	location string
}

func (r reply) text(member string) string { v, _ := r.json[member].(string); return v }

func (r reply) String() string { return fmt.Sprintf("%d %.300s", r.status, r.raw) }

// send sends a form, or a GET when form is nil, as the application.
func (c *caller) send(app porticotest.App, address string, form url.Values) (reply, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	if strings.HasPrefix(address, "/") {
		address = c.s.url + address
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		return reply{}, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if app.Secret != "" {
		req.SetBasicAuth(app.ID, app.Secret)
	}
	return c.do(req)
}

func (c *caller) do(req *http.Request) (reply, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	raw, err := read(res)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: res.StatusCode, header: res.Header, raw: raw, location: res.Header.Get("Location")}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(raw, &r.json)
	}
	return r, err
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// code signs in, unless the caller has a session, and returns a code.
func (c *caller) code(scope string) (string, error) {
	q := url.Values{
		protocol.ClientID: {c.s.web.ID}, protocol.ResponseType: {protocol.ResponseTypeCode}, protocol.Scope: {scope},
		protocol.RedirectURI: {porticotest.Callback}, protocol.State: {"s"}, protocol.Nonce: {"n"},
		protocol.CodeChallenge: {porticotest.Challenge(porticotest.Verifier)}, protocol.CodeChallengeMethod: {protocol.ChallengeS256},
	}
	r, err := c.send(nobody, protocol.PathAuthorize+"?"+q.Encode(), nil)
	for range 3 {
		if err != nil {
			return "", err
		}
		if u, err := url.Parse(r.location); err == nil && u.Query().Get(protocol.Code) != "" {
			return u.Query().Get(protocol.Code), nil
		}
		if r.location == "" {
			break
		}
		at := r.location
		if r, err = c.send(nobody, at, nil); err != nil || r.status != http.StatusOK {
			continue
		}
		form := url.Values{"username": {c.s.email}, "password": {c.s.password}}
		for _, m := range hidden.FindAllStringSubmatch(string(r.raw), -1) {
			form.Set(m[1], m[2])
		}
		r, err = c.send(nobody, at, form)
	}
	return "", fmt.Errorf("no code: %s", r)
}

// tokens signs in and redeems the code.
func (c *caller) tokens(scope string) (reply, error) {
	code, err := c.code(scope)
	if err != nil {
		return reply{}, err
	}
	r, err := c.send(c.s.web, protocol.PathToken, codeForm(c.s.web, code))
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("code exchange: %s", r)
	}
	return r, err
}

// must is tokens for the stage of a drill.
func (c *caller) must(scope string) reply {
	c.s.t.Helper()
	r, err := c.tokens(scope)
	if err != nil {
		c.s.t.Fatal(err)
	}
	return r
}

// userinfo asks with the token.
func (c *caller) userinfo(access string) (reply, error) {
	req, err := http.NewRequest(http.MethodGet, c.s.url+protocol.PathUserinfo, nil)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+access)
	return c.do(req)
}
