package factor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// maxTries is how many second factors one sign-in may get wrong: then its
// first one is asked for again.
const maxTries = 5

// Step serves the page that asks for a second factor. GET changes nothing;
// POST takes what proves it, or sends a code.
func (h *Handler) Step(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		return web.MethodNotAllowed(w, "GET, HEAD, POST")
	}
	v, err := h.Opener.Open(r)
	if err != nil {
		return err
	}
	if v.Step != assurance.SecondFactor {
		return h.Steps.Next(w, r, v.Flow)
	}
	ways, err := h.ways(r.Context(), v)
	if err != nil {
		return err
	}
	kind := chosen(r, ways)
	if r.Method == http.MethodPost {
		return h.take(w, r, v, ways, kind)
	}
	return h.draw(w, r, http.StatusOK, v, ways, kind, templates.SecondFactor{})
}

// ways returns the kinds that the person may use now, best first.
func (h *Handler) ways(ctx context.Context, v *visit.Visit) ([]assurance.Factor, error) {
	u := v.Proving
	usable := assurance.Usable(u.Factors, h.Opener.Policy.Taken)
	least := assurance.TwoFactors
	if !v.Flow.Pends(u.ID) { // signed in: what raises them to what is asked
		least = assurance.Highest(least, v.Demand.Class, weakest(v.Demand.Asked))
	}
	ways := slices.DeleteFunc(usable, func(f assurance.Factor) bool {
		return h.method(f) == nil || !assurance.Reaches(f.Reach(), least)
	})
	codes, ok := h.method(assurance.RecoveryCode).(Counter)
	if !ok || !assurance.Reaches(assurance.RecoveryCode.Reach(), least) {
		return ways, nil
	}
	left, err := codes.Left(ctx, u.ID)
	if err == nil && left > 0 {
		ways = append(ways, assurance.RecoveryCode)
	}
	return ways, err
}

// weakest returns the least demanding of the classes; empty: none.
func weakest(asked []string) string {
	least := ""
	for _, class := range asked {
		if least == "" || assurance.Reaches(least, class) {
			least = class
		}
	}
	return least
}

// asksMore reports whether the application asks for classes of which the
// person has reached none: then a policy alone does not decide, and a
// remembered browser is not enough.
func asksMore(v *visit.Visit) bool {
	reached := assurance.OneFactor
	if v.Session != nil && (v.Proving == nil || !v.Flow.Pends(v.Proving.ID)) {
		reached = v.Session.ACR
	}
	return len(v.Demand.Asked) > 0 && !assurance.Reaches(reached, weakest(v.Demand.Asked))
}

// chosen returns the kind that the query names, or the best.
func chosen(r *http.Request, ways []assurance.Factor) assurance.Factor {
	if with := r.URL.Query()["with"]; len(with) == 1 && slices.Contains(ways, assurance.Factor(with[0])) {
		return assurance.Factor(with[0])
	}
	if len(ways) == 0 {
		return ""
	}
	return ways[0]
}

// at returns the path of the page for a flow, and a kind.
func at(flowID string, kind assurance.Factor) string {
	path := protocol.PathFactor + "?flow=" + url.QueryEscape(flowID)
	if kind != "" {
		path += "&with=" + url.QueryEscape(string(kind))
	}
	return path
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, status int, v *visit.Visit, ways []assurance.Factor, kind assurance.Factor, page templates.SecondFactor) error {
	page.Form = templates.Form{Action: at(v.Flow.ID, kind), Token: h.Kit.FormToken("factor", h.Kit.Cookies.Browser(w, r), v.Flow.ID)}
	page.Client, page.Account, page.Kind = v.Application(), tile(v.Proving), string(kind)
	page.Options = protocol.PathPasskeyOptions + "?flow=" + url.QueryEscape(v.Flow.ID) + "&second=1"
	for _, other := range ways {
		if other != kind {
			page.Others = append(page.Others, templates.OtherWay{Kind: string(other), Path: at(v.Flow.ID, other)})
		}
	}
	if s, ok := h.method(kind).(Sender); ok {
		to, err := s.To(r.Context(), v.Proving)
		if err != nil && !fault.Is(err, fault.Unavailable) {
			return err
		}
		page.To, page.Sent = to, v.Flow.Code != "" && v.Flow.CodeBy == string(kind)
	}
	if !asksMore(v) && h.Browsers.For() > 0 {
		page.TrustDays = max(1, int(h.Browsers.For()/(24*time.Hour)))
	}
	page.Restart = v.Flow.Pends(v.Proving.ID)
	web.Policy{Connect: kind == assurance.Passkey}.Set(w.Header()) // its script asks for the challenge
	return h.Kit.Render(w, r, status, page)
}

