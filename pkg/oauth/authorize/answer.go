package authorize

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/templates"
)

// destination is a proven place for an answer.
type destination struct {
	client *client.Client
	uri    string
	mode   string
	state  string // empty: none was sent
	quiet  bool   // prompt=none: every answer goes to the application
}

func destinationOf(c *client.Client, q *flow.Request) destination {
	return destination{client: c, uri: q.RedirectURI, mode: q.ResponseMode, state: q.State, quiet: q.HasPrompt(promptNone)}
}

// mayHear reports whether the application is told of the fault. What is ours
// to fix stays with us: the person reads 503 and tries again, and the client
// does not take our bad minute for an answer. With prompt=none there is
// nobody to read it.
func (d destination) mayHear(f *fault.Error) bool {
	switch f.Kind {
	case fault.Invalid, fault.Denied, fault.TooLarge:
		return true
	case fault.Unavailable, fault.Limited, fault.Internal:
		return d.quiet
	default:
		return false
	}
}

// refuse answers the application with an authorization error (RFC 6749
// §4.1.2.1), or returns err for a page of ours.
func (x *Finisher) refuse(w http.ResponseWriter, r *http.Request, to destination, err error) error {
	f := oauth.Fault(err)
	if !to.mayHear(f) {
		return err
	}
	x.kit.Refused(r, f)
	return x.send(w, r, to, url.Values{
		protocol.Error:            {f.Code},
		protocol.ErrorDescription: {oauth.Describe(f.Say, trail.ID(r.Context()))},
	})
}

// send answers by the response mode. Every answer carries iss (RFC 9207 §2),
// and state exactly if one was sent.
func (x *Finisher) send(w http.ResponseWriter, r *http.Request, to destination, values url.Values) error {
	values.Set(protocol.Issuer, x.issuer)
	if to.state != "" {
		values.Set(protocol.State, to.state)
	}
	if to.mode == protocol.ModeFormPost {
		return x.kit.Render(w, r, http.StatusOK, formPost(to, values))
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", locate(to, values))
	w.WriteHeader(http.StatusSeeOther) // never 307: it would repeat a POST with a password (RFC 9700 §4.12)
	return nil
}

// locate puts the parameters behind the redirect URI, whose own query stays
// byte by byte as it was registered (RFC 6749 §3.1.2).
func locate(to destination, values url.Values) string {
	switch {
	case to.mode == protocol.ModeFragment:
		return to.uri + "#" + values.Encode()
	case !strings.Contains(to.uri, "?"):
		return to.uri + "?" + values.Encode()
	case strings.HasSuffix(to.uri, "?"), strings.HasSuffix(to.uri, "&"):
		return to.uri + values.Encode()
	default:
		return to.uri + "&" + values.Encode()
	}
}

// formOrder is the order of the fields of a form_post page.
var formOrder = []string{
	protocol.Code, protocol.Error, protocol.ErrorDescription, protocol.State, protocol.Issuer,
}

func formPost(to destination, values url.Values) templates.FormPost {
	page := templates.FormPost{URL: to.uri, Client: &templates.Client{
		Name: to.client.Name, LogoURL: to.client.LogoURI, PolicyURL: to.client.PolicyURI,
		TermsURL: to.client.TosURI, HomeURL: to.client.ClientURI,
	}}
	for _, name := range formOrder {
		if v := values.Get(name); v != "" {
			page.Fields = append(page.Fields, templates.Field{Name: name, Value: v})
		}
	}
	return page
}
