package claims

import "encoding/json"

// Hint is what counts of the payload of a verified id_token_hint.
type Hint struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience Audience `json:"aud"`
	Session  string   `json:"sid"`
}

// ReadHint reads the payload of an ID token whose signature was verified.
func ReadHint(payload []byte) (*Hint, error) {
	var h Hint
	if err := json.Unmarshal(payload, &h); err != nil {
		return nil, err
	}
	return &h, nil
}

// Audience is one string or several (RFC 7519 §4.1.3).
type Audience []string

// UnmarshalJSON takes both forms.
func (a *Audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = Audience{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}
