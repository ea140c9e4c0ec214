package federation

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/web"
)

// Bounds of what a provider sends through the browser.
const (
	maxAnswers = 32
	maxAnswer  = 8 << 10 // bytes of one value
)

// parked names the parameter under which our own GET finds a parked POST.
const parked = "parked"

// Callback serves /login/callback/<provider>, where providers send browsers
// back to, by GET or, from another website, by POST: serve it with
// web.Kit.OpenPages. Nothing happens unless the state is one that we sent with
// this browser to this provider, and has not come back before (RFC 9700 §4.4,
// §4.7).
func (h *Handler) Callback(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		return h.park(w, r)
	default: // a state is spent by looking at it
		return web.MethodNotAllowed(w, "GET, POST")
	}
	answer, err := h.answer(r)
	if err != nil {
		return err
	}
	t, err := h.arrived(r, answer, below(r, protocol.PathLoginCallback))
	if err != nil {
		return err
	}
	delete(answer, protocol.State)
	switch t.purpose {
	case toSignIn:
		return h.signedIn(w, r, t, answer)
	case toLink:
		return h.linked(w, r, t, answer)
	}
	return barred("the state is that of a sign-in", "This sign-in is not known here.").Compare("purpose", toSignIn, t.purpose)
}

// below returns what the address of a request names below a path.
func below(r *http.Request, path string) string {
	_, name, _ := strings.Cut(r.URL.Path, path+"/")
	return name
}

// park answers a POST: it comes from the provider's website, so without our
// cookies, and the browser comes back by GET with them (security §10.2).
// Nothing is done by the POST itself.
func (h *Handler) park(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	values := url.Values{}
	for name, value := range form {
		values.Set(name, value)
	}
	id, err := h.Opener.Flows.Park(r.Context(), values)
	if err != nil {
		return err
	}
	to := protocol.PathLoginCallback + "/" + url.PathEscape(below(r, protocol.PathLoginCallback))
	return h.Kit.SeeOther(w, r, to+"?"+parked+"="+id)
}

// answer returns the parameters that a provider sent, each once.
func (h *Handler) answer(r *http.Request) (map[string]string, error) {
	params := r.URL.Query()
	if ids := params[parked]; len(ids) == 1 {
		var err error
		if params, err = h.Opener.Flows.Unpark(r.Context(), ids[0]); err != nil {
			return nil, h.lost(err)
		}
	}
	answer := map[string]string{}
	for name, values := range params {
		if len(values) > 1 || len(params) > maxAnswers || len(values[0]) > maxAnswer || !readable(name+values[0]) {
			return nil, fault.New(fault.Invalid, protocol.ErrInvalidRequest, "This answer cannot be read.").
				Under("RFC 6749 §3.1 a parameter comes once, and is bounded text").Compare("parameter", "once", name)
		}
		answer[name] = values[0]
	}
	return answer, nil
}

func readable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// lost gives an error about a sign-in that nobody here waits for a way on.
func (h *Handler) lost(err error) error {
	if k := fault.KindOf(err); k == fault.NotFound || k == fault.Denied {
		return web.Back(err, protocol.PathAccount, "")
	}
	return err
}

// arrived spends the state and returns the trip that ends with it.
func (h *Handler) arrived(r *http.Request, answer map[string]string, provider string) (trip, error) {
	params, err := h.Opener.Flows.Arrived(r.Context(), answer[protocol.State])
	if err != nil {
		return trip{}, h.lost(err)
	}
	t := tripOf(params)
	browser := h.Kit.Cookies.KnownBrowser(r)
	switch {
	case browser == "" || !secret.Equal(t.browser, h.Fingerprint.Of(secret.BrowserCookie, browser)):
		err = fault.New(fault.Denied, "flow_foreign", "This sign-in was started in another browser.").
			Under("RFC 9700 §4.7 the state comes back in the browser that it was made for").
			WithHint("The browser cookie is missing or belongs to another browser: a copied link, or cookies are blocked.")
	case t.provider != provider:
		err = barred("RFC 9700 §4.4 the answer comes to the callback of the provider that was asked", "This sign-in is not known here.").
			Compare("provider", t.provider, provider)
	default:
		return t, nil
	}
	h.note(r, &Provider{ID: t.provider}, trouble{event: audit.IdentityRefused, why: err}, audit.Event{})
	return trip{}, h.lost(err)
}

// finish takes the answer of a provider. Each is counted beforehand, as a
// sign-in that failed: a stranger can make us ask the provider with one.
func (h *Handler) finish(r *http.Request, t trip, answer map[string]string) (*Person, error) {
	ctx := r.Context()
	key := limit.Remote(ctx)
	if err := h.Gate.Take(ctx, h.Rules.LoginAddress, key, "security §0.5 answers of providers per address"); err != nil {
		return nil, err
	}
	up, _, err := h.Places.Upstream(ctx, t.provider)
	if err != nil {
		return nil, err
	}
	who, err := up.Finish(ctx, answer, t.nonce, t.verifier, h.callback(t.provider))
	if err == nil {
		err = fresh(t, who)
	}
	if err == nil || fault.CodeOf(err) == CodeCancelled || fault.Is(err, fault.Unavailable) {
		_ = h.Gate.Give(ctx, h.Rules.LoginAddress, key) // at worst the limit is a little tighter
	}
	return who, err
}

// fresh refuses who was not asked to sign in although they had to: the time of
// authentication, where the provider tells it, is older than the question.
func fresh(t trip, who *Person) error {
	var at int64
	switch v := who.Claims["auth_time"].(type) {
	case float64:
		at = int64(v)
	case json.Number:
		at, _ = v.Int64()
	}
	if t.wish != anew || at == 0 || at >= t.left-int64(skew/time.Second) {
		return nil
	}
	return fault.New(fault.Denied, codeStale, "The other service did not ask who is there.").
		Under("OIDC Core §3.1.2.1 prompt=login asks the person to sign in again")
}

// codeStale is the code of a sign-in that was not asked for anew.
const codeStale = "upstream_stale"

// signedIn goes on with the request that a person left to sign in elsewhere.
func (h *Handler) signedIn(w http.ResponseWriter, r *http.Request, t trip, answer map[string]string) error {
	v, err := h.Opener.Named(r, t.flow)
	if err != nil {
		return err
	}
	p, err := h.offered(r.Context(), v, t.provider)
	switch {
	case p != nil && fault.Is(err, fault.Denied):
		return h.failed(w, r, v, p, trouble{"off", audit.IdentityRefused, err})
	case err != nil:
		return web.Back(err, at(protocol.PathLogin, v.Flow.ID), "")
	}
	who, err := h.finish(r, t, answer)
	if err != nil {
		return h.unready(w, r, v, p, err)
	}
	found, err := h.Places.Resolve(r.Context(), p, who)
	if err != nil {
		return h.unready(w, r, v, p, err)
	}
	switch found.Decision {
	case Known, Created:
		return h.welcome(w, r, v, who, &found)
	case Proof:
		return h.prove(w, r, v, p, &found)
	}
	return h.failed(w, r, v, p, trouble{problemOf(found.Refusal), "", found.Refusal})
}

// welcome lets in whom a provider knows. What they proved there is one factor
// unless the operator trusts the provider's word on it.
func (h *Handler) welcome(w http.ResponseWriter, r *http.Request, v *visit.Visit, who *Person, in *Outcome) error {
	return h.Greeter.Welcome(w, r, v.Flow, in.User, login.Proof{AMR: who.AMR, Upstream: in.Upstream})
}
