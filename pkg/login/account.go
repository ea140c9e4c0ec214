package login

import (
	"net/http"

	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Account serves the page that chooses the account: the one that is signed in,
// or another. It may be visited at any time of an open flow.
func (h *Handler) Account(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		return h.choose(w, r)
	default:
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	v, err := h.Dispatcher.opener.Open(r)
	if err != nil {
		return err
	}
	if v.User == nil {
		return h.Dispatcher.proceed(w, r, v) // nobody to choose: sign in
	}
	return h.drawAccounts(w, r, v, templates.Problem{})
}

func (h *Handler) drawAccounts(w http.ResponseWriter, r *http.Request, v *visit.Visit, problem templates.Problem) error {
	return h.Kit.Render(w, r, http.StatusOK, templates.Chooser{
		Form: templates.Form{
			Action: at(PathAccount, v.Flow.ID),
			Token:  h.token(w, r, "account", v.Flow.ID, v.Session.ID),
		},
		Client:   v.Application(),
		Accounts: []templates.Account{{Ref: v.User.ID, Name: v.User.Name, Login: loginOf(v.User)}},
		Problem:  problem,
	})
}

func (h *Handler) choose(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	v, err := h.Dispatcher.opener.Open(r)
	if err != nil {
		return err
	}
	if v.User == nil {
		return h.Dispatcher.proceed(w, r, v) // signed out meanwhile
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "account", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID, v.Session.ID); err != nil {
		return err
	}
	f := v.Flow
	switch chosen, sent := form["account"]; {
	case sent && chosen == v.User.ID:
		f.AccountChosen, f.OtherAccount = true, false
	case sent && chosen == "":
		f.OtherAccount = true
		f.FreshLogin, f.AccountChosen, f.Consented = false, false, false
	default:
		return h.drawAccounts(w, r, v, templates.NoDecision)
	}
	return h.Dispatcher.Next(w, r, f)
}
