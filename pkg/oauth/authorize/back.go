package authorize

import (
	"context"
	"net/url"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// Over implements flow.Finisher. The way back is never taken from a request:
// it is an address registered for the client, or our own endpoint with the
// parameters that passed every check.
func (x *Finisher) Over(ctx context.Context, f *flow.Flow, err error) error {
	c, lost := x.enabled(ctx, f.Request.ClientID)
	if lost != nil {
		return err
	}
	if to := x.wayBack(c, f); to != "" {
		return web.Back(err, to, c.Name)
	}
	return err
}

// wayBack prefers where the application itself starts a login (OIDC Core §4),
// because its own state may be as old as the flow. A flow that expired may be
// asked again; one that was answered rather not, so its application's page
// comes first.
func (x *Finisher) wayBack(c *client.Client, f *flow.Flow) string {
	again := askAgain(f)
	switch {
	case c.InitiateLoginURI != "":
		return initiateLogin(c.InitiateLoginURI, x.issuer)
	case f.DoneAt.IsZero() && again != "":
		return again
	case c.ClientURI != "":
		return c.ClientURI
	default:
		return again
	}
}

func askAgain(f *flow.Flow) string {
	path := protocol.PathAuthorize + "?" + f.Request.Params.Encode()
	if len(f.Request.Params) == 0 || !web.SafeLocalPath(path) {
		return ""
	}
	return path
}

// initiateLogin names the issuer to the application, as OIDC Core §4 asks.
func initiateLogin(uri, issuer string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set(protocol.Issuer, issuer)
	u.RawQuery = q.Encode()
	return u.String()
}
