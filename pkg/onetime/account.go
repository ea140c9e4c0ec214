package onetime

import (
	"net/http"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/sms"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Raiser raises the session of this browser by a factor that was just proven.
// login.Handler is one.
type Raiser interface {
	RaiseSession(w http.ResponseWriter, r *http.Request, s *session.Session, u *user.User, amr []string) error
}

// Handler serves the account's pages of one-time codes. It is safe for
// concurrent use.
type Handler struct {
	Rooms  *room.Keeper
	Codes  *Service
	Raise  Raiser
	Onward *factor.Onward
}

func (h *Handler) email() Email { return Email{h.Codes} }
func (h *Handler) sms() SMS     { return SMS{h.Codes} }

// Email serves the page of codes by e-mail.
func (h *Handler) Email(w http.ResponseWriter, r *http.Request) error {
	return h.Rooms.Serve(w, r, room.Room{
		Path: protocol.PathAccountEmailCode, Fresh: true,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.drawEmail(w, r, v, http.StatusOK, templates.EmailCodes{})
		},
		Take: func(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
			switch form["decision"] {
			case "send":
				return h.offerEmail(w, r, v)
			case "confirm":
				err := h.email().Confirm(r.Context(), change(v, maskEmail(v.User.Email)), form["code"])
				return h.confirmed(w, r, v, byEmail, err, func(status int, problem, code templates.Problem) error {
					return h.drawEmail(w, r, v, status, templates.EmailCodes{Problem: problem, CodeProblem: code})
				})
			case "off":
				err := h.email().Remove(r.Context(), change(v, maskEmail(v.User.Email)))
				return h.removed(w, r, v, byEmail, err, func(problem templates.Problem) error {
					return h.drawEmail(w, r, v, http.StatusOK, templates.EmailCodes{Problem: problem})
				})
			}
			return h.drawEmail(w, r, v, http.StatusOK, templates.EmailCodes{Problem: templates.NoDecision})
		},
	})
}

func (h *Handler) drawEmail(w http.ResponseWriter, r *http.Request, v *room.Visitor, status int, page templates.EmailCodes) error {
	on, err := has(h.email().List(r.Context(), v.User.ID))
	if err != nil {
		return err
	}
	to, err := h.email().Waiting(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	page.Desk, page.Form = room.Desk(r, protocol.PathAccountSecurity), h.Rooms.Form(w, r, v, protocol.PathAccountEmailCode)
	page.Email, page.Verified, page.Address = v.User.Email, v.User.Email != "" && v.User.EmailVerified, protocol.PathAccountEmail
	page.On, page.Waits = on, to != "" && to == v.User.Email
	return h.Rooms.Kit.Render(w, r, status, page)
}

// has returns the one factor of a list, or nil.
func has(list []factor.Entry, err error) (*templates.HasFactor, error) {
	if err != nil || len(list) == 0 {
		return nil, err
	}
	e := list[0]
	return &templates.HasFactor{ID: e.ID, Name: e.Name, Added: e.AddedAt, Used: e.UsedAt}, nil
}

func (h *Handler) offerEmail(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	err := h.email().Offer(r.Context(), v.User, web.Lang(r).Tag())
	if err == nil {
		return h.Rooms.Kit.SeeOther(w, r, v.At(protocol.PathAccountEmailCode))
	}
	return h.unsent(w, r, err, func(status int, problem templates.Problem) error {
		return h.drawEmail(w, r, v, status, templates.EmailCodes{Problem: problem})
	})
}

// SMS serves the page of codes by text message.
func (h *Handler) SMS(w http.ResponseWriter, r *http.Request) error {
	return h.Rooms.Serve(w, r, room.Room{
		Path: protocol.PathAccountSMS, Fresh: true,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.drawSMS(w, r, v, http.StatusOK, templates.TextCodes{})
		},
		Take: func(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
			switch form["decision"] {
			case "send":
				return h.offerSMS(w, r, v, form["number"])
			case "confirm":
				return h.confirmSMS(w, r, v, form["code"])
			case "off":
				return h.removeSMS(w, r, v)
			}
			return h.drawSMS(w, r, v, http.StatusOK, templates.TextCodes{Problem: templates.NoDecision})
		},
	})
}

func (h *Handler) drawSMS(w http.ResponseWriter, r *http.Request, v *room.Visitor, status int, page templates.TextCodes) (err error) {
	if page.On, err = has(h.sms().List(r.Context(), v.User.ID)); err != nil {
		return err
	}
	if page.Waits, err = h.sms().Waiting(r.Context(), v.User.ID); err != nil {
		return err
	}
	page.Desk, page.Form = room.Desk(r, protocol.PathAccountSecurity), h.Rooms.Form(w, r, v, protocol.PathAccountSMS)
	return h.Rooms.Kit.Render(w, r, status, page)
}

