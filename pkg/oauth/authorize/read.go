package authorize

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
)

// paramRef names a parked POST in our own URL. It is not a parameter of any
// specification, and with it no other parameter counts.
const paramRef = "request_ref"

// maxRequest bounds a POST and a query before they are read.
const (
	maxPost  = 64 << 10
	maxQuery = 8 << 10
)

// request is one authorization request while it is checked.
type request struct {
	params url.Values // as sent; parameters without a value are left out (RFC 6749 §3.1)
	client *client.Client
	openid bool
	q      flow.Request // filled by the checks
}

// secrets have no business here. A POST may carry them; they are not kept.
var secrets = []string{
	protocol.ClientSecret, protocol.ClientAssertion, protocol.Code, protocol.CodeVerifier, protocol.RefreshToken,
	protocol.AccessToken, protocol.Token, "password",
}

func newRequest(params url.Values) *request {
	kept := make(url.Values, len(params))
	for name, values := range params {
		if slices.Contains(secrets, name) {
			continue
		}
		for _, v := range values {
			if v != "" {
				kept.Add(name, v)
			}
		}
	}
	return &request{params: kept, q: flow.Request{Params: kept}}
}

func (rq *request) get(name string) string { return rq.params.Get(name) }

// destination is where the answer goes. A refusal may come before prompt was
// read, so the parameter itself tells whether a page may be shown.
func (rq *request) destination() destination {
	to := destinationOf(rq.client, &rq.q)
	to.quiet = rq.get(protocol.Prompt) == promptNone
	return to
}

// get reads the query, or what was parked under our own reference.
func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	params, err := oauth.ReadForm(w, r, oauth.FormRules{Query: true})
	if err != nil {
		return h.salvage(w, r, r.URL.RawQuery, err)
	}
	if ref := params.Get(paramRef); ref != "" {
		if params, err = h.flows.Unpark(r.Context(), ref); err != nil {
			return err
		}
	}
	return h.answer(w, r, newRequest(params))
}

// post parks the parameters and sends the browser to our own GET: the POST of
// another site brings no SameSite=Lax cookies, a redirect to ourselves does.
// Only requests of known clients are worth keeping.
func (h *Handler) post(w http.ResponseWriter, r *http.Request) error {
	raw, err := peek(w, r)
	if err != nil {
		return err
	}
	params, err := oauth.ReadForm(w, r, oauth.FormRules{})
	if err != nil {
		return h.salvage(w, r, raw, err)
	}
	rq := newRequest(params)
	if err := h.run(r.Context(), proof, rq); err != nil {
		return err
	}
	ref, err := h.flows.Park(r.Context(), rq.params)
	if err != nil {
		return err
	}
	return h.kit.SeeOther(w, r, protocol.PathAuthorize+"?"+url.Values{paramRef: {ref}}.Encode())
}

// peek returns the body and leaves it to be read again.
func peek(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.Body == nil {
		return "", nil
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPost))
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return "", fault.Hide(err, fault.TooLarge, protocol.ErrInvalidRequest, "The request is too large.").
			Under("RFC 6749 §3.1 the size of a request is bounded")
	} else if err != nil {
		return "", fault.Hide(err, fault.Invalid, protocol.ErrInvalidRequest, "The request is malformed.").
			Under("RFC 9110 §6.4 the body can be read")
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return string(raw), nil
}

// salvage tells the application why its request could not be read, if client
// and redirect URI are beyond doubt: each there once, clean, and registered.
// Else the error is for a page of ours.
func (h *Handler) salvage(w http.ResponseWriter, r *http.Request, raw string, why error) error {
	if len(raw) > maxPost || r.Method == http.MethodGet && len(raw) > maxQuery {
		return why
	}
	loose, _ := url.ParseQuery(raw) // what cannot be decoded is left out
	if len(loose) > maxParams {
		return why
	}
	rq := newRequest(nil)
	for _, name := range []string{protocol.ClientID, protocol.RedirectURI, protocol.State, protocol.ResponseMode, protocol.ResponseType} {
		if v := loose[name]; len(v) == 1 && clean(v[0]) {
			rq.params.Set(name, v[0])
		}
	}
	if rq.get(protocol.RedirectURI) == "" || h.run(r.Context(), proof, rq) != nil {
		return why
	}
	if err := h.readResponseMode(r.Context(), rq); err != nil {
		rq.q.ResponseMode = fallbackMode(rq.get(protocol.ResponseType))
	}
	return h.refuse(w, r, rq.destination(), why)
}

// maxParams bounds the parameters of a request that could not be read.
const maxParams = 100

func clean(s string) bool {
	if !utf8.ValidString(s) || len(s) > maxQuery {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// A check looks at one rule and either passes or returns the fault to show.
type check struct {
	rule string // shown in traces and kept for explain
	run  func(*Handler, context.Context, *request) error
}

// run applies the table in its order and names the rule that refused, unless
// the fault names a closer one.
func (h *Handler) run(ctx context.Context, table []check, rq *request) error {
	for _, c := range table {
		err := c.run(h, ctx, rq)
		if err == nil {
			continue
		}
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Rule == "" {
			return f.Under(c.rule)
		}
		return err
	}
	return nil
}
