package federation_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

func TestBackChannelLogoutAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		form   url.Values
		err    error
		status int
	}{
		"OIDC Back-Channel Logout §2.8 a token that is taken":  {"POST", url.Values{"logout_token": {"token"}}, nil, http.StatusOK},
		"OIDC Back-Channel Logout §2.5 no token":               {"POST", url.Values{}, nil, http.StatusBadRequest},
		"OIDC Back-Channel Logout §2.8 a token that is not":    {"POST", url.Values{"logout_token": {"token"}}, fault.New(fault.Invalid, "invalid_request", "x").Under("x"), http.StatusBadRequest},
		"OIDC Back-Channel Logout §2.8 a provider of nobody's": {"POST", url.Values{"logout_token": {"token"}}, fault.New(fault.NotFound, "provider_not_found", "x").Under("x"), http.StatusBadRequest},
		"security §0.8 sessions that cannot be ended now":      {"POST", url.Values{"logout_token": {"token"}}, fault.New(fault.Unavailable, "temporarily_unavailable", "x").Under("x"), http.StatusServiceUnavailable},
		"OIDC Back-Channel Logout §2.5 by GET":                 {"GET", nil, nil, http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.at.logout = tt.err
			a := r.Browser().Do(tt.method, "/login/logout/corp", tt.form, http.Header{"Sec-Fetch-Site": {"cross-site"}})
			if a.Status != tt.status || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("status %d, want %d; %v", a.Status, tt.status, a.Header)
			}
			if tt.status == http.StatusBadRequest && !strings.Contains(a.Body, "invalid_request") {
				t.Errorf("the answer is %q", a.Body)
			}
		})
	}
	t.Run("security §0.5 tokens that are not taken are counted", func(t *testing.T) {
		r := newRig(t)
		r.at.logout = fault.New(fault.Invalid, "invalid_request", "x").Under("x")
		last := 0
		for range 21 {
			last = r.Browser().Do("POST", "/login/logout/corp", url.Values{"logout_token": {"token"}}, nil).Status
		}
		if last != http.StatusTooManyRequests {
			t.Errorf("the 21st: %d", last)
		}
	})
}

func TestSigningOutThereToo(t *testing.T) {
	const next = "https://app.example.test/bye?state=x"
	r := newRig(t)
	b := r.Browser()
	r.allow(t, b, r.through(t, b, "corp"))
	s := r.session(t, b)
	there, err := r.handler.After(ctx, s.ID, next)
	u, _ := url.Parse(there)
	if err != nil || u == nil || u.Host != "idp.example.test" || u.Query().Get("id_token_hint") != "id-token" || u.Query().Get("to") != stage.Issuer+"/login/logout/corp/done" {
		t.Fatalf("After = %q, %v", there, err)
	}
	state := u.Query().Get("state")
	if strings.Contains(there, "app.example.test") {
		t.Errorf("the provider learns where the logout leads: %s", there)
	}
	for name, tt := range map[string]struct{ at, want string }{
		"the state of another provider": {"/login/logout/hub/done?state=" + r.stateTo(t, s.ID, next), "/signed-out"},
		"the state of a sign-in":        {"/login/logout/corp/done?state=" + r.begin(t, b, r.Begin(t, b, "prompt=login"), "corp"), "/signed-out"},
		"no state":                      {"/login/logout/corp/done", "/signed-out"},
		"two states":                    {"/login/logout/corp/done?state=a&state=b", "/signed-out"},
		"a state of nobody's":           {"/login/logout/corp/done?state=x", "/signed-out"},
		"ours":                          {"/login/logout/corp/done?state=" + state, next},
	} {
		if got := stage.Follow(t, b.Get(tt.at)); got != tt.want {
			t.Errorf("%s leads to %q, want %q", name, got, tt.want)
		}
	}
	if got := stage.Follow(t, b.Get("/login/logout/corp/done?state="+state)); got != "/signed-out" {
		t.Errorf("once more leads to %q", got)
	}
	// A state of a logout signs nobody in.
	if a := back(b, "corp", r.stateTo(t, s.ID, next)); a.Status != http.StatusForbidden {
		t.Errorf("as the state of a sign-in: %d", a.Status)
	}
	r.change(t, "corp", func(p *federation.Provider) { p.Settings.Logout = false })
	if there, err := r.handler.After(ctx, s.ID, next); there != "" || err != nil {
		t.Errorf("where it is not wanted: %q, %v", there, err)
	}
	r.change(t, "corp", func(p *federation.Provider) { p.Settings.Logout, p.Disabled = true, true })
	if there, err := r.handler.After(ctx, s.ID, next); there != "" || err != nil {
		t.Errorf("where it is switched off: %q, %v", there, err)
	}
	if there, err := r.handler.After(ctx, "nobody", next); there != "" || err != nil {
		t.Errorf("a session of ours alone: %q, %v", there, err)
	}
}

// stateTo returns the state of a logout that leads on to next.
func (r *rig) stateTo(t *testing.T, sessionID, next string) string {
	t.Helper()
	there, err := r.handler.After(ctx, sessionID, next)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(there)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("state")
}
