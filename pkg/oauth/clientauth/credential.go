package clientauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// credential is what a request shows of its client, before anything of it is
// believed.
type credential struct {
	method    string
	id        string
	secret    string
	assertion string
}

// Bounds of what is looked at.
const (
	maxBasic     = 4 << 10
	maxAssertion = 8 << 10
)

func malformed(rule string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The client authentication is malformed.").Under(rule)
}

// read finds the one method that the request uses (RFC 6749 §2.3: no more
// than one). A client_id beside it must be the same client.
func read(r *http.Request, form url.Values) (credential, error) {
	header := r.Header.Values("Authorization")
	hasAssertion := form.Has(protocol.ClientAssertion) || form.Has(protocol.ClientAssertionType)
	hasSecret := form.Has(protocol.ClientSecret)
	if n := len(header) + count(hasAssertion) + count(hasSecret); n > 1 {
		return credential{}, malformed("RFC 6749 §2.3 one authentication method per request").
			Compare("methods", "one", methodsIn(len(header) > 0, hasSecret, hasAssertion))
	}
	id := form.Get(protocol.ClientID)
	switch {
	case len(header) == 1:
		return fromHeader(header[0], form)
	case hasAssertion:
		return fromAssertion(form)
	case hasSecret:
		if id == "" {
			return credential{}, failed("RFC 6749 §2.3.1 client_id goes with client_secret")
		}
		return credential{method: protocol.AuthSecretPost, id: id, secret: form.Get(protocol.ClientSecret)}, nil
	case id == "":
		return credential{}, failed("RFC 6749 §3.2.1 the client says who it is").
			WithHint("the request carries neither client_id nor any credentials")
	default:
		return credential{method: protocol.AuthNone, id: id}, nil
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func methodsIn(header, secret, assertion bool) string {
	var found []string
	if header {
		found = append(found, "Authorization header")
	}
	if secret {
		found = append(found, protocol.ClientSecret)
	}
	if assertion {
		found = append(found, protocol.ClientAssertion)
	}
	return strings.Join(found, ", ")
}

// fromHeader takes Basic credentials. Another scheme is no way for a client
// to authenticate here.
func fromHeader(value string, form url.Values) (credential, error) {
	id, secret, err := parseBasic(value)
	if err != nil {
		return credential{}, err
	}
	if form.Has(protocol.ClientID) && form.Get(protocol.ClientID) != id {
		return credential{}, malformed("RFC 6749 §2.3 client_id names the client of the credentials").
			Compare(protocol.ClientID, id, form.Get(protocol.ClientID))
	}
	return credential{method: protocol.AuthSecretBasic, id: id, secret: secret}, nil
}

// parseBasic reads RFC 7617 credentials whose two halves are form-encoded
// (RFC 6749 §2.3.1 and appendix B).
func parseBasic(value string) (id, secret string, err error) {
	scheme, payload, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", failed("RFC 6749 §2.3.1 the Authorization scheme is Basic").Compare("scheme", "Basic", scheme)
	}
	if len(payload) > maxBasic {
		return "", "", failed("security §0.4 the credentials are bounded")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(payload))
	if err != nil {
		return "", "", failed("RFC 7617 §2 Basic credentials are base64").Because(err)
	}
	user, pass, ok := strings.Cut(string(raw), ":")
	if !ok {
		return "", "", failed("RFC 7617 §2 Basic credentials hold a colon")
	}
	id, idErr := formDecode(user)
	secret, secretErr := formDecode(pass)
	if !idErr || !secretErr {
		return "", "", failed("RFC 6749 §2.3.1 Basic credentials are form-encoded").
			WithHint("the client must form-encode its id and secret before it joins them")
	}
	if id == "" {
		return "", "", failed("RFC 6749 §2.3.1 Basic credentials name a client")
	}
	return id, secret, nil
}

func formDecode(s string) (string, bool) {
	plain, err := url.QueryUnescape(s)
	if err != nil || !utf8.ValidString(plain) {
		return "", false
	}
	for _, r := range plain {
		if r < ' ' || r == 0x7f {
			return "", false
		}
	}
	return plain, true
}

// fromAssertion takes a signed assertion. client_id is optional beside it and
// then names its subject (RFC 7521 §4.2).
func fromAssertion(form url.Values) (credential, error) {
	if t := form.Get(protocol.ClientAssertionType); t != protocol.AssertionJWTBearer {
		return credential{}, malformed("RFC 7521 §4.2 client_assertion_type is the JWT profile").
			Compare(protocol.ClientAssertionType, protocol.AssertionJWTBearer, t)
	}
	token := form.Get(protocol.ClientAssertion)
	if token == "" {
		return credential{}, malformed("RFC 7521 §4.2 client_assertion is there").Compare(protocol.ClientAssertion, "present", "absent")
	}
	subject, err := subjectOf(token)
	if err != nil {
		return credential{}, err
	}
	if form.Has(protocol.ClientID) && form.Get(protocol.ClientID) != subject {
		return credential{}, failed("RFC 7521 §4.2 client_id is the subject of the assertion").
			Compare(protocol.ClientID, subject, form.Get(protocol.ClientID))
	}
	return credential{method: protocol.AuthPrivateKeyJWT, id: subject, assertion: token}, nil
}
