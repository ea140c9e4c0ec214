package drills

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

// racers is how many requests race for one thing.
const racers = 50

// rush sends the same token request racers times at once, to both instances in
// turn.
func rush(t *testing.T, a, b *porticotest.Server, app porticotest.App, form url.Values) []*porticotest.Answer {
	t.Helper()
	answers := make([]*porticotest.Answer, racers)
	race(racers, func(i int) {
		s := a
		if i%2 == 1 {
			s = b
		}
		answer, err := s.TrySend(app, protocol.PathToken, form)
		if err != nil {
			t.Errorf("racer %d: %v", i, err)
			answer = &porticotest.Answer{}
		}
		answers[i] = answer
	})
	return answers
}

// winners are the answers of 200; the others must be the refusal.
func winners(t *testing.T, answers []*porticotest.Answer, status int, code string) (won []*porticotest.Answer) {
	t.Helper()
	for i, a := range answers {
		switch {
		case a.Status == http.StatusOK:
			won = append(won, a)
		case a.Status != status || a.Text("error") != code:
			t.Errorf("racer %d: got %d %s, want 200 or %d %s", i, a.Status, a.Raw, status, code)
		}
	}
	return won
}

func TestOneOfFiftyWinsACodeAndLosesItAgain(t *testing.T) {
	a, b := shared(t).two(t)
	for name, app := range map[string]porticotest.App{"confidential": web, "public": spa} {
		t.Run(name, func(t *testing.T) {
			code := a.Code(a.NewBrowser(), app, everything)
			won := winners(t, rush(t, a, b, app, codeForm(app, code)), http.StatusBadRequest, protocol.ErrInvalidGrant)
			if len(won) != 1 {
				t.Fatalf("%d of %d redeemed the code, want 1", len(won), racers)
			}
			refused(t, a, app, won[0]) // RFC 6749 §4.1.2
			refused(t, b, app, won[0])
		})
	}
}

func TestFiftyRefreshesByAConfidentialClientHaveOneSuccessor(t *testing.T) {
	a, b := shared(t).two(t)
	_, tokens := login(t, a, web, everything)
	won := winners(t, rush(t, a, b, web, refreshForm(tokens.Text("refresh_token"))), 0, "")
	if len(won) == 0 {
		t.Fatal("nobody won")
	}
	next := won[0].Text("refresh_token")
	for _, w := range won {
		if w.Text("refresh_token") != next || w.Text("access_token") != won[0].Text("access_token") {
			t.Errorf("two successors of one refresh token: %s and %s", won[0].Raw, w.Raw)
		}
	}
	want(t, "refresh with the successor", b.Refresh(web, next), http.StatusOK)
}

func TestFiftyRefreshesByAPublicClientEndTheFamily(t *testing.T) {
	a, b := shared(t).two(t)
	_, tokens := login(t, a, spa, everything)
	won := winners(t, rush(t, a, b, spa, refreshForm(tokens.Text("refresh_token"))), http.StatusBadRequest, protocol.ErrInvalidGrant)
	if len(won) > 1 {
		t.Errorf("%d of %d got a successor, want 1 at most", len(won), racers)
	}
	for _, w := range append(won, tokens) {
		refused(t, a, spa, w)
		refused(t, b, spa, w)
	}
}

