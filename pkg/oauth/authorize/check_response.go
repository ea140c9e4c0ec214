package authorize

import (
	"context"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// fallbackMode is the mode that a client expects for a response type when it
// names none: fragment as soon as a token was to come back (OAuth 2.0
// Multiple Response Types §5), although the type is then refused.
func fallbackMode(responseType string) string {
	words := strings.Split(responseType, " ")
	if slices.Contains(words, protocol.IDToken) || slices.Contains(words, protocol.Token) {
		return protocol.ModeFragment
	}
	return protocol.ModeQuery
}

// readResponseMode comes first, so that every later refusal is sent as asked.
func (h *Handler) readResponseMode(_ context.Context, rq *request) error {
	mode := rq.get(protocol.ResponseMode)
	switch mode {
	case "":
		return nil
	case protocol.ModeQuery, protocol.ModeFragment:
		rq.q.ResponseMode = mode
		return nil
	case protocol.ModeFormPost:
		if !strings.HasPrefix(rq.q.RedirectURI, "https://") && !strings.HasPrefix(rq.q.RedirectURI, "http://") {
			return invalid("A form cannot be posted to this redirect URI.").
				Compare(protocol.ResponseMode, "query or fragment for a private-use scheme", mode)
		}
		rq.q.ResponseMode = mode
		return nil
	}
	return invalid("The response mode is not supported.").Compare(protocol.ResponseMode, "query, fragment, form_post", mode)
}

func (h *Handler) refuseRequest(_ context.Context, rq *request) error {
	if rq.get(protocol.Request) == "" {
		return nil
	}
	return fault.New(fault.Invalid, protocol.ErrRequestNotSupported, "Request objects are not supported.").
		WithHint("Send the parameters themselves.")
}

func (h *Handler) refuseRequestURI(_ context.Context, rq *request) error {
	if rq.get(protocol.RequestURI) == "" {
		return nil
	}
	return fault.New(fault.Invalid, protocol.ErrRequestURINotSupported, "Request objects by reference are not supported.").
		WithHint("Send the parameters themselves.")
}

func (h *Handler) refuseRegistration(_ context.Context, rq *request) error {
	if rq.get(protocol.Registration) == "" {
		return nil
	}
	return fault.New(fault.Invalid, protocol.ErrRegistrationNotSupported, "The registration parameter is not supported.").
		WithHint("Register the client at the registration endpoint first.")
}

func (h *Handler) readResponseType(_ context.Context, rq *request) error {
	sent := rq.get(protocol.ResponseType)
	switch {
	case sent == "":
		return invalid("The request names no response type.").WithHint("Send response_type=code.")
	case sent != protocol.ResponseTypeCode:
		return fault.New(fault.Invalid, protocol.ErrUnsupportedResponseType, "The response type is not supported.").
			Compare(protocol.ResponseType, protocol.ResponseTypeCode, sent)
	}
	c := rq.client
	registered := len(c.ResponseTypes) == 0 || slices.Contains(c.ResponseTypes, sent) // RFC 7591 §2: code is the default
	if !registered || !c.MayUse(protocol.GrantAuthorizationCode) {
		return fault.New(fault.Invalid, protocol.ErrUnauthorizedClient, "The client may not use the authorization code flow.").
			Compare("grant types", protocol.GrantAuthorizationCode, strings.Join(c.GrantTypes, " ")).
			Compare("response types", protocol.ResponseTypeCode, strings.Join(c.ResponseTypes, " ")).
			WithHint("Register the client for the grant type authorization_code and the response type code.")
	}
	rq.q.ResponseType = sent
	return nil
}
