package authorize

import (
	"context"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
)

// maxResources bounds the resource values of one request.
const maxResources = 16

func (h *Handler) readScope(ctx context.Context, rq *request) error {
	asked, err := scope.Parse(rq.get(protocol.Scope))
	if err != nil {
		return err
	}
	resources := rq.params[protocol.Resource]
	if len(resources) > maxResources {
		return fault.New(fault.Invalid, protocol.ErrInvalidTarget, "The request names too many resources.").
			Under("RFC 8707 §2 the number of resources is bounded").WithHint("At most %d.", maxResources)
	}
	answer, err := h.scopes.Resolve(ctx, scope.Ask{Client: rq.client, Scopes: asked, Resources: resources})
	if err != nil {
		return err
	}
	rq.q.Scopes = offlineAccess(answer.Scopes, rq.client)
	rq.q.Audiences = answer.Audiences
	rq.q.Resources = resources
	return nil
}
