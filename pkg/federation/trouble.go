package federation

import (
	"net/http"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
)

// trouble is why a sign-in elsewhere did not count.
type trouble struct {
	problem string     // code of the words that the person reads
	event   audit.Name // empty: recorded already
	why     error      // for the operator
}

// problems are the codes of the words for the faults of a sign-in elsewhere.
// Those about an account here all read the same: nobody learns whether there
// is one.
var problems = map[string]string{
	codeUnavailable:     "busy",
	CodeCancelled:       "cancelled",
	CodeUnverified:      "refused",
	CodeLocalUnverified: "refused",
	CodeNoEmail:         "refused",
	CodeNoAccount:       "refused",
	CodeDisabled:        "refused",
	CodeDomain:          "domain",
	CodeLinked:          "taken",
	codeStale:           "stale",
}

// problemOf returns the code of the words for why a sign-in did not count.
func problemOf(err error) string {
	if code, ok := problems[fault.CodeOf(err)]; ok {
		return code
	} else if fault.Is(err, fault.Unavailable) {
		return "busy"
	}
	return "failed"
}

// failed tells the operator why, and the person in the sign-in form, where the
// other ways are. Nothing else changed.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, v *visit.Visit, p *Provider, why trouble) error {
	ctx, f := r.Context(), v.Flow
	h.note(r, p, why, audit.Event{ClientID: f.Request.ClientID})
	f.Elsewhere = &flow.Elsewhere{Provider: p.ID, Name: p.Name, Problem: why.problem}
	// Losing to another request of the same tab costs the words, no more.
	if err := h.Opener.Flows.Save(ctx, f); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	return h.Kit.SeeOther(w, r, at(protocol.PathLogin, f.ID))
}

// note records a sign-in elsewhere that did not count, for audit and explain.
// Without an event the audit has it already.
func (h *Handler) note(r *http.Request, p *Provider, why trouble, e audit.Event) {
	h.Kit.Refused(r, why.why)
	if why.event == "" {
		return
	}
	f := fault.As(why.why)
	e.Name, e.Data = why.event, map[string]string{"reason": f.Rule}
	if f.Rule == "" {
		e.Data["reason"] = f.Code
	}
	if p != nil {
		e.Data["provider"] = p.ID
	}
	h.Audit.Record(r.Context(), e)
}
