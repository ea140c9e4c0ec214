package intake

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/portico-id/portico/pkg/user"
)

// ownUser has the claims of OIDC Core §5.1 and what they lack. sub and
// updated_at are known and not taken over: both are ours to say.
type ownUser struct {
	Sub                 json.RawMessage `json:"sub"`
	UpdatedAt           json.RawMessage `json:"updated_at"`
	Email               string          `json:"email"`
	EmailVerified       bool            `json:"email_verified"`
	PreferredUsername   string          `json:"preferred_username"`
	Name                string          `json:"name"`
	GivenName           string          `json:"given_name"`
	FamilyName          string          `json:"family_name"`
	MiddleName          string          `json:"middle_name"`
	Nickname            string          `json:"nickname"`
	Profile             string          `json:"profile"`
	Picture             string          `json:"picture"`
	Website             string          `json:"website"`
	Gender              string          `json:"gender"`
	Birthdate           string          `json:"birthdate"`
	Zoneinfo            string          `json:"zoneinfo"`
	Locale              string          `json:"locale"`
	PhoneNumber         string          `json:"phone_number"`
	PhoneNumberVerified bool            `json:"phone_number_verified"`
	Address             user.Address    `json:"address"`
	Roles               []string        `json:"roles"`
	Disabled            bool            `json:"disabled"`
	PasswordHash        string          `json:"password_hash"`
}

// portico reads a person. A field that nobody knows is refused: it is more
// likely misspelt than meant to be lost.
func portico(raw []byte) Record {
	var o ownUser
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return Record{Name: nameIn(raw), Refused: describe(err)}
	}
	rec := Record{
		Hash: o.PasswordHash,
		User: user.User{
			Username: o.PreferredUsername, Email: o.Email, EmailVerified: o.EmailVerified, Disabled: o.Disabled,
			Name: o.Name, GivenName: o.GivenName, FamilyName: o.FamilyName, MiddleName: o.MiddleName, Nickname: o.Nickname,
			Profile: o.Profile, Picture: o.Picture, Website: o.Website, Gender: o.Gender, Birthdate: o.Birthdate,
			Zoneinfo: o.Zoneinfo, Locale: o.Locale, PhoneNumber: o.PhoneNumber, PhoneNumberVerified: o.PhoneNumberVerified,
			Address: o.Address, Roles: o.Roles,
		},
	}
	rec.settle()
	if rec.Hash != "" && rec.Hash[0] != '$' {
		rec.Refused = errors.New("password_hash is no PHC string, such as $argon2id$…")
	}
	return rec
}
