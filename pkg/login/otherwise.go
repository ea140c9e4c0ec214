package login

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Counted runs an attempt to sign in otherwise than by password, and counts it
// for the address it comes from as long as it is no good one. A device that
// the person has used before is stopped by nobody else's failures. Faults: of
// prove; Limited and Unavailable as with a password.
func (h *Handler) Counted(r *http.Request, v *visit.Visit, prove func(ctx context.Context) (*user.User, error)) (*user.User, error) {
	ctx, d := r.Context(), h.device(r)
	tries := h.brake.begin()
	defer tries.end()
	braked := tries.address(ctx)
	if braked != nil && (!fault.Is(braked, fault.Limited) || !d.claims()) {
		return nil, h.throttled(ctx, v, braked)
	}
	u, err := prove(ctx)
	switch {
	case braked != nil && (err != nil || !d.knows(u.ID)):
		return nil, h.throttled(ctx, v, braked)
	case fault.Is(err, fault.Unauthenticated):
		return nil, err
	}
	tries.giveBack(ctx) // it was right, or nothing was learnt from it
	return u, err
}

// Refused draws the form once more when somebody tried to sign in otherwise
// than by password: the problem says so, and the password is the way forward.
// Limited and Unavailable are told as with a password.
func (h *Handler) Refused(w http.ResponseWriter, r *http.Request, v *visit.Visit, remember bool, err error, problem templates.Problem) error {
	e := entry{username: prefill(v), remember: remember, problem: problem}
	h.Kit.Refused(r, err)
	switch why := fault.As(err); why.Kind {
	case fault.Limited:
		e.problem = templates.TooMany(why.RetryAfter)
		w.Header().Set("Retry-After", seconds(why.RetryAfter))
		return h.draw(w, r, http.StatusTooManyRequests, v, e)
	case fault.Unavailable:
		e.problem = templates.Busy
		w.Header().Set("Retry-After", seconds(max(why.RetryAfter, busyFor)))
		return h.draw(w, r, http.StatusServiceUnavailable, v, e)
	default:
		return h.draw(w, r, http.StatusOK, v, e)
	}
}

// offerPasskey shows the way in by a passkey where the application allows it.
func (h *Handler) offerPasskey(w http.ResponseWriter, v *visit.Visit, page *templates.Login) {
	if h.Passkeys && Local(v) {
		page.Passkey = &templates.AskPasskey{
			Form:    templates.Form{Action: at(protocol.PathPasskey, v.Flow.ID), Token: page.Token},
			Options: at(protocol.PathPasskeyOptions, v.Flow.ID),
		}
		web.Policy{Connect: true}.Set(w.Header())
	}
}

// Local reports whether the application lets people sign in by what they have
// here: a password or a passkey.
func Local(v *visit.Visit) bool { return waysOf(v)(client.WayLocal) }
