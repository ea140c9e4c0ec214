package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/ory/fosite"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// codes are the error codes that protocol endpoints may answer with. Whatever
// else a package below calls its fault stays inside.
var codes = []string{
	protocol.ErrInvalidRequest, protocol.ErrInvalidClient, protocol.ErrInvalidGrant,
	protocol.ErrUnauthorizedClient, protocol.ErrUnsupportedGrantType, protocol.ErrInvalidScope,
	protocol.ErrAccessDenied, protocol.ErrUnsupportedResponseType, protocol.ErrServerError,
	protocol.ErrTemporarilyUnavailable, protocol.ErrInvalidToken, protocol.ErrInsufficientScope,
	protocol.ErrInteractionRequired, protocol.ErrLoginRequired, protocol.ErrAccountSelectionRequired,
	protocol.ErrConsentRequired, protocol.ErrInvalidRequestURI, protocol.ErrInvalidRequestObject,
	protocol.ErrRequestNotSupported, protocol.ErrRequestURINotSupported, protocol.ErrRegistrationNotSupported,
	protocol.ErrUnsupportedTokenType, protocol.ErrInvalidRedirectURI, protocol.ErrInvalidClientMetadata,
	protocol.ErrInvalidTarget, protocol.ErrUnmetAuthenticationRequirements, codeMissingToken,
}

// Fault returns the fault that a protocol endpoint answers for err, with a
// code of the specifications. The outermost fault of ours decides; an error of
// fosite is translated by its own table; anything else is a server_error.
func Fault(err error) *fault.Error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return inProtocol(f)
	}
	if f := fromFosite(err); f != nil {
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Hide(err, fault.Unavailable, protocol.ErrTemporarilyUnavailable, "The request took too long. Try again in a moment.")
	}
	return inProtocol(fault.As(err))
}

// inProtocol gives a fault of ours a code that clients know.
func inProtocol(f *fault.Error) *fault.Error {
	if slices.Contains(codes, f.Code) {
		return f
	}
	c := *f
	switch f.Kind {
	case fault.Invalid, fault.TooLarge:
		c.Code = protocol.ErrInvalidRequest
	case fault.Unauthenticated:
		c.Code = protocol.ErrInvalidClient
	case fault.Denied:
		c.Code = protocol.ErrAccessDenied
	case fault.Limited, fault.Unavailable:
		c.Code = protocol.ErrTemporarilyUnavailable
	default: // a store's not-found or conflict that nobody handled is our bug
		c.Kind, c.Code, c.Say = fault.Internal, protocol.ErrServerError, "Something went wrong on our side."
		c.Cause = f
	}
	return &c
}

// A translation maps an error of fosite to what a client is told. Its hints
// and debug texts are never passed on.
type translation struct {
	from error
	kind fault.Kind
	code string
	say  string
}

var translations = []translation{
	{fosite.ErrInvalidatedAuthorizeCode, fault.Invalid, protocol.ErrInvalidGrant, "The authorization code is not valid."},
	{fosite.ErrInactiveToken, fault.Invalid, protocol.ErrInvalidGrant, "The token is not valid any more."},
	{fosite.ErrTokenExpired, fault.Invalid, protocol.ErrInvalidGrant, "The token has expired."},
	{fosite.ErrTokenSignatureMismatch, fault.Invalid, protocol.ErrInvalidGrant, "The token is not valid."},
	{fosite.ErrInvalidTokenFormat, fault.Invalid, protocol.ErrInvalidGrant, "The token is not valid."},
	{fosite.ErrInvalidGrant, fault.Invalid, protocol.ErrInvalidGrant, "The grant is not valid."},
	{fosite.ErrJTIKnown, fault.Unauthenticated, protocol.ErrInvalidClient, "Client authentication failed."},
	{fosite.ErrInvalidClient, fault.Unauthenticated, protocol.ErrInvalidClient, "Client authentication failed."},
	{fosite.ErrUnauthorizedClient, fault.Invalid, protocol.ErrUnauthorizedClient, "The client may not do this."},
	{fosite.ErrScopeNotGranted, fault.Invalid, protocol.ErrInvalidScope, "The scope was not granted."},
	{fosite.ErrInvalidScope, fault.Invalid, protocol.ErrInvalidScope, "The scope is not valid."},
	{fosite.ErrInvalidState, fault.Invalid, protocol.ErrInvalidRequest, "The request is malformed."},
	{fosite.ErrInsufficientEntropy, fault.Invalid, protocol.ErrInvalidRequest, "The request is malformed."},
	{fosite.ErrUnsupportedGrantType, fault.Invalid, protocol.ErrUnsupportedGrantType, "The grant type is not supported."},
	{fosite.ErrUnsupportedResponseType, fault.Invalid, protocol.ErrUnsupportedResponseType, "The response type is not supported."},
	{fosite.ErrUnsupportedResponseMode, fault.Invalid, protocol.ErrInvalidRequest, "The response mode is not supported."},
	{fosite.ErrLoginRequired, fault.Invalid, protocol.ErrLoginRequired, "The person must sign in."},
	{fosite.ErrConsentRequired, fault.Invalid, protocol.ErrConsentRequired, "The person must agree."},
	{fosite.ErrInteractionRequired, fault.Invalid, protocol.ErrInteractionRequired, "The person must do something first."},
	{fosite.ErrAccessDenied, fault.Denied, protocol.ErrAccessDenied, "The request was denied."},
	{fosite.ErrTemporarilyUnavailable, fault.Unavailable, protocol.ErrTemporarilyUnavailable, "Try again in a moment."},
	{fosite.ErrServerError, fault.Internal, protocol.ErrServerError, "Something went wrong on our side."},
	{fosite.ErrMisconfiguration, fault.Internal, protocol.ErrServerError, "Something went wrong on our side."},
	{fosite.ErrInvalidRequest, fault.Invalid, protocol.ErrInvalidRequest, "The request is malformed."},
}

// fromFosite translates an error of fosite, or returns nil. A cause that says
// more wins over its wrapper: a lost code race is a server_error to fosite.
func fromFosite(err error) *fault.Error {
	for _, t := range translations {
		if errors.Is(err, t.from) {
			return fault.Hide(err, t.kind, t.code, t.say).Under("fosite refused: " + hintOf(err))
		}
	}
	if e, ok := errors.AsType[*fosite.RFC6749Error](err); ok {
		kind := fault.Internal
		if e.CodeField >= http.StatusBadRequest && e.CodeField < http.StatusInternalServerError {
			kind = fault.Invalid
		}
		if kind == fault.Invalid {
			return fault.Hide(err, kind, protocol.ErrInvalidRequest, "The request is malformed.").Under("fosite refused: " + hintOf(err))
		}
		return fault.Hide(err, kind, protocol.ErrServerError, "Something went wrong on our side.")
	}
	return nil
}

func hintOf(err error) string {
	if e, ok := errors.AsType[*fosite.RFC6749Error](err); ok {
		return fault.Clip(e.GetDescription())
	}
	return ""
}
