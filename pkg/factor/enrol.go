package factor

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// pages are where the kinds are added.
var pages = map[assurance.Factor]string{
	assurance.Passkey: protocol.PathAccountPasskeys,
	assurance.TOTP:    protocol.PathAccountTOTP,
	assurance.SMS:     protocol.PathAccountSMS,
	assurance.Email:   protocol.PathAccountEmailCode,
}

// Enrol serves the step that leads to getting a factor which is demanded.
func (h *Handler) Enrol(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if v.Step != assurance.Enrol {
		return h.Steps.Next(w, r, v.Flow)
	}
	if r.Method == http.MethodPost {
		return h.answer(w, r, v)
	}
	return h.drawEnrol(w, r, v, templates.Problem{})
}

func (h *Handler) drawEnrol(w http.ResponseWriter, r *http.Request, v *visit.Visit, problem templates.Problem) error {
	page := templates.Enrol{
		Form: templates.Form{
			Action: protocol.PathEnrol + "?flow=" + url.QueryEscape(v.Flow.ID),
			Token:  h.Kit.FormToken("enrol", h.Kit.Cookies.Browser(w, r), v.Flow.ID),
		},
		Client: v.Application(), Account: tile(v.User), Asked: asksMore(v), Problem: problem,
	}
	if v.Postponable {
		page.Until = h.until(v.User).In(room.Zone(v.User))
	}
	least := assurance.Highest(v.Demand.Class, weakest(v.Demand.Asked))
	for _, kind := range assurance.Factors() {
		if pages[kind] != "" && h.method(kind) != nil && slices.Contains(h.Opener.Policy.Taken, kind) && assurance.Reaches(kind.Reach(), least) {
			page.Ways = append(page.Ways, templates.OtherWay{Kind: string(kind), Path: pages[kind] + "?flow=" + url.QueryEscape(v.Flow.ID)})
		}
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// until is when the grace of a person ends: it begins when they first put it
// off.
func (h *Handler) until(u *user.User) time.Time {
	from := u.EnrolAskedAt
	if from.IsZero() {
		from = clock.Now()
	}
	return from.Add(h.Opener.Policy.Grace)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "enrol", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID); err != nil {
		return err
	}
	switch {
	case form["decision"] == "deny":
		return h.Steps.Refuse(w, r, v.Flow, denied(v))
	case form["decision"] == "later" && v.Postponable:
		return h.postpone(w, r, v)
	}
	return h.drawEnrol(w, r, v, templates.NoDecision)
}

// postpone lets the person go on without. The grace begins with the first
// time.
func (h *Handler) postpone(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	ctx := r.Context()
	if v.User.EnrolAskedAt.IsZero() {
		_, err := h.Users.Change(ctx, v.User.ID, func(_ context.Context, u *user.User) error {
			if u.EnrolAskedAt.IsZero() {
				u.EnrolAskedAt = clock.Now()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	h.Audit.Record(ctx, audit.Event{
		Name: audit.FactorPostponed, Actor: v.User.ID, UserID: v.User.ID, ClientID: v.Flow.Request.ClientID, SessionID: v.Session.ID,
		Data: map[string]string{"until": h.until(v.User).UTC().Format(time.RFC3339)},
	})
	v.Flow.EnrolLater = true
	return h.Steps.Next(w, r, v.Flow)
}