func TestFiftyUsesOfOneAssertionAreOne(t *testing.T) {
	a, b := shared(t).two(t)
	m := newSigner(t, a)
	m.takenAgain(a)
	won := 0
	for i, r := range rush(t, a, b, nobody, m.form(m.assertion())) {
		switch {
		case r.Status == http.StatusOK:
			won++
		case r.Status != http.StatusUnauthorized && r.Status != http.StatusTooManyRequests: // failures are counted
			t.Errorf("racer %d: %d %s", i, r.Status, r.Raw)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d uses of one jti succeeded, want 1", won, racers)
	}
}

// resubmit sends the form of a page many times at once, as an impatient
// person does, and returns where the answers led.
func resubmit(t *testing.T, b *porticotest.Browser, page *porticotest.Page, fields url.Values) (locations []string) {
	t.Helper()
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page.Body, -1) {
		form.Set(m[1], m[2])
	}
	for name, values := range fields {
		form[name] = values
	}
	cookies := b.Cookies()
	c := http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: racers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer c.CloseIdleConnections()
	var mu sync.Mutex
	race(racers, func(i int) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page.URL.String(), strings.NewReader(form.Encode()))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		for _, k := range cookies {
			req.AddCookie(k)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Errorf("racer %d: %v", i, err)
			return
		}
		body, _ := read(res)
		if res.StatusCode >= http.StatusInternalServerError {
			t.Errorf("racer %d: %d %.300s", i, res.StatusCode, body)
		}
		mu.Lock()
		defer mu.Unlock()
		locations = append(locations, res.Header.Get("Location"))
	})
	return locations
}

// codesIn counts the different codes among addresses.
func codesIn(locations []string) map[string]bool {
	codes := map[string]bool{}
	for _, l := range locations {
		if u, err := url.Parse(l); err == nil && u.Query().Get(protocol.Code) != "" {
			codes[u.Query().Get(protocol.Code)] = true
		}
	}
	return codes
}

func TestAConsentThatIsSentFiftyTimesGivesOneCode(t *testing.T) {
	s := shared(t).instance(t)
	b := s.NewBrowser()
	page := b.Get(s.AuthorizeURL(web, everything)).
		Submit(map[string]string{"username": server.DemoPeople[0], "password": server.DemoPassword}, "", "")
	if !page.Has("consent-allow") {
		t.Fatalf("no consent page: %d %s", page.Status, page.Text())
	}
	codes := codesIn(resubmit(t, b, page, url.Values{"decision": {"allow"}}))
	if len(codes) != 1 {
		t.Fatalf("%d submissions of one consent gave %d codes, want 1", racers, len(codes))
	}
	for code := range codes {
		want(t, "code exchange", s.Exchange(web, code), http.StatusOK)
	}
}

func TestARegistrationThatIsSentFiftyTimesMakesOneAccount(t *testing.T) {
	s := shared(t).instance(t)
	b := s.NewBrowser()
	page := b.Get(s.AuthorizeURL(web, everything, protocol.Prompt, protocol.PromptCreate))
	if page.URL.Path != protocol.PathSignup {
		t.Fatalf("no registration: %s %d %s", page.URL, page.Status, page.Text())
	}
	const email = "carol@example.com"
	resubmit(t, b, page, url.Values{"name": {"Carol"}, "email": {email}, "password": {"many unrelated words"}})
	if _, err := s.Users.ByIdentifier(t.Context(), email); !fault.Is(err, fault.NotFound) {
		t.Fatalf("there is an account before the address is proven: %v", err)
	}
	proof := b.Get(s.Letter(email).Link)
	if !proof.Has("confirm-submit") {
		t.Fatalf("the link leads to %s %d %s", proof.URL, proof.Status, proof.Text())
	}
	proof.URL.Path, proof.URL.RawQuery = protocol.PathSignupConfirm, ""
	resubmit(t, b, proof, nil)
	people, err := s.Users.List(t.Context(), paging.Page{Size: 100})
	if err != nil || len(people) != len(server.DemoPeople)+1 {
		t.Errorf("%d people are there (%v), want one more than %d", len(people), err, len(server.DemoPeople))
	}
	login := b.Get(strings.Replace(page.URL.String(), protocol.PathSignup, protocol.PathLogin, 1)).
		Submit(map[string]string{"username": email, "password": "many unrelated words"}, "", "")
	first := login.Submit(nil, "decision", "allow").URL.Query().Get(protocol.Code)
	if first == "" {
		t.Fatal("the registration led to no code")
	}
	want(t, "code exchange", s.Exchange(web, first), http.StatusOK)
}