// tile is a person as pages show them.
func tile(u *user.User) templates.Account {
	a := templates.Account{Ref: u.ID, Name: u.Name, Login: u.Email}
	if a.Login == "" {
		a.Login = u.Username
	}
	return a
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request, v *visit.Visit, ways []assurance.Factor, kind assurance.Factor) error {
	form, err := web.Form(r, maxForm, "credential")
	if err != nil {
		return err
	}
	if err := h.Kit.CheckFormToken(form[templates.FieldToken], "factor", h.Kit.Cookies.KnownBrowser(r), v.Flow.ID); err != nil {
		return err
	}
	switch form["decision"] {
	case "deny":
		return h.Steps.Refuse(w, r, v.Flow, denied(v))
	case "restart":
		v.Flow.Pending, v.Flow.Code = nil, ""
		return h.Steps.Next(w, r, v.Flow)
	}
	m := h.method(kind)
	if m == nil {
		return h.draw(w, r, http.StatusOK, v, ways, kind, templates.SecondFactor{})
	}
	a := &Attempt{User: v.Proving, Flow: v.Flow, Browser: h.Kit.Cookies.KnownBrowser(r), Form: form}
	if form["decision"] == "send" {
		return h.send(w, r, v, ways, m, a)
	}
	switch { // what is empty is no try
	case kind == assurance.Passkey && form["credential"] == "":
		return h.draw(w, r, http.StatusOK, v, ways, kind, templates.SecondFactor{Problem: templates.PasskeyFailed})
	case kind != assurance.Passkey && form["code"] == "":
		return h.draw(w, r, http.StatusOK, v, ways, kind, templates.SecondFactor{Problem: templates.CodeMissing})
	}
	return h.prove(w, r, v, ways, m, a)
}

// denied is what the application hears when the person does not prove more.
func denied(v *visit.Visit) *fault.Error {
	if asksMore(v) {
		return fault.New(fault.Denied, protocol.ErrUnmetAuthenticationRequirements, "The person did not use a second factor.").
			Under("RFC 9470 §5 what acr_values asks for is reached").Compare("acr", weakest(v.Demand.Asked), assurance.OneFactor)
	}
	return fault.New(fault.Denied, protocol.ErrAccessDenied, "The person did not use a second factor.").
		Under("RFC 6749 §4.1.2.1 the person signs in")
}

// send sends a code, and keeps in the flow which.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, v *visit.Visit, ways []assurance.Factor, m Method, a *Attempt) error {
	s, ok := m.(Sender)
	if !ok {
		return h.draw(w, r, http.StatusOK, v, ways, m.Kind(), templates.SecondFactor{})
	}
	if err := s.Send(r.Context(), a); err != nil {
		return h.failed(w, r, v, ways, m, err)
	}
	v.Flow.CodeBy = string(m.Kind())
	if err := h.Opener.Flows.Save(r.Context(), v.Flow); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	return h.Kit.SeeOther(w, r, at(v.Flow.ID, m.Kind()))
}

// prove takes what was typed. Each try is counted for the person before it is
// looked at, over all their sign-ins: guesses in parallel get no more than
// guesses one by one, and a new sign-in begins no new count.
func (h *Handler) prove(w http.ResponseWriter, r *http.Request, v *visit.Visit, ways []assurance.Factor, m Method, a *Attempt) error {
	ctx, key := r.Context(), h.Next.CounterKey(r, v.Proving.ID)
	if err := h.Gate.Take(ctx, h.Rules.SecondFactor, key, "security §11.8 second factors per account, over all sign-ins"); err != nil {
		return h.failed(w, r, v, ways, m, err)
	}
	if err := h.count(ctx, v); err != nil {
		h.giveBack(ctx, key) // it is not looked at
		return h.uncounted(w, r, v, m, err)
	}
	amr, err := m.Verify(ctx, a)
	if err == nil {
		h.giveBack(ctx, key)
		return h.Next.Second(w, r, v, amr, a.Form["trust"] == "on" && !asksMore(v))
	}
	if !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.Gone) {
		h.giveBack(ctx, key) // nothing was learnt from it
		h.uncount(ctx, v)
	}
	return h.failed(w, r, v, ways, m, err)
}

