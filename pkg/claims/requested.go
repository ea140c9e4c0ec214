package claims

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// Bounds of the claims parameter.
const (
	maxParameter = 8 << 10 // bytes
	maxDepth     = 8
	maxClaims    = 64  // of one location
	maxClaimName = 256 // bytes
	maxValues    = 32
)

// Requested is a parsed claims parameter (OIDC Core §5.5). A nil *Requested
// requests nothing.
type Requested struct {
	Userinfo map[string]*Claim `json:"userinfo,omitempty"`
	IDToken  map[string]*Claim `json:"id_token,omitempty"`
}

// Claim is what a request says of one claim (OIDC Core §5.5.1). nil stands
// for null: wanted, without more.
type Claim struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

// Parse reads a claims parameter. An empty one is nil. Unknown members and
// claims are kept out or ignored (OIDC Core §5.5: not understood means
// ignored); wrong JSON, wrong types, a member named twice and anything above
// the bounds is invalid_request.
func Parse(raw string) (*Requested, error) {
	if raw == "" {
		return nil, nil
	}
	if len(raw) > maxParameter {
		return nil, malformed("at most 8192 bytes")
	}
	if !utf8.ValidString(raw) {
		return nil, malformed("valid UTF-8")
	}
	if err := walk(raw); err != nil {
		return nil, err
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &top); err != nil || top == nil {
		return nil, malformed("a JSON object").Because(err)
	}
	r := &Requested{}
	var err error
	if r.Userinfo, err = readLocation(top["userinfo"]); err != nil {
		return nil, err
	}
	if r.IDToken, err = readLocation(top["id_token"]); err != nil {
		return nil, err
	}
	if len(r.Userinfo) == 0 && len(r.IDToken) == 0 {
		return nil, nil
	}
	return r, nil
}

func readLocation(raw json.RawMessage) (map[string]*Claim, error) {
	if len(raw) == 0 || isNull(raw) {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, malformed("userinfo and id_token as JSON objects").Because(err)
	}
	if len(members) > maxClaims {
		return nil, malformed("at most 64 claims in one place")
	}
	out := make(map[string]*Claim, len(members))
	for name, member := range members {
		if name == "" || len(name) > maxClaimName {
			return nil, malformed("claim names of 1 to 256 bytes")
		}
		c, err := readClaim(member)
		if err != nil {
			return nil, err
		}
		out[name] = c
	}
	return out, nil
}

func readClaim(raw json.RawMessage) (*Claim, error) {
	if isNull(raw) {
		return nil, nil
	}
	// By exact name: the reader of structs would take "ESSENTIAL" as well.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, malformed("null or an object for each claim").Because(err)
	}
	c := &Claim{Value: members["value"]}
	if isNull(c.Value) {
		c.Value = nil
	}
	if err := member(members, "essential", &c.Essential); err != nil {
		return nil, malformed("essential as true or false").Because(err)
	}
	if err := member(members, "values", &c.Values); err != nil {
		return nil, malformed("values as a list").Because(err)
	}
	if len(c.Values) > maxValues {
		return nil, malformed("at most 32 values of one claim")
	}
	return c, nil
}

func member(members map[string]json.RawMessage, name string, into any) error {
	raw, ok := members[name]
	if !ok {
		return nil
	}
	return json.Unmarshal(raw, into)
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// Texts returns the strings that a claim is wanted to be: value, or values.
func (c *Claim) Texts() []string {
	if c == nil {
		return nil
	}
	var out []string
	for _, raw := range append([]json.RawMessage{c.Value}, c.Values...) {
		var s string
		if len(raw) > 0 && !isNull(raw) && json.Unmarshal(raw, &s) == nil {
			out = append(out, s)
		}
	}
	return out
}

// Names returns every claim about the person that is requested in either
// place, sorted, each once: what consent remembers. Claims of the protocol
// itself (sub, acr, auth_time) are not among them.
func (r *Requested) Names() []string {
	if r == nil {
		return nil
	}
	var names []string
	for _, place := range []map[string]*Claim{r.Userinfo, r.IDToken} {
		for name := range maps.Keys(place) {
			if ScopeOf(name) != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Within returns r without the claims about the person whose scope may does
// not allow, so that asking claim by claim reaches no further than asking by
// scope. What remains empty is nil.
func (r *Requested) Within(may func(scope string) bool) *Requested {
	if r == nil {
		return nil
	}
	keep := func(name string, _ *Claim) bool {
		s := ScopeOf(name)
		return s != "" && !may(s)
	}
	out := &Requested{Userinfo: maps.Clone(r.Userinfo), IDToken: maps.Clone(r.IDToken)}
	maps.DeleteFunc(out.Userinfo, keep)
	maps.DeleteFunc(out.IDToken, keep)
	if len(out.Userinfo) == 0 && len(out.IDToken) == 0 {
		return nil
	}
	return out
}

// String returns the parameter in a canonical form that Parse reads; "" for
// nil.
func (r *Requested) String() string {
	if r == nil {
		return ""
	}
	b, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return string(b)
}

func (r *Requested) inUserinfo(name string) bool {
	if r == nil {
		return false
	}
	_, ok := r.Userinfo[name]
	return ok
}

func (r *Requested) inIDToken(name string) bool {
	if r == nil {
		return false
	}
	_, ok := r.IDToken[name]
	return ok
}

func malformed(want string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The claims parameter is not valid.").
		Under("OIDC Core §5.5 claims parameter syntax").Compare(protocol.Claims, want, "")
}
