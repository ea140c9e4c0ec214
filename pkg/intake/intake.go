// Package intake reads people from the exports of other servers: Keycloak,
// Auth0, and a plain format of our own. It turns their password hashes into
// PHC strings and judges every record by itself. It keeps nothing and decides
// nothing: server.ImportUser does.
package intake

import (
	"fmt"
	"io"
	"iter"

	"github.com/portico-id/portico/pkg/user"
)

// Format is whose export it is.
type Format string

// Formats.
const (
	Keycloak Format = "keycloak" // a realm, or its users
	Auth0    Format = "auth0"    // lines with passwordHash, or the schema of bulk imports
	Portico  Format = "portico"  // lines with the claims of OIDC Core §5.1 and password_hash
)

// Formats returns every format.
func Formats() []Format { return []Format{Keycloak, Auth0, Portico} }

// Record is one person of an export.
type Record struct {
	At   string // "line 3" or "user 17"
	Name string // e-mail address or username, as far as it could be read
	User user.User
	Hash string // PHC string; empty: no password
	// SecondFactor holds when the person had one, which stays behind.
	SecondFactor bool
	// Refused is why the person cannot be taken over; nil: they can.
	Refused error
}

// Read yields the records of an export one after the other, as the file is
// read; bad ones are Refused and those after them still come. An error beside
// a record means that the file cannot be read any further.
func Read(r io.Reader, f Format) iter.Seq2[Record, error] {
	switch f {
	case Keycloak:
		return records(r, shape{object: "users", read: keycloak})
	case Auth0:
		return records(r, shape{read: auth0})
	case Portico:
		return records(r, shape{read: portico})
	}
	return func(yield func(Record, error) bool) {
		yield(Record{}, fmt.Errorf("%q is no format of an export", f))
	}
}