// count notes the try in the flow, before it is looked at: of two at once in
// one flow the second does not get through. fault.Denied when there were too
// many already.
func (h *Handler) count(ctx context.Context, v *visit.Visit) error {
	if !v.Flow.Pends(v.Proving.ID) {
		return nil
	}
	if v.Flow.Pending.Tries >= maxTries {
		return fault.New(fault.Denied, "factor_failed", "The second factor was wrong too often. Sign in again.").
			Under("security §11.8 second factors per sign-in").
			Compare("tries", "at most "+strconv.Itoa(maxTries), strconv.Itoa(v.Flow.Pending.Tries+1))
	}
	v.Flow.Pending.Tries++
	return h.Opener.Flows.Save(ctx, v.Flow)
}

// uncount takes a try back that could not be looked at. If it fails, the
// count is only stricter.
func (h *Handler) uncount(ctx context.Context, v *visit.Visit) {
	if !v.Flow.Pends(v.Proving.ID) {
		return
	}
	v.Flow.Pending.Tries--
	if err := h.Opener.Flows.Save(context.WithoutCancel(ctx), v.Flow); err != nil {
		trail.Set(ctx, "factor_uncount", "failed")
	}
}

// uncounted answers a try that was not looked at: one too many in its sign-in,
// or one beside another of the same tab, whose answer the page then shows.
func (h *Handler) uncounted(w http.ResponseWriter, r *http.Request, v *visit.Visit, m Method, err error) error {
	switch {
	case fault.Is(err, fault.Denied):
		return h.startOver(w, r, v, err)
	case fault.Is(err, fault.Conflict):
		h.Kit.Refused(r, err)
		return h.Kit.SeeOther(w, r, at(v.Flow.ID, m.Kind()))
	}
	return err
}

// giveBack undoes the count of a try that was right. If it fails, the count is
// only stricter.
func (h *Handler) giveBack(ctx context.Context, key string) {
	ctx = context.WithoutCancel(ctx)
	if err := h.Gate.Give(ctx, h.Rules.SecondFactor, key); err != nil {
		trail.Set(ctx, "limit_give", "failed")
	}
}

// failed shows the page once more with what was wrong.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, v *visit.Visit, ways []assurance.Factor, m Method, err error) error {
	page, status := templates.SecondFactor{}, http.StatusOK
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Gone:
		h.record(r, v, m, err)
		if v.Flow.Pends(v.Proving.ID) && v.Flow.Pending.Tries >= maxTries {
			return h.startOver(w, r, v, err)
		}
		page.Problem = templates.FactorCodeWrong
		if m.Kind() == assurance.Passkey {
			page.Problem = templates.PasskeyFailed
		} else if fault.Is(err, fault.Gone) {
			page.Problem = templates.CodeOver
		}
	case fault.Limited:
		h.throttled(r, v, m, err)
		wait := fault.As(err).RetryAfter
		page.Problem, status = templates.TooMany(wait), http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	case fault.Unavailable:
		page.Problem, status = templates.WayDown, http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "2")
	default:
		return err
	}
	h.Kit.Refused(r, err)
	return h.draw(w, r, status, v, ways, m.Kind(), page)
}

// startOver drops a first factor whose second one failed too often.
func (h *Handler) startOver(w http.ResponseWriter, r *http.Request, v *visit.Visit, err error) error {
	h.Kit.Refused(r, err)
	v.Flow.Pending, v.Flow.Code, v.Flow.FactorFailed = nil, "", true
	if err := h.Opener.Flows.Save(r.Context(), v.Flow); err != nil && !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("factor: start over: %w", err)
	}
	return h.Steps.Next(w, r, v.Flow)
}

func (h *Handler) record(r *http.Request, v *visit.Visit, m Method, err error) {
	why := fault.As(err)
	reason := why.Code
	for _, c := range why.Compared {
		reason = c.Got
	}
	h.Audit.Record(r.Context(), audit.Event{
		Name: audit.FactorFailed, UserID: v.Proving.ID, ClientID: v.Flow.Request.ClientID,
		Data: map[string]string{"factor": string(m.Kind()), "reason": reason},
	})
}

// throttled notes that no more is looked at for a while.
func (h *Handler) throttled(r *http.Request, v *visit.Visit, m Method, err error) {
	h.Audit.Record(r.Context(), audit.Event{
		Name: audit.LoginThrottled, UserID: v.Proving.ID, ClientID: v.Flow.Request.ClientID,
		Data: map[string]string{"factor": string(m.Kind()), "rule": fault.As(err).Rule},
	})
}
