package userinfo

import (
	"net/http"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/oauth"
	"github.com/portico-id/portico/pkg/protocol"
)

// readToken takes the access token from the Authorization header or, in a
// POST, from the form body (RFC 6750 §2.1, §2.2). Never from the URL
// (RFC 9700 §4.3.2); two at once is invalid_request.
func readToken(w http.ResponseWriter, r *http.Request) (string, error) {
	header, err := bearer(r.Header.Values("Authorization"))
	if err != nil {
		return "", err
	}
	body, err := inBody(w, r)
	if err != nil {
		return "", err
	}
	switch {
	case header != "" && body != "":
		return "", twice("header and body")
	case body != "":
		header = body
	case header == "":
		return "", oauth.MissingToken()
	}
	if !isToken68(header) {
		return "", invalid("RFC 6750 §2.1 a token is written in the token68 alphabet")
	}
	return header, nil
}

// inBody returns the access_token of a form, "" for a request without a body.
// ReadForm refuses tokens in the query, other bodies and other methods.
func inBody(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.Method == http.MethodPost && r.ContentLength == 0 && r.URL.RawQuery == "" {
		return "", nil
	}
	form, err := oauth.ReadForm(w, r, oauth.FormRules{Query: true})
	if err != nil {
		return "", err
	}
	return form.Get(protocol.AccessToken), nil
}

// bearer returns the credentials of a Bearer header, "" when there is none. A
// header of another scheme is no token (RFC 9110 §11.1: schemes in any case).
func bearer(values []string) (string, error) {
	if len(values) > 1 {
		return "", twice("several headers")
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.TrimLeft(token, " "), nil
}

func twice(got string) error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The access token must be sent in one way.").
		Under("RFC 6750 §2 one method to send the token").Compare("access_token", "once", got)
}

// isToken68 reports whether s is in the alphabet of RFC 9110 §11.2.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		b := body[i]
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-._~+/", b) >= 0 {
			continue
		}
		return false
	}
	return body != ""
}
