package clientauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/client"
)

// header is the protected header of an assertion.
type header struct {
	Alg   string
	KeyID string
}

// claimSet is the payload of an assertion.
type claimSet struct {
	Issuer, Subject, ID          string
	Audience                     []string
	Expires, NotBefore, IssuedAt time.Time // zero: absent
}

// split cuts a compact JWS without decoding it (RFC 7515 §7.1): three
// segments and nothing else, so neither JSON serialization nor encryption.
func split(token string) (parts []string, ok bool) {
	if len(token) > maxAssertion {
		return nil, false
	}
	parts = strings.Split(token, ".")
	return parts, len(parts) == 3 && parts[0] != "" && parts[1] != "" && parts[2] != ""
}

// readHeader accepts alg, kid, typ and cty. Members that name or bring a key
// are refused and never fetched; crit and b64 change what is signed.
func readHeader(token string) (header, error) {
	parts, ok := split(token)
	if !ok {
		return header{}, failed("RFC 7515 §7.1 the assertion is a compact JWS of at most 8 kB")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil {
		return header{}, failed("RFC 7515 §7.1 the header is base64url").Because(err)
	}
	members, err := object(raw)
	if err != nil {
		return header{}, failed("RFC 7515 §4 the header is a JSON object").Because(err)
	}
	var h header
	for name, value := range members {
		switch name {
		case "alg":
			h.Alg, ok = text(value)
		case "kid":
			h.KeyID, ok = text(value)
			ok = ok && len(h.KeyID) <= maxKID
		case "typ":
			typ, isText := text(value)
			ok = isText && acceptableType(typ)
		case "cty":
			_, ok = text(value)
		default:
			return header{}, failed("RFC 8725 §3.10 the header holds alg, kid and typ only").Compare("header", "alg kid typ", name).
				WithHint("keys are those registered for the client; the assertion must not bring or name others")
		}
		if !ok {
			return header{}, failed("RFC 7515 §4.1 the header is well formed").Compare("header", "", name)
		}
	}
	if !slices.Contains(client.AssertionAlgs, h.Alg) {
		return header{}, failed("RFC 8725 §3.1 the algorithm is asymmetric and known").
			Compare("alg", strings.Join(client.AssertionAlgs, " "), h.Alg)
	}
	return h, nil
}

// acceptableType keeps other kinds of JWT out (RFC 8725 §3.11). Most clients
// write JWT or nothing.
func acceptableType(typ string) bool {
	switch strings.ToLower(strings.TrimPrefix(strings.ToLower(typ), "application/")) {
	case "jwt", "client-authentication+jwt":
		return true
	default:
		return false
	}
}

// subjectOf reads sub without believing it: it says whose keys to try.
func subjectOf(token string) (string, error) {
	parts, ok := split(token)
	if !ok {
		return "", failed("RFC 7515 §7.1 the assertion is a compact JWS of at most 8 kB")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return "", failed("RFC 7515 §7.1 the payload is base64url").Because(err)
	}
	k, err := readClaims(raw)
	if err != nil {
		return "", err
	}
	if k.Subject == "" {
		return "", failed("RFC 7523 §3 sub is there").Compare("sub", "present", "absent")
	}
	return k.Subject, nil
}

// readClaims reads the claims that matter. A claim of the wrong type is
// refused, not skipped.
func readClaims(raw []byte) (claimSet, error) {
	members, err := object(raw)
	if err != nil {
		return claimSet{}, failed("RFC 7519 §7.2 the claims are a JSON object").Because(err)
	}
	var k claimSet
	for name, value := range members {
		ok := true
		switch name {
		case "iss":
			k.Issuer, ok = text(value)
		case "sub":
			k.Subject, ok = text(value)
		case "jti":
			k.ID, ok = text(value)
		case "aud":
			k.Audience, ok = textOrTexts(value)
		case "exp":
			k.Expires, ok = instant(value)
		case "nbf":
			k.NotBefore, ok = instant(value)
		case "iat":
			k.IssuedAt, ok = instant(value)
		}
		if !ok {
			return claimSet{}, failed("RFC 7519 §4.1 the claim has its type").Compare("claim", "", name)
		}
	}
	return k, nil
}

// object reads a JSON object whose members are all different: parsers that
// disagree on a repeated one see different tokens (RFC 7515 §4).
func object(raw []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(raw) {
		return nil, errNotObject
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	members := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		name, isText := t.(string)
		if err != nil || !isText {
			return nil, errNotObject
		}
		if _, twice := members[name]; twice || len(members) == maxMembers {
			return nil, errNotObject
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errNotObject
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil || d.InputOffset() != int64(len(bytes.TrimRight(raw, " \t\r\n"))) {
		return nil, errNotObject
	}
	return members, nil
}

// maxMembers bounds header and claims; an assertion needs eight.
const maxMembers = 64

func text(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(raw, &s) == nil
}

func textOrTexts(raw json.RawMessage) ([]string, bool) {
	if s, ok := text(raw); ok {
		return []string{s}, true
	}
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) != nil || len(many) > maxMembers {
		return nil, false
	}
	out := make([]string, 0, len(many))
	for _, one := range many {
		s, ok := text(one)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// latest is the last moment that a NumericDate may name: the year 9999.
var latest = big.NewInt(253402300799)

// instant reads a NumericDate (RFC 7519 §2): a finite whole number of seconds,
// also when it is written with a fraction of zero or an exponent.
func instant(raw json.RawMessage) (time.Time, bool) {
	if len(raw) == 0 || len(raw) > 32 || raw[0] == '"' {
		return time.Time{}, false
	}
	if i := bytes.IndexAny(raw, "eE"); i >= 0 && len(raw)-i > 4 {
		return time.Time{}, false // 1e999999999 is a small text and a large number
	}
	r, ok := new(big.Rat).SetString(string(raw))
	if !ok || !r.IsInt() || r.Sign() <= 0 || r.Num().Cmp(latest) > 0 {
		return time.Time{}, false
	}
	return time.Unix(r.Num().Int64(), 0), true
}
