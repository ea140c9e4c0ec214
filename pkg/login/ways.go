package login

import (
	"context"
	"net/http"
	"slices"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/templates"
)

// Way is a provider whose accounts sign people in here.
type Way struct{ ID, Name string }

// Ways knows the providers. federation.Handler is one.
type Ways interface {
	// Ways returns those that have a button, in its order.
	Ways(ctx context.Context) ([]Way, error)
}

// ways returns the providers that may be used for the request of a visit.
func (h *Handler) ways(ctx context.Context, v *visit.Visit) ([]Way, error) {
	if h.Ways == nil {
		return nil, nil
	}
	all, err := h.Ways.Ways(ctx)
	allows := waysOf(v)
	return slices.DeleteFunc(slices.Clone(all), func(w Way) bool { return !allows(w.ID) }), err
}

// takesPasswords reports whether the form leads anywhere for the application
// of a visit.
func (h *Handler) takesPasswords(ctx context.Context, v *visit.Visit) (bool, error) {
	if allows := waysOf(v); allows(client.WayLocal) || h.Directories == nil {
		return allows(client.WayLocal), nil
	}
	return h.Directories.Any(ctx, waysOf(v))
}

// straight returns the provider that the browser is led to without being
// asked: the one that the application named, or the only way there is. Each
// request is led once: who comes back without a sign-in sees the form.
func (h *Handler) straight(ctx context.Context, v *visit.Visit, ways []Way) (way Way, found bool, err error) {
	if v.Flow.Elsewhere != nil || v.Flow.Link != nil || v.Flow.FreshLogin {
		return Way{}, false, nil
	}
	for _, w := range ways {
		if w.ID == v.Flow.Request.Provider {
			return w, true, nil
		}
	}
	if len(ways) != 1 {
		return Way{}, false, nil
	}
	passwords, err := h.takesPasswords(ctx, v)
	return ways[0], !passwords, err
}

// lead sends the browser straight to a provider, and remembers that it did.
// led is false when another request of the same tab was first.
func (h *Handler) lead(w http.ResponseWriter, r *http.Request, v *visit.Visit, way Way) (led bool, err error) {
	v.Flow.Elsewhere = &flow.Elsewhere{Provider: way.ID, Name: way.Name}
	err = h.Dispatcher.flows.Save(r.Context(), v.Flow)
	if fault.Is(err, fault.Conflict) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, h.Kit.SeeOther(w, r, at(protocol.PathLoginWith, v.Flow.ID))
}

// untaken refuses a password where the application takes none. It says the
// same to everybody, and looks at no password.
func (h *Handler) untaken(ctx context.Context, v *visit.Visit) (templates.Problem, *fault.Error, error) {
	takes, err := h.takesPasswords(ctx, v)
	if err != nil || takes {
		return templates.Problem{}, nil, err
	}
	ways, err := h.ways(ctx, v)
	if err != nil {
		return templates.Problem{}, nil, err
	}
	names := make([]string, len(ways))
	for i, w := range ways {
		names[i] = w.Name
	}
	return templates.OtherWays(names...), notAllowed(v.Client, client.WayLocal), nil
}

func notAllowed(c *client.Client, way string) *fault.Error {
	return fault.New(fault.Denied, "way_not_allowed", "This application takes another way to sign in.").
		Under("the application allows the way to sign in").Compare("way", "one of the client's ways", way).
		WithHint("the client %s allows other ways", c.ID)
}

// allows refuses a proof that the application of a flow does not take,
// whichever page it came through.
func (h *Handler) allows(ctx context.Context, f *flow.Flow, p Proof) error {
	if f.Request.ClientID == "" {
		return nil
	}
	c, err := h.Dispatcher.opener.Clients.Get(ctx, f.Request.ClientID)
	if err != nil {
		return err
	}
	way := client.WayLocal
	if p.Upstream != nil {
		way = p.Upstream.Provider
	}
	if c.Allows(way) {
		return nil
	}
	return notAllowed(c, way)
}
