package logout_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/protocol"
)

// upstream is where Ann signed in to come here.
type upstream struct {
	to   string
	err  error
	last []string // session, next
}

func (u *upstream) After(_ context.Context, sessionID, next string) (string, error) {
	u.last = []string{sessionID, next}
	return u.to, u.err
}

// TestSignsOutUpstreamToo: the session is over before the browser leaves, and
// a provider that cannot be asked keeps nobody signed in.
func TestSignsOutUpstreamToo(t *testing.T) {
	for name, tt := range map[string]struct {
		to     string
		err    error
		params url.Values
		want   string
		next   string
	}{
		"RP-Initiated Logout §2 where they came from":     {"https://idp.example.test/logout?x", nil, url.Values{"post_logout_redirect_uri": {bye}, "state": {"s"}}, "https://idp.example.test/logout?x", bye + "?state=s"},
		"RP-Initiated Logout §2 and then to our own page": {"https://idp.example.test/logout?x", nil, url.Values{}, "https://idp.example.test/logout?x", "/signed-out"},
		"they came from nowhere":                          {"", nil, url.Values{"post_logout_redirect_uri": {bye}}, bye, bye},
		"it cannot be asked":                              {"", fault.New(fault.Unavailable, "upstream_unavailable", "x").Under("the provider answers"), url.Values{"post_logout_redirect_uri": {bye}}, bye, bye},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.upstream.to, r.upstream.err = tt.to, tt.err
			b, opened := r.signedIn(t)
			tt.params.Set("id_token_hint", r.idToken(t))
			if got := stage.Follow(t, b.Get(protocol.PathLogout+"?"+tt.params.Encode())); got != tt.want {
				t.Errorf("led to %q, want %q", got, tt.want)
			}
			if r.live(t, opened.ID) || b.Cookie(stage.SessionCookie) != "" {
				t.Error("the session lives on")
			}
			if len(r.upstream.last) != 2 || r.upstream.last[0] != opened.ID || r.upstream.last[1] != tt.next {
				t.Errorf("the provider's logout leads on for %q, want %q", r.upstream.last, tt.next)
			}
			if tt.err != nil && r.Refusals.Last().Rule != "the provider answers" {
				t.Error("the operator does not learn why")
			}
		})
	}
}
