package recovery

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// FactorsPageDeps is what a FactorsPage needs. All of it.
type FactorsPageDeps struct {
	Kit     *web.Kit
	Opener  *visit.Opener
	Factors *Factors
	// Has reports whether the person has a password.
	Has func(ctx context.Context, userID string) (bool, error)
	// Prove checks a password of the person, counted as a sign-in is. Faults:
	// Unauthenticated, Limited, Unavailable.
	Prove func(r *http.Request, u *user.User, plain string) error
	// Trust counts the browser as one that the person has used before.
	Trust func(w http.ResponseWriter, r *http.Request, userID string) error
	Gate  limit.Gate
	Rules limit.Rules
	Audit audit.Recorder
}

// FactorsPage serves /recover/factors, the page behind the link of an
// administrator. It is safe for concurrent use.
type FactorsPage struct{ FactorsPageDeps }

// NewFactorsPage returns the page.
func NewFactorsPage(d FactorsPageDeps) *FactorsPage { return &FactorsPage{d} }

// busyFor is how long a person waits at least when we cannot answer.
const busyFor = 2 * time.Second

// Recover serves the page. GET changes nothing: whatever carries the link to
// its person may look at it first. POST removes the factors.
func (p *FactorsPage) Recover(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if _, _, err := p.Opener.SignedIn(r); err != nil { // for the language
			return err
		}
		if r.URL.Query().Has("link") {
			return p.follow(w, r)
		}
		return p.show(w, r)
	case http.MethodPost:
		return p.take(w, r)
	}
	return web.MethodNotAllowed(w, "GET, HEAD, POST")
}

// follow moves an open link from the address of the page into a cookie, where
// no history, log or Referer keeps it.
func (p *FactorsPage) follow(w http.ResponseWriter, r *http.Request) error {
	link := ""
	if links := r.URL.Query()["link"]; len(links) == 1 {
		link = links[0]
	}
	back, err := p.Factors.ByLink(r.Context(), link)
	if err != nil {
		return p.refuse(w, r, err)
	}
	p.Kit.Cookies.SetLink(w, link, clock.Until(back.proof.ExpiresAt))
	return p.Kit.SeeOther(w, r, protocol.PathRecoverFactors)
}

// show draws the page for the link that the browser keeps.
func (p *FactorsPage) show(w http.ResponseWriter, r *http.Request) error {
	link := p.Kit.Cookies.Link(r)
	if link == "" {
		return p.drawOver(w, r)
	}
	back, err := p.open(r.Context(), link)
	if err != nil {
		p.forget(w, err)
		return p.refuse(w, r, err)
	}
	return p.draw(w, r, http.StatusOK, link, back, templates.Problem{})
}

// open returns the way back of a link; the page speaks its person's language
// from then on.
func (p *FactorsPage) open(ctx context.Context, link string) (*WayBack, error) {
	back, err := p.Factors.ByLink(ctx, link)
	if err != nil {
		return nil, err
	}
	trail.Set(ctx, "user_id", back.Person.ID)
	web.PreferAccount(ctx, back.Person.Locale)
	return back, nil
}

// take removes the factors.
func (p *FactorsPage) take(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return err
	}
	link := p.Kit.Cookies.Link(r)
	if link == "" {
		return p.drawOver(w, r)
	}
	if err := p.Kit.CheckFormToken(form[templates.FieldToken], "recover_factors", p.Kit.Cookies.KnownBrowser(r), link); err != nil {
		return err
	}
	ctx := r.Context()
	if err := p.Gate.Take(ctx, p.Rules.RecoveryAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 recoveries per address"); err != nil {
		return err
	}
	back, err := p.open(ctx, link)
	if err == nil {
		err = p.proven(r, back.Person, form["password"])
	}
	if err == nil {
		err = p.Factors.Use(ctx, back, web.Lang(r).Tag())
	}
	if wrong := (*unproven)(nil); errors.As(err, &wrong) {
		return p.again(w, r, link, back, wrong.error)
	} else if fault.Is(err, fault.Gone) {
		p.forget(w, err)
		return p.drawRefused(w, r, err)
	} else if err != nil {
		return err
	}
	p.Kit.Cookies.ClearLink(w)
	p.Kit.Cookies.ClearTrusted(w)
	if err := p.Trust(w, r, back.Person.ID); err != nil {
		trail.Set(ctx, "trust", "failed") // the factors are gone: they only may have to wait
	}
	return p.Kit.Render(w, r, http.StatusOK, templates.FactorsRecovered{On: protocol.PathAccount})
}

