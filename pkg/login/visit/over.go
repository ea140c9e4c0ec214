package visit

import (
	"context"
	"net/url"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// Over gives err, which says that the flow is over, a way back to the
// application, so that its page is no dead end.
func (o *Opener) Over(ctx context.Context, f *flow.Flow, err error) error {
	c, failed := o.client(ctx, f.Request.ClientID)
	if failed != nil {
		return err // without a client there is no way back
	}
	return web.Back(err, wayBack(f, c), c.Name)
}

// wayBack returns where the application can be found again: the address it
// registered for beginning a sign-in, its home page, the same request once
// more when it was never answered, or the site its answers go to. An answered
// request is not repeated: the application has spent its state.
func wayBack(f *flow.Flow, c *client.Client) string {
	again := protocol.PathAuthorize + "?" + f.Request.Params.Encode()
	if !web.SafeLocalPath(again) || len(f.Request.Params) == 0 {
		again = ""
	}
	if f.DoneAt.IsZero() && again != "" {
		return again
	}
	for _, registered := range []string{c.InitiateLoginURI, c.ClientURI, site(f.Request.RedirectURI)} {
		if registered != "" {
			return registered
		}
	}
	return again
}

// site returns the origin of a redirect URI on the web; an address on this
// device may have nobody listening any more.
func site(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return "https://" + u.Host + "/"
}
