package templates

import (
	"net/http"

	"github.com/portico-id/portico/pkg/protocol"
)

// errorByCode chooses the words of an error page where the code says more
// than the status.
var errorByCode = map[string]string{
	protocol.ErrInvalidClient:          "error.client",
	"invalid_client_id":                "error.client",
	protocol.ErrInvalidRedirectURI:     "error.redirect",
	protocol.ErrServerError:            "error.internal",
	protocol.ErrTemporarilyUnavailable: "error.unavailable",
	"form_expired":                     "error.form_expired",
	"cross_origin":                     "error.cross_origin",
	"flow_unknown":                     "error.flow_unknown",
	"flow_foreign":                     "error.flow_foreign",
	"way_not_allowed":                  "error.way_not_allowed",
	"signup_closed":                    "error.signup_closed",
	"logout_redirect":                  "error.logout_redirect",
}

// errorByStatus chooses them for every other code.
var errorByStatus = map[int]string{
	http.StatusBadRequest:                  "error.invalid",
	http.StatusUnauthorized:                "error.unauthenticated",
	http.StatusForbidden:                   "error.denied",
	http.StatusNotFound:                    "error.not_found",
	http.StatusMethodNotAllowed:            "error.method",
	http.StatusUnsupportedMediaType:        "error.method",
	http.StatusConflict:                    "error.conflict",
	http.StatusGone:                        "error.over",
	http.StatusRequestEntityTooLarge:       "error.too_large",
	http.StatusRequestURITooLong:           "error.too_large",
	http.StatusRequestHeaderFieldsTooLarge: "error.too_large",
	http.StatusTooManyRequests:             "error.limited",
	http.StatusServiceUnavailable:          "error.unavailable",
}