func (h *Handler) offerSMS(w http.ResponseWriter, r *http.Request, v *room.Visitor, typed string) error {
	number, ok := sms.Normalise(typed)
	if !ok {
		return h.drawSMS(w, r, v, http.StatusOK, templates.TextCodes{Number: typed, NumberProblem: templates.NumberMalformed})
	}
	err := h.sms().Offer(r.Context(), v.User, number, web.Lang(r).Tag())
	if err == nil {
		return h.Rooms.Kit.SeeOther(w, r, v.At(protocol.PathAccountSMS))
	}
	return h.unsent(w, r, err, func(status int, problem templates.Problem) error {
		return h.drawSMS(w, r, v, status, templates.TextCodes{Number: typed, Problem: problem})
	})
}

func (h *Handler) confirmSMS(w http.ResponseWriter, r *http.Request, v *room.Visitor, code string) error {
	number, err := h.sms().Waiting(r.Context(), v.User.ID)
	if err == nil {
		err = h.sms().Confirm(r.Context(), change(v, sms.Mask(number)), code)
	}
	return h.confirmed(w, r, v, bySMS, err, func(status int, problem, code templates.Problem) error {
		return h.drawSMS(w, r, v, status, templates.TextCodes{Problem: problem, CodeProblem: code})
	})
}

func (h *Handler) removeSMS(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	name, err := h.sms().To(r.Context(), v.User)
	if err == nil {
		err = h.sms().Remove(r.Context(), change(v, name))
	} else if fault.CodeOf(err) == "code_nowhere" {
		return h.Rooms.Done(w, r, v, protocol.PathAccountSMS, "factor_removed") // twice
	}
	return h.removed(w, r, v, bySMS, err, func(problem templates.Problem) error {
		return h.drawSMS(w, r, v, http.StatusOK, templates.TextCodes{Problem: problem})
	})
}

func change(v *room.Visitor, name string) factor.Change {
	return factor.Change{UserID: v.User.ID, Name: name, Actor: v.User.ID, SessionID: v.Session.ID}
}

// path is the page of the kind.
func (w way) path() string {
	if w == bySMS {
		return protocol.PathAccountSMS
	}
	return protocol.PathAccountEmailCode
}

// unsent draws the page once more with why no code left.
func (h *Handler) unsent(w http.ResponseWriter, r *http.Request, err error, draw func(status int, problem templates.Problem) error) error {
	switch fault.KindOf(err) {
	case fault.Limited:
		h.Rooms.Kit.Refused(r, err)
		return draw(http.StatusTooManyRequests, h.limited(w, err))
	case fault.Unavailable:
		h.Rooms.Kit.Refused(r, err)
		w.Header().Set("Retry-After", "2")
		return draw(http.StatusServiceUnavailable, templates.WayDown)
	}
	return err
}

func (h *Handler) limited(w http.ResponseWriter, err error) templates.Problem {
	wait := fault.As(err).RetryAfter
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	return templates.TooMany(wait)
}

// confirmed leads on who has the factor now, or draws the page with what was
// wrong.
func (h *Handler) confirmed(w http.ResponseWriter, r *http.Request, v *room.Visitor, by way, err error, draw func(status int, problem, code templates.Problem) error) error {
	switch fault.KindOf(err) {
	case fault.None:
		if err := h.Raise.RaiseSession(w, r, v.Session, v.User, []string{by.amr}); err != nil {
			return err
		}
		return h.Onward.Lead(w, r, v, by.path(), "factor")
	case fault.Unauthenticated:
		h.refused(r, v, by, err)
		return draw(http.StatusOK, templates.Problem{}, templates.FactorCodeWrong)
	case fault.Gone:
		h.refused(r, v, by, err)
		return draw(http.StatusOK, templates.CodeOver, templates.Problem{})
	case fault.Limited:
		h.Rooms.Kit.Refused(r, err)
		return draw(http.StatusTooManyRequests, h.limited(w, err), templates.Problem{})
	}
	return err
}

func (h *Handler) refused(r *http.Request, v *room.Visitor, by way, err error) {
	h.Rooms.Kit.Refused(r, err)
	h.Rooms.Record(r, v, audit.Event{Name: audit.ConfirmationRefused, Data: map[string]string{"purpose": string(by.enrol)}})
}

// removed tells that the factor is gone, or why it is not.
func (h *Handler) removed(w http.ResponseWriter, r *http.Request, v *room.Visitor, by way, err error, draw func(problem templates.Problem) error) error {
	switch {
	case err == nil, fault.Is(err, fault.NotFound): // twice
		return h.Rooms.Done(w, r, v, by.path(), "factor_removed")
	case fault.CodeOf(err) == "last_factor":
		h.Rooms.Kit.Refused(r, err)
		return draw(templates.FactorLast)
	}
	return err
}
