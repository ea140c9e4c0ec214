package intake

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/user"
)

// keycloakUser is a UserRepresentation, as far as it is taken over.
type keycloakUser struct {
	Username               string               `json:"username"`
	Email                  string               `json:"email"`
	EmailVerified          bool                 `json:"emailVerified"`
	Enabled                *bool                `json:"enabled"`
	FirstName              string               `json:"firstName"`
	LastName               string               `json:"lastName"`
	Attributes             map[string]texts     `json:"attributes"`
	Credentials            []keycloakCredential `json:"credentials"`
	RealmRoles             []string             `json:"realmRoles"`
	ServiceAccountClientID string               `json:"serviceAccountClientId"`
	Users                  json.RawMessage      `json:"users"` // of a realm
}

// keycloakCredential is a CredentialRepresentation. The upper two hold JSON;
// what follows is how Keycloak wrote it before version 8.
type keycloakCredential struct {
	Type           string `json:"type"`
	SecretData     string `json:"secretData"`
	CredentialData string `json:"credentialData"`

	Value             string `json:"value"` // a password in the clear
	HashedSaltedValue string `json:"hashedSaltedValue"`
	Salt              string `json:"salt"`
	HashIterations    int    `json:"hashIterations"`
	Algorithm         string `json:"algorithm"`
}

// texts is an array of strings, or one.
type texts []string

func (t *texts) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(t))
}

func (t texts) first() string {
	if len(t) == 0 {
		return ""
	}
	return t[0]
}

func keycloak(raw []byte) Record {
	var k keycloakUser
	if err := json.Unmarshal(raw, &k); err != nil {
		return Record{Name: nameIn(raw), Refused: describe(err)}
	}
	rec := Record{User: user.User{
		Username: k.Username, Email: k.Email, EmailVerified: k.EmailVerified, Disabled: k.Enabled != nil && !*k.Enabled,
		GivenName: k.FirstName, FamilyName: k.LastName, Name: strings.TrimSpace(k.FirstName + " " + k.LastName),
		Locale: k.Attributes["locale"].first(), PhoneNumber: k.Attributes["phoneNumber"].first(),
		Roles: slices.DeleteFunc(k.RealmRoles, everybodys),
	}}
	rec.settle()
	switch {
	case k.Users != nil:
		rec.Refused = errors.New("this is a realm: give the file of one realm at a time")
	case k.ServiceAccountClientID != "":
		rec.Refused = errors.New("this account belongs to a client, not to a person")
	}
	for _, c := range k.Credentials {
		switch c.Type {
		case "password":
			var err error
			if rec.Hash, err = c.phc(); err != nil && rec.Refused == nil {
				rec.Refused = err
			}
		case "otp", "webauthn", "webauthn-passwordless", "recovery-authn-codes":
			rec.SecondFactor = true
		}
	}
	return rec
}

// everybodys are roles that Keycloak gives to all.
func everybodys(role string) bool {
	return role == "offline_access" || role == "uma_authorization" || strings.HasPrefix(role, "default-roles-")
}

// phc returns the hash of a credential.
func (c keycloakCredential) phc() (string, error) {
	if c.Value != "" {
		return "", errors.New("the password stands in the clear: only hashes are taken")
	}
	var secret struct {
		Value string `json:"value"`
		Salt  string `json:"salt"`
	}
	var data struct {
		HashIterations       int              `json:"hashIterations"`
		Algorithm            string           `json:"algorithm"`
		AdditionalParameters map[string]texts `json:"additionalParameters"`
	}
	if c.SecretData == "" && c.CredentialData == "" {
		secret.Value, secret.Salt = c.HashedSaltedValue, c.Salt
		data.HashIterations, data.Algorithm = c.HashIterations, c.Algorithm
	} else if json.Unmarshal([]byte(c.SecretData), &secret) != nil || json.Unmarshal([]byte(c.CredentialData), &data) != nil {
		return "", errors.New("the credential cannot be read")
	}
	key, err := decode("base64", secret.Value)
	if err != nil {
		return "", err
	}
	salt, err := decode("base64", secret.Salt)
	if err != nil {
		return "", err
	}
	switch data.Algorithm {
	case "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512":
		return pbkdf2PHC(data.Algorithm, data.HashIterations, salt, key), nil
	case "argon2":
		p := data.AdditionalParameters
		return argon2PHC(p["type"].first(), p["version"].first(), p["memory"].first(), data.HashIterations, p["parallelism"].first(), salt, key)
	}
	return "", unknownHash(data.Algorithm)
}
