package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// Bounds of a request's parameters.
const (
	maxBody   = 64 << 10 // bytes
	maxQuery  = 8 << 10
	maxParams = 100
	maxName   = 128
	maxValue  = 16 << 10
)

// FormRules say what an endpoint takes. The zero value is the token endpoint:
// a form-encoded POST and nothing else.
type FormRules struct {
	// Query allows GET and HEAD with the parameters in the query.
	Query bool
	// Repeat names the parameters that may appear more than once; nil means
	// resource and audience (RFC 8707 §2, RFC 8693 §2.1).
	Repeat []string
	// MaxQuery bounds the query in bytes; zero means 8 kB.
	MaxQuery int
}

// credentials never travel in a URL, whatever the endpoint (RFC 6749 §2.3.1,
// RFC 9700 §4.3.2).
var credentials = []string{
	protocol.ClientSecret, protocol.ClientAssertion, protocol.Code, protocol.CodeVerifier,
	protocol.RefreshToken, protocol.AccessToken, protocol.Token, "password",
}

// multiline names the parameters whose value is JSON, where blanks of any
// kind are allowed between tokens.
var multiline = []string{protocol.Claims, protocol.Registration}

// ReadForm reads the parameters of a protocol request strictly: a POST is a
// plain form-encoded body (no multipart, no compression), a GET its query, if
// the rules allow one. It refuses what is too large or too many, invalid
// UTF-8, control characters, any parameter given twice, also once in the
// query and once in the body (RFC 6749 §3.1, §3.2), and secrets in the URL.
// The parameters of a POST are those of its body alone. Every refusal is an
// invalid_request; a wrong method is answered 405.
func ReadForm(w http.ResponseWriter, r *http.Request, rules FormRules) (url.Values, error) {
	if rules.Repeat == nil {
		rules.Repeat = []string{protocol.Resource, protocol.Audience}
	}
	query, err := readQuery(r, rules)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Method == http.MethodPost:
		body, err := readBody(w, r, rules)
		if err != nil {
			return nil, err
		}
		for name := range body {
			if _, twice := query[name]; twice {
				return nil, badForm("RFC 6749 §3.2 a parameter appears once, in the body").Compare("parameter", "", name)
			}
		}
		return body, nil
	case rules.Query && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return query, nil
	case rules.Query:
		return nil, WrongMethod(http.MethodGet, http.MethodPost)
	default:
		return nil, WrongMethod(http.MethodPost)
	}
}

func readQuery(r *http.Request, rules FormRules) (url.Values, error) {
	limit := rules.MaxQuery
	if limit <= 0 {
		limit = maxQuery
	}
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	if len(r.URL.RawQuery) > limit {
		return nil, tooLarge("security §0.4 the query is bounded")
	}
	query, err := parseForm(r.URL.RawQuery, rules.Repeat)
	if err != nil {
		return nil, err
	}
	for _, name := range credentials {
		if query.Has(name) {
			return nil, badForm("RFC 6749 §2.3.1 credentials are not sent in the URL").Compare("parameter", "in the body", name).
				WithHint("the client must send %s in the body of a POST; what was in the URL may be in logs and should be replaced", name)
		}
	}
	return query, nil
}

func readBody(w http.ResponseWriter, r *http.Request, rules FormRules) (url.Values, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, badForm("RFC 6749 §3.2 the body is application/x-www-form-urlencoded").
			Compare("content-type", "application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return nil, badForm("RFC 6749 appendix B the form is UTF-8").Compare("charset", "utf-8", charset)
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, badForm("security §12.7 the body is not compressed").Compare("content-encoding", "", enc)
	}
	if r.Body == nil {
		return url.Values{}, nil
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge("security §0.4 the body is bounded")
		}
		return nil, badForm("RFC 9110 §6.4 the body can be read").Because(err)
	}
	return parseForm(string(raw), rules.Repeat)
}

// parseForm decodes and checks name by name. The count is bounded before
// anything is decoded.
func parseForm(raw string, repeat []string) (url.Values, error) {
	if n := strings.Count(raw, "&") + 1; n > maxParams {
		return nil, badForm("security §0.4 there are at most 100 parameters")
	}
	form, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badForm("RFC 6749 appendix B parameters are form-encoded").Because(err)
	}
	for name, values := range form {
		if len(values) > 1 && !slices.Contains(repeat, name) {
			return nil, badForm("RFC 6749 §3.1 a parameter appears once").Compare("parameter", "once", name)
		}
		if len(name) > maxName || !printable(name, false) {
			return nil, badForm("security §0.3 parameter names are short printable UTF-8").Compare("parameter", "", name)
		}
		for _, v := range values {
			if len(v) > maxValue {
				return nil, tooLarge("security §0.4 a value is at most 16 kB").Compare("parameter", "", name)
			}
			if !printable(v, slices.Contains(multiline, name)) {
				return nil, badForm("security §0.3 values are UTF-8 without control characters").Compare("parameter", "", name)
			}
		}
	}
	return form, nil
}

// printable reports whether s is valid UTF-8 without control characters;
// lines allows tab and line breaks.
func printable(s string, lines bool) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if lines && (r == '\t' || r == '\n' || r == '\r') {
			continue
		}
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return false
		}
	}
	return true
}

func badForm(rule string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The request is malformed.").Under(rule)
}

func tooLarge(rule string) *fault.Error {
	return fault.New(fault.TooLarge, protocol.ErrInvalidRequest, "The request is too large.").Under(rule)
}

// methodError says that an endpoint does not know the method.
type methodError struct {
	allow []string
	why   *fault.Error
}

func (e *methodError) Error() string { return e.why.Error() }
func (e *methodError) Unwrap() error { return e.why }

// WrongMethod returns an error that the edge answers with 405 and Allow.
func WrongMethod(allow ...string) error {
	why := fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The method is not taken here: use "+strings.Join(allow, " or ")+".")
	return &methodError{allow: allow, why: why.Under("RFC 9110 §15.5.6 the method is one that the endpoint knows")}
}
