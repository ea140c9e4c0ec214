package passkey

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	ours "github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// maxForm bounds the body of a form, in bytes: an answer, encoded.
const maxForm = 4 * maxCredential

// fieldCredential is the field that the script fills; it may be long.
const fieldCredential = "credential"

// Purposes of the form tokens of the pages that ask for a passkey.
const (
	tokenLogin  = "login"
	tokenFactor = "factor"
)

// Greeter goes on with who signed in, or draws the sign-in once more.
// login.Handler is one.
type Greeter interface {
	Welcome(w http.ResponseWriter, r *http.Request, f *flow.Flow, u *user.User, p login.Proof) error
	Counted(r *http.Request, v *visit.Visit, prove func(ctx context.Context) (*user.User, error)) (*user.User, error)
	Refused(w http.ResponseWriter, r *http.Request, v *visit.Visit, remember bool, err error, problem templates.Problem) error
}

// SignInDeps is what a SignIn needs. All of it.
type SignInDeps struct {
	Kit      *web.Kit
	Opener   *visit.Opener
	Passkeys *Service
	Greeter  Greeter
	Audit    audit.Recorder
}

// SignIn serves /login/passkey and /login/passkey/options. It is safe for
// concurrent use.
type SignIn struct{ SignInDeps }

// NewSignIn returns a handler.
func NewSignIn(d SignInDeps) *SignIn { return &SignIn{d} }

// Options gives out the challenge of a sign-in, or with second=1 of a second
// factor, as JSON to the script of the page that asks.
func (h *SignIn) Options(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, http.MethodPost)
	}
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	second := r.URL.Query().Get("second") == "1"
	token := tokenLogin
	if second {
		token = tokenFactor
	}
	browser := h.Kit.Cookies.KnownBrowser(r)
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], token, browser, v.Flow.ID); err != nil {
		return err
	}
	asked, err := h.ask(r.Context(), v, browser, second)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, asked)
	return nil
}

func (h *SignIn) ask(ctx context.Context, v *visit.Visit, browser string, second bool) (*Asked, error) {
	switch {
	case second && v.Proving == nil:
		return nil, fault.New(fault.Conflict, "flow_interrupted", "Something changed while you were signing in. Please try again.").
			Under("security §11.9 a second factor is asked of who proved a first one")
	case second:
		return h.Passkeys.AskOf(ctx, browser, v.Flow.ID, v.Proving)
	case !login.Local(v):
		return nil, because(reasonWay)
	}
	return h.Passkeys.AskAny(ctx, browser, v.Flow.ID)
}

// SignIn takes the passkey of whoever is there: fields ceremony, credential
// and remember.
func (h *SignIn) SignIn(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, http.MethodPost)
	}
	form, err := web.Form(r, maxForm, fieldCredential)
	if err != nil {
		return err
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	browser := h.Kit.Cookies.KnownBrowser(r)
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], tokenLogin, browser, v.Flow.ID); err != nil {
		return err
	}
	var found *Found
	remember := form["remember"] == "on"
	u, err := h.Greeter.Counted(r, v, func(ctx context.Context) (*user.User, error) {
		if found, err = h.identify(ctx, v, browser, form); err != nil {
			return nil, err
		}
		return found.User, nil
	})
	switch fault.KindOf(err) {
	case fault.None:
		amr := append(found.Passkey.AMR(), ours.AMRMultiple) // its authenticator verified them: two factors in one
		return h.Greeter.Welcome(w, r, v.Flow, u, login.Proof{AMR: amr, Remember: remember})
	case fault.Unauthenticated:
		return h.Greeter.Refused(w, r, v, remember, err, templates.PasskeyRefused)
	case fault.Gone:
		return h.Greeter.Refused(w, r, v, remember, err, templates.PasskeyOver)
	case fault.Limited, fault.Unavailable:
		return h.Greeter.Refused(w, r, v, remember, err, templates.Problem{})
	}
	return err
}

// identify finds out who is there, and notes when nobody is let in.
func (h *SignIn) identify(ctx context.Context, v *visit.Visit, browser string, form web.Fields) (*Found, error) {
	if !login.Local(v) {
		return nil, because(reasonWay)
	}
	found, err := h.Passkeys.Identify(ctx, browser, v.Flow.ID, form["ceremony"], form[fieldCredential])
	if fault.Is(err, fault.Unauthenticated) {
		e := audit.Event{Name: audit.LoginFailed, ClientID: v.Flow.Request.ClientID, Data: map[string]string{"reason": reasonOf(err)}}
		if found != nil {
			e.UserID = found.User.ID
		}
		h.Audit.Record(ctx, e)
	}
	return found, err
}

// reasonOf says for the operator why a passkey did not count.
func reasonOf(err error) string {
	why := fault.As(err)
	for _, c := range why.Compared {
		if c.Name == "passkey" {
			return "passkey: " + c.Got
		}
	}
	return "passkey: " + why.Rule
}
