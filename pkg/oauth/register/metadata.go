package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// Bounds of a request.
const (
	maxBody   = 128 << 10 // bytes: a key set of 64 kB and the rest
	maxList   = 50        // members of any list
	maxScope  = 8 << 10   // bytes
	maxMember = 4 << 10   // bytes of any string
)

// metadata is what a client says about itself (RFC 7591 §2, OIDC Registration
// §2): only what is known here, everything else is ignored. A member that is
// missing, null or an empty string is the same.
type metadata struct {
	// Of RFC 7592 §2.2 requests only.
	clientID, clientSecret string

	redirectURIs, postLogoutRedirectURIs  []string
	grantTypes, responseTypes             []string
	authMethod, authSigningAlg            string
	applicationType, subjectType          string
	name, clientURI, logoURI              string
	policyURI, tosURI, initiateLoginURI   string
	contacts                              []string
	scope                                 string
	jwksURI                               string
	jwks                                  json.RawMessage
	softwareID, softwareVersion           string
	idTokenAlg, userinfoAlg, introspecAlg string
	defaultMaxAge                         *int
	requireAuthTime                       bool
	defaultACRValues                      []string
	encryption                            []string // members that ask for it
}

// encryptionMembers ask for answers that are encrypted. Leaving one out of the
// answer would be allowed, but who asks for secrecy must not go without.
var encryptionMembers = []string{
	"id_token_encrypted_response_alg", "userinfo_encrypted_response_alg", "introspection_encrypted_response_alg",
}

// readMetadata reads a JSON request (RFC 7591 §3.1).
func readMetadata(w http.ResponseWriter, r *http.Request) (*metadata, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, malformed("RFC 7591 §3.1 the body is application/json").
			Compare("content-type", "application/json", r.Header.Get("Content-Type"))
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, malformed("security §12.7 the body is not compressed").Compare("content-encoding", "", enc)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, fault.New(fault.TooLarge, protocol.ErrInvalidClientMetadata, "The request is too large.").
				Under("security §0.4 the body is bounded")
		}
		return nil, malformed("RFC 9110 §6.4 the body can be read").Because(err)
	}
	return parseMetadata(raw)
}

// parseMetadata reads the JSON object. Member names are compared as they are:
// a decoder into a struct would also take Redirect_URIs.
func parseMetadata(raw []byte) (*metadata, error) {
	if !utf8.Valid(raw) {
		return nil, malformed("RFC 8259 §8.1 the body is UTF-8")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return nil, malformed("RFC 7591 §3.1 the body is a JSON object").Because(err)
	}
	o := reader{object: object}
	m := &metadata{
		clientID: o.text("client_id"), clientSecret: o.text("client_secret"),
		redirectURIs: o.list("redirect_uris"), postLogoutRedirectURIs: o.list("post_logout_redirect_uris"),
		grantTypes: o.list("grant_types"), responseTypes: o.list("response_types"),
		authMethod: o.text("token_endpoint_auth_method"), authSigningAlg: o.text("token_endpoint_auth_signing_alg"),
		applicationType: o.text("application_type"), subjectType: o.text("subject_type"),
		name: o.text("client_name"), clientURI: o.text("client_uri"), logoURI: o.text("logo_uri"),
		policyURI: o.text("policy_uri"), tosURI: o.text("tos_uri"), initiateLoginURI: o.text("initiate_login_uri"),
		contacts: o.list("contacts"), scope: o.bounded("scope", maxScope),
		jwksURI: o.text("jwks_uri"), jwks: o.raw("jwks"),
		softwareID: o.text("software_id"), softwareVersion: o.text("software_version"),
		idTokenAlg: o.text("id_token_signed_response_alg"), userinfoAlg: o.text("userinfo_signed_response_alg"),
		introspecAlg:  o.text("introspection_signed_response_alg"),
		defaultMaxAge: o.seconds("default_max_age"), requireAuthTime: o.flag("require_auth_time"),
		defaultACRValues: o.list("default_acr_values"),
	}
	for _, name := range encryptionMembers {
		if o.raw(name) != nil {
			m.encryption = append(m.encryption, name)
		}
	}
	if o.err != nil {
		return nil, o.err
	}
	return m, nil
}

// reader takes typed members out of an object and keeps the first fault.
type reader struct {
	object map[string]json.RawMessage
	err    error
}

// raw returns a member, nil when it is missing or null.
func (o *reader) raw(name string) json.RawMessage {
	v := bytes.TrimSpace(o.object[name])
	if len(v) == 0 || bytes.Equal(v, []byte("null")) || bytes.Equal(v, []byte(`""`)) {
		return nil
	}
	return v
}

// into decodes a member and reports whether it was there and right.
func (o *reader) into(name, want string, v any) bool {
	raw := o.raw(name)
	if raw == nil {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		o.fail(name, want)
		return false
	}
	return true
}

func (o *reader) fail(name, want string) {
	if o.err == nil {
		o.err = badMetadata(name, "RFC 7591 §2 members have the type of their definition").Compare(name, want, "")
	}
}

func (o *reader) text(name string) string { return o.bounded(name, maxMember) }

func (o *reader) bounded(name string, limit int) string {
	var s string
	if o.into(name, "a string", &s) && (len(s) > limit || hasControl(s)) {
		o.fail(name, fmt.Sprintf("at most %d bytes without control characters", limit))
		return ""
	}
	return s
}

func (o *reader) list(name string) []string {
	var items []*string // a null among strings would become an empty one
	if !o.into(name, "an array of strings", &items) {
		return nil
	}
	if len(items) > maxList {
		o.fail(name, fmt.Sprintf("at most %d values", maxList))
		return nil
	}
	list := make([]string, 0, len(items))
	for _, s := range items {
		if s == nil || len(*s) > maxMember || hasControl(*s) {
			o.fail(name, fmt.Sprintf("strings of at most %d bytes without control characters", maxMember))
			return nil
		}
		list = append(list, *s)
	}
	return list
}

func (o *reader) flag(name string) (v bool) {
	o.into(name, "a boolean", &v)
	return v
}

// seconds reads a whole number that is not negative.
func (o *reader) seconds(name string) *int {
	var v uint32
	if !o.into(name, "a whole number of seconds", &v) {
		return nil
	}
	n := int(v)
	return &n
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f })
}

func malformed(rule string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidClientMetadata, "The request is malformed.").Under(rule)
}

func badMetadata(name, rule string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidClientMetadata,
		fmt.Sprintf("The value of %s is not acceptable.", name)).Under(rule)
}
