package federation

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
)

// Purposes of a trip to a provider.
const (
	toSignIn  = "sign in"
	toLink    = "link"
	toSignOut = "sign out"
)

// trip is what we need to know when a browser comes back from a provider. It
// waits here; the browser takes along nothing but the state that opens it.
type trip struct {
	purpose, provider string
	nonce, verifier   string
	browser           string // fingerprint of its cookie
	flow              string // toSignIn
	wish              wish   // how the provider is to ask
	user, session     string // toLink: who asked, in which session
	left              int64  // when, in Unix seconds
}

func (t trip) values() url.Values {
	return url.Values{
		"purpose": {t.purpose}, "provider": {t.provider}, "nonce": {t.nonce}, "verifier": {t.verifier}, "browser": {t.browser},
		"flow": {t.flow}, "wish": {string(t.wish)},
		"user": {t.user}, "session": {t.session}, "left": {strconv.FormatInt(t.left, 10)},
	}
}

func tripOf(v url.Values) trip {
	left, _ := strconv.ParseInt(v.Get("left"), 10, 64) // we wrote it
	return trip{
		purpose: v.Get("purpose"), provider: v.Get("provider"), nonce: v.Get("nonce"), verifier: v.Get("verifier"), browser: v.Get("browser"),
		flow: v.Get("flow"), wish: wish(v.Get("wish")), user: v.Get("user"), session: v.Get("session"), left: left,
	}
}

// A wish is how the provider is to ask the person.
type wish string

const (
	choose wish = "choose" // which account, where they have several
	other  wish = "other"  // as somebody else than before
	anew   wish = "anew"   // to sign in again: the provider's own session must not do
)

// wishOf passes on what the application wants: without it a session at the
// provider would sign the same person in again, silently (OIDC Core §3.1.2.1).
func wishOf(v *visit.Visit) wish {
	q := &v.Flow.Request
	age := q.MaxAge
	if age == nil && v.Client != nil {
		age = v.Client.DefaultMaxAge
	}
	switch {
	case q.HasPrompt(protocol.PromptLogin), age != nil && v.Session != nil:
		return anew
	case v.Flow.OtherAccount, q.HasPrompt(protocol.PromptSelectAccount):
		return other
	}
	return ""
}

// prompt returns the prompt value that says so to a provider of the kind; "":
// it takes none. login is the one that every OpenID provider knows: one that
// meets a value it does not know refuses the whole request.
func (w wish) prompt(kind Kind) string {
	switch {
	case w == "", kind == Apple, kind == Facebook:
		return ""
	case kind == Google, kind == GitHub, kind == Microsoft && w != anew:
		return protocol.PromptSelectAccount
	case w == choose:
		return ""
	}
	return protocol.PromptLogin
}

// depart prepares a trip and returns where the browser goes. State, nonce and
// verifier are new for each, and worthless in another browser (RFC 9700 §2.1,
// §4.7).
func (h *Handler) depart(w http.ResponseWriter, r *http.Request, t trip) (string, error) {
	ctx := r.Context()
	t.nonce, t.verifier = secret.New(secret.UpstreamNonce), secret.New(secret.UpstreamVerifier)
	t.browser = h.Fingerprint.Of(secret.BrowserCookie, h.Kit.Cookies.Browser(w, r))
	t.left = clock.Now().Unix()
	state, err := h.Opener.Flows.Await(ctx, t.values())
	if err != nil {
		return "", err
	}
	up, p, err := h.Places.Upstream(ctx, t.provider)
	if err != nil {
		return "", err
	}
	to, err := up.Begin(ctx, state, t.nonce, t.verifier, h.callback(t.provider))
	prompt := t.wish.prompt(p.Kind)
	if err != nil || prompt == "" {
		return to, err
	}
	return withParam(to, protocol.Prompt, prompt)
}

// callback is the redirect URI of a provider, from the configured issuer.
func (h *Handler) callback(id string) string {
	return h.Kit.URL(protocol.PathLoginCallback + "/" + id)
}

func withParam(address, name, value string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fault.As(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// leave sends the browser to an address of a provider, by GET.
func leave(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
