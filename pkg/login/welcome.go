package login

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
)

// Proof is what somebody has just proven within a flow.
type Proof struct {
	AMR      []string // RFC 8176
	Remember bool     // they want to stay signed in
	// Upstream is the sign-in elsewhere that it rests on; nil: none.
	Upstream *flow.Upstream
}

// Browsers remembers browsers whose people need no second factor for a while.
// factor.Browsers is one.
type Browsers interface {
	// Trusted reports whether the cookie value is of a browser that the person
	// had remembered.
	Trusted(ctx context.Context, userID, token string) (bool, error)
	// Trust remembers a browser and returns its cookie value, and for how long.
	Trust(ctx context.Context, userID string) (token string, life time.Duration, err error)
}

// Linker ties sign-ins elsewhere to accounts and sessions. federation.Service
// is one.
type Linker interface {
	// Link ties the sign-in that the flow keeps to the account of the person,
	// who has just proven that it is theirs. A fault of the kinds Conflict and
	// Gone means that it cannot be tied any more, and stops nobody.
	Link(ctx context.Context, l *flow.Link) error
	// Started notes which session comes from the sign-in.
	Started(ctx context.Context, s *session.Session, from *flow.Upstream) error
}

// Welcome goes on with a flow within which somebody has just proven who they
// are: with the second factor when they have one and the proof is none, else
// signed in.
func (h *Handler) Welcome(w http.ResponseWriter, r *http.Request, f *flow.Flow, u *user.User, p Proof) error {
	if err := h.allows(r.Context(), f, p); err != nil {
		return err
	}
	if assurance.Reaches(assurance.ClassOf(p.AMR), assurance.TwoFactors) || len(assurance.Usable(u.Factors, h.Dispatcher.opener.Policy.Taken)) == 0 {
		return h.open(w, r, f, u, p, false)
	}
	trusted, err := h.trusted(r, u)
	if err != nil {
		return err
	}
	if trusted && !h.asksMore(f) {
		return h.open(w, r, f, u, p, true)
	}
	f.Pending = &flow.Pending{UserID: u.ID, AMR: p.AMR, At: clock.Now(), Remember: p.Remember, Upstream: p.Upstream}
	f.Code, f.FactorFailed = "", false
	v, err := h.Dispatcher.opener.Of(r, f)
	if err != nil {
		return err
	}
	return h.Dispatcher.proceed(w, r, v)
}

// asksMore reports whether the request wants a class that a remembered browser
// does not stand for.
func (h *Handler) asksMore(f *flow.Flow) bool {
	asked := assurance.Asked(&f.Request)
	for _, class := range asked {
		if class == assurance.OneFactor {
			return false
		}
	}
	return len(asked) > 0
}

func (h *Handler) trusted(r *http.Request, u *user.User) (bool, error) {
	token := h.Kit.Cookies.Trusted(r)
	if h.Browsers == nil || token == "" {
		return false, nil
	}
	return h.Browsers.Trusted(r.Context(), u.ID, token)
}

// Second goes on with a flow whose person has just proven a second factor:
// they are signed in by both, or what they are signed in by is raised. trust
// asks to remember the browser.
func (h *Handler) Second(w http.ResponseWriter, r *http.Request, v *visit.Visit, amr []string, trust bool) error {
	if trust && h.Browsers != nil {
		token, life, err := h.Browsers.Trust(r.Context(), v.Proving.ID)
		if err != nil {
			return err
		}
		if token != "" {
			h.Kit.Cookies.SetTrusted(w, token, life)
		}
	}
	v.Flow.Code = ""
	if waiting := v.Flow.Pending; waiting != nil && waiting.UserID == v.Proving.ID && v.Flow.Waits(clock.Now()) {
		return h.open(w, r, v.Flow, v.Proving, Proof{
			AMR: assurance.Both(waiting.AMR, amr), Remember: waiting.Remember, Upstream: waiting.Upstream,
		}, false)
	}
	return h.Raise(w, r, v.Flow, v.Session, v.User, amr)
}