// unproven is a password that did not count.
type unproven struct{ error }

func (e *unproven) Unwrap() error { return e.error }

// proven asks for the first factor, when the person has one of ours. Without
// it whoever got hold of the link would be in: it replaces the second factor
// and never the first (security §11.6 and §11.9).
func (p *FactorsPage) proven(r *http.Request, u *user.User, plain string) error {
	has, err := p.Has(r.Context(), u.ID)
	if err != nil || !has {
		return err
	}
	if err := p.Prove(r, u, plain); err != nil {
		return &unproven{err}
	}
	return nil
}

// again draws the page once more when the password did not count. Every wrong
// one reads the same.
func (p *FactorsPage) again(w http.ResponseWriter, r *http.Request, link string, back *WayBack, err error) error {
	status, problem := http.StatusOK, templates.WrongCredentials
	switch {
	case fault.Is(err, fault.Unauthenticated):
	case fault.Is(err, fault.Limited):
		wait := fault.As(err).RetryAfter
		status, problem = http.StatusTooManyRequests, templates.TooMany(wait)
		w.Header().Set("Retry-After", seconds(wait))
	case fault.Is(err, fault.Unavailable):
		status, problem = http.StatusServiceUnavailable, templates.Busy
		w.Header().Set("Retry-After", seconds(max(fault.As(err).RetryAfter, busyFor)))
	default:
		return err
	}
	p.Kit.Refused(r, err)
	return p.draw(w, r, status, link, back, problem)
}

func (p *FactorsPage) draw(w http.ResponseWriter, r *http.Request, status int, link string, back *WayBack, problem templates.Problem) error {
	has, err := p.Has(r.Context(), back.Person.ID)
	if err != nil {
		return err
	}
	login := back.Person.Email
	if login == "" {
		login = back.Person.Username
	}
	return p.Kit.Render(w, r, status, templates.RecoverFactors{
		Form: templates.Form{
			Action: protocol.PathRecoverFactors,
			Token:  p.Kit.FormToken("recover_factors", p.Kit.Cookies.Browser(w, r), link),
		},
		Login: login, Password: has, Problem: problem,
	})
}

// seconds writes a Retry-After value (RFC 9110 §10.2.3), rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// refuse counts a link that is over before it answers: guessing one is
// hopeless, and shall not be cheap either.
func (p *FactorsPage) refuse(w http.ResponseWriter, r *http.Request, err error) error {
	if fault.Is(err, fault.Gone) {
		ctx := r.Context()
		if limited := p.Gate.Take(ctx, p.Rules.RecoveryAddress, limit.Remote(ctx), "OWASP ASVS 2.4.1 recoveries per address"); limited != nil {
			return limited
		}
	}
	return p.drawRefused(w, r, err)
}

// drawRefused answers for a link that is over, and passes every other error on.
func (p *FactorsPage) drawRefused(w http.ResponseWriter, r *http.Request, err error) error {
	if !fault.Is(err, fault.Gone) {
		return err
	}
	p.Kit.Refused(r, err)
	event := audit.Event{Name: audit.ConfirmationRefused, Data: map[string]string{"purpose": string(confirm.RecoverFactors)}}
	if why := fault.As(err).Compared; len(why) > 0 {
		event.Data["reason"] = why[0].Got
	}
	p.Audit.Record(r.Context(), event)
	return p.drawOver(w, r)
}

// forget takes a link from the browser that is over.
func (p *FactorsPage) forget(w http.ResponseWriter, err error) {
	if fault.Is(err, fault.Gone) {
		p.Kit.Cookies.ClearLink(w)
	}
}

// drawOver says that the link does not work, whatever is wrong with it.
func (p *FactorsPage) drawOver(w http.ResponseWriter, r *http.Request) error {
	return p.Kit.Render(w, r, http.StatusGone, templates.RecoverFactorsOver{On: protocol.PathAccount})
}
