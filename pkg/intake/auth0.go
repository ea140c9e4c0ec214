package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/portico-id/portico/pkg/user"
)

// auth0User is a user of an export with password hashes (passwordHash), or of
// the schema of bulk imports (password_hash, custom_password_hash).
type auth0User struct {
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Username      string `json:"username"`
	Name          string `json:"name"`
	GivenName     string `json:"given_name"`
	FamilyName    string `json:"family_name"`
	Nickname      string `json:"nickname"`
	Picture       string `json:"picture"`
	PhoneNumber   string `json:"phone_number"`
	Blocked       bool   `json:"blocked"`

	ExportedHash string            `json:"passwordHash"`
	PasswordHash string            `json:"password_hash"`
	Custom       *auth0Hash        `json:"custom_password_hash"`
	MFAFactors   []json.RawMessage `json:"mfa_factors"`
	Multifactor  []string          `json:"multifactor"`
}

// auth0Hash is a custom_password_hash.
type auth0Hash struct {
	Algorithm string       `json:"algorithm"`
	Hash      auth0Encoded `json:"hash"`
	Salt      auth0Encoded `json:"salt"`
	Password  struct {
		Encoding string `json:"encoding"`
	} `json:"password"`
	KeyLen          int `json:"keylen"`
	Cost            int `json:"cost"`
	BlockSize       int `json:"blockSize"`
	Parallelization int `json:"parallelization"`
}

type auth0Encoded struct {
	Value    string `json:"value"`
	Encoding string `json:"encoding"`
}

func auth0(raw []byte) Record {
	var a auth0User
	if err := json.Unmarshal(raw, &a); err != nil {
		return Record{Name: nameIn(raw), Refused: describe(err)}
	}
	rec := Record{
		User: user.User{
			Username: a.Username, Email: a.Email, EmailVerified: a.EmailVerified, Disabled: a.Blocked,
			GivenName: a.GivenName, FamilyName: a.FamilyName, Nickname: a.Nickname, Picture: a.Picture, PhoneNumber: a.PhoneNumber,
		},
		SecondFactor: len(a.MFAFactors) > 0 || len(a.Multifactor) > 0,
	}
	if !strings.EqualFold(a.Name, a.Email) { // Auth0 fills the name with the address
		rec.User.Name = a.Name
	}
	rec.settle()
	rec.Hash, rec.Refused = a.phc()
	return rec
}

func (a auth0User) phc() (string, error) {
	given := 0
	for _, there := range []bool{a.ExportedHash != "", a.PasswordHash != "", a.Custom != nil} {
		if there {
			given++
		}
	}
	switch {
	case given == 0:
		return "", nil
	case given > 1:
		return "", errors.New("there is more than one password hash")
	case a.Custom != nil:
		return a.Custom.phc()
	}
	return bcryptPHC(a.ExportedHash + a.PasswordHash)
}

func (h auth0Hash) phc() (string, error) {
	if e := h.Password.Encoding; e != "" && e != "utf8" {
		return "", fmt.Errorf("passwords in the encoding %.20q cannot be verified", e)
	}
	algorithm := strings.ToLower(h.Algorithm)
	if h.Salt.Value != "" && algorithm != "scrypt" {
		return "", errors.New("a salt stands beside the hash")
	}
	switch algorithm {
	case "bcrypt":
		return bcryptPHC(h.Hash.Value)
	case "argon2":
		if !strings.HasPrefix(h.Hash.Value, "$argon2") {
			return "", errors.New("this argon2 hash is no PHC string")
		}
		return h.Hash.Value, nil
	case "pbkdf2":
		return readPBKDF2(h.Hash.Value)
	case "scrypt":
		return h.scrypt()
	}
	return "", unknownHash(h.Algorithm)
}

func (h auth0Hash) scrypt() (string, error) {
	key, err := decode(h.Hash.Encoding, h.Hash.Value)
	if err != nil {
		return "", err
	}
	salt, err := decode(h.Salt.Encoding, h.Salt.Value)
	if err != nil {
		return "", err
	}
	if h.KeyLen != 0 && h.KeyLen != len(key) {
		return "", fmt.Errorf("keylen is %d and the hash has %d bytes", h.KeyLen, len(key))
	}
	return scryptPHC(h.Cost, h.BlockSize, h.Parallelization, salt, key)
}