// Raise notes that who is signed in proved another factor, and goes on with
// the flow.
func (h *Handler) Raise(w http.ResponseWriter, r *http.Request, f *flow.Flow, s *session.Session, u *user.User, amr []string) error {
	if s == nil || u == nil || s.UserID != u.ID {
		return fault.New(fault.Conflict, "flow_interrupted", "Something changed while you were signing in. Please try again.").
			Under("security §10.1 a step-up raises the session of the person who proved it")
	}
	trail.Set(r.Context(), "client_id", f.Request.ClientID)
	if err := h.RaiseSession(w, r, s, u, amr); err != nil {
		return err
	}
	f.Pending = nil
	v, err := h.Dispatcher.opener.With(r.Context(), f, s, u)
	if err != nil {
		return err
	}
	return h.Dispatcher.proceed(w, r, v)
}

// RaiseSession notes that who is signed in proved another factor, and gives
// the browser a new cookie (security §10.1). When they signed in stays as it
// is: the time is that of the oldest factor.
func (h *Handler) RaiseSession(w http.ResponseWriter, r *http.Request, s *session.Session, u *user.User, amr []string) error {
	ctx := r.Context()
	methods := assurance.Both(s.AMR, amr)
	token, err := h.Sessions.StepUp(ctx, s, assurance.ClassOf(methods), methods)
	if err != nil {
		return err
	}
	h.Kit.Cookies.SetSession(w, token, s.CookieLife(clock.Now()))
	h.Audit.Record(ctx, audit.Event{
		Name: audit.FactorStepUp, Actor: u.ID, UserID: u.ID, SessionID: s.ID,
		Data: map[string]string{"amr": strings.Join(methods, " "), "acr": s.ACR},
	})
	return nil
}

// open starts the session of somebody who has proven who they are, and goes on
// with the flow.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, f *flow.Flow, u *user.User, p Proof, trusted bool) error {
	ctx := r.Context()
	start := session.Start{
		UserID: u.ID, ACR: assurance.ClassOf(p.AMR), AMR: p.AMR, Trusted: trusted,
		Replace: h.Kit.Cookies.Session(r), Remember: p.Remember,
	}
	if t := trail.From(ctx); t != nil {
		start.UserAgent = t.UserAgent
		if t.Remote.IsValid() {
			start.Address = t.Remote.String()
		}
	}
	token, s, err := h.Sessions.Start(ctx, start)
	if err != nil {
		return err
	}
	h.Kit.Cookies.SetSession(w, token, s.CookieLife(clock.Now()))
	h.Kit.Cookies.SetKnown(w, h.device(r).with(u.ID))
	trail.Set(ctx, "user_id", u.ID)
	trail.Set(ctx, "sid", s.ID)
	data := map[string]string{"amr": strings.Join(p.AMR, " ")}
	if p.Upstream != nil {
		data["provider"] = p.Upstream.Provider
	}
	h.Audit.Record(ctx, audit.Event{
		Name: audit.LoginSucceeded, Actor: u.ID, UserID: u.ID, ClientID: f.Request.ClientID, SessionID: s.ID, Data: data,
	})
	if err := h.tie(ctx, f, u, s, p); err != nil {
		return err
	}
	if f.UserID != u.ID {
		f.Consented, f.EnrolLater = false, false // somebody else's
	}
	f.UserID, f.SessionID, f.Pending = u.ID, s.ID, nil
	f.FreshLogin, f.AccountChosen, f.OtherAccount = true, true, false
	v, err := h.Dispatcher.opener.With(ctx, f, s, u)
	if err != nil {
		return err
	}
	return h.Dispatcher.proceed(w, r, v)
}

// tie links the sign-in elsewhere that waited for this one, and notes where
// the session comes from.
func (h *Handler) tie(ctx context.Context, f *flow.Flow, u *user.User, s *session.Session, p Proof) error {
	if h.Linker == nil {
		return nil
	}
	if l := f.Link; l != nil && l.UserID == u.ID {
		err := h.Linker.Link(ctx, l)
		if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Gone) {
			return err
		}
	}
	f.Link = nil
	if p.Upstream == nil {
		return nil
	}
	return h.Linker.Started(ctx, s, p.Upstream)
}
