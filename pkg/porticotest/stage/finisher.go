package stage

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/web"
)

// Finisher answers the application as the engine does, with the code "granted".
type Finisher struct {
	flows *flow.Service

	mu       sync.Mutex
	finished []flow.Flow
	refused  []*fault.Error
}

var _ flow.Finisher = (*Finisher)(nil)

// Finish implements flow.Finisher.
func (x *Finisher) Finish(w http.ResponseWriter, r *http.Request, f *flow.Flow) error {
	if err := x.end(r.Context(), f); err != nil {
		return err
	}
	x.mu.Lock()
	x.finished = append(x.finished, *f)
	x.mu.Unlock()
	return answer(w, f, url.Values{"code": {"granted"}})
}

// Refuse implements flow.Finisher.
func (x *Finisher) Refuse(w http.ResponseWriter, r *http.Request, f *flow.Flow, why *fault.Error) error {
	if err := x.end(r.Context(), f); err != nil {
		return err
	}
	x.mu.Lock()
	x.refused = append(x.refused, why)
	x.mu.Unlock()
	return answer(w, f, url.Values{"error": {why.Code}})
}

// Over leads back to the authorization endpoint.
func (x *Finisher) Over(_ context.Context, f *flow.Flow, err error) error {
	return web.Back(err, "/oauth2/authorize?client_id="+url.QueryEscape(f.Request.ClientID), "Shop & Co")
}

func (x *Finisher) end(ctx context.Context, f *flow.Flow) error {
	err := x.flows.Done(ctx, f)
	if fault.Is(err, fault.Conflict) {
		return x.Over(ctx, f, fault.New(fault.Gone, "flow_over", "This sign-in is over.").Because(err))
	}
	return err
}

func answer(w http.ResponseWriter, f *flow.Flow, values url.Values) error {
	if f.Request.State != "" {
		values.Set("state", f.Request.State)
	}
	w.Header().Set("Location", f.Request.RedirectURI+"?"+values.Encode())
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// Finished returns the flows that were granted.
func (x *Finisher) Finished() []flow.Flow {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]flow.Flow(nil), x.finished...)
}

// Refused returns why flows were refused.
func (x *Finisher) Refused() []*fault.Error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]*fault.Error(nil), x.refused...)
}
