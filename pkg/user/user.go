// Package user keeps the people: who they are, how they are found, whether
// they may sign in. It holds no credentials (password and its siblings do).
package user

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/portico-id/portico/pkg/paging"
)

// Administrator is the role that may administer Portico.
const Administrator = "portico:admin"

// User is one person. The profile fields are the standard claims of OIDC Core
// §5.1; an empty one is not asserted.
type User struct {
	ID            string // sub: random, stable, never reused
	Username      string // optional; preferred_username
	Email         string // as the person wrote it
	EmailVerified bool
	Disabled      bool
	Demo          bool

	Name, GivenName, FamilyName, MiddleName, Nickname string
	Profile, Picture, Website                         string
	Gender, Birthdate, Zoneinfo, Locale               string
	PhoneNumber                                       string
	PhoneNumberVerified                               bool
	Address                                           Address

	Roles []string

	// TermsVersion is the version of the terms of service that the person
	// accepted last, and when; empty: none.
	TermsVersion    string
	TermsAcceptedAt time.Time
	// DeleteAt is when the account will be removed, because the person asked
	// for it; zero: it stays.
	DeleteAt time.Time

	// Factors are the kinds of second factor that the person has, sorted. They
	// change in the transaction that adds or removes one.
	Factors []string
	// EnrolAskedAt is when a policy first asked the person for a second factor;
	// zero: never.
	EnrolAskedAt time.Time

	CreatedAt, UpdatedAt time.Time
}

// Administers reports whether the person may administer Portico.
func (u *User) Administers() bool { return slices.Contains(u.Roles, Administrator) }

// Address is the address claim (OIDC Core §5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Normalise returns the spelling under which an identifier (e-mail address or
// username) is stored and counted: NFKC, case folded, without blanks around.
// All spellings of one account share one counter and one row.
func Normalise(identifier string) string {
	return cases.Fold().String(norm.NFKC.String(strings.TrimSpace(identifier)))
}

// Store keeps people durably. Implementations pass storagetest.Users.
// Methods take part in the transaction that the context carries, if any.
type Store interface {
	// Create writes a new person. A taken id, e-mail address or username
	// (compared normalised) is a fault.Conflict.
	Create(ctx context.Context, u User) error
	// ByID returns the person, disabled ones too, or fault.NotFound.
	ByID(ctx context.Context, id string) (User, error)
	// ByIdentifier finds by normalised e-mail address or username, or
	// fault.NotFound.
	ByIdentifier(ctx context.Context, normalised string) (User, error)
	// Update replaces the person of the same id: fault.NotFound, or
	// fault.Conflict when the new address or username is taken.
	Update(ctx context.Context, u User) error
	// List returns a page in the order of creation, oldest first.
	List(ctx context.Context, page paging.Page) ([]User, error)
	// HasDemo reports whether a demo person exists.
	HasDemo(ctx context.Context) (bool, error)

	// Hold is ByID for a change: nobody else changes the person until the
	// transaction that the context carries ends.
	Hold(ctx context.Context, id string) (User, error)
	// AnotherHas reports whether anybody but the person except holds the role,
	// is not disabled and has not asked for deletion. Who was found is held, as
	// by Hold: of two last ones who leave at once, one is found by the other.
	AnotherHas(ctx context.Context, role, except string) (bool, error)
	// DueForDeletion returns the ids of at most limit people whose DeleteAt is
	// not after now, those first who have waited longest.
	DueForDeletion(ctx context.Context, now time.Time, limit int) ([]string, error)
	// Delete removes the person with everything that is theirs alone: ways to
	// find them, password, consents, confirmations, sessions and grants; mail
	// about them forgets whose it was. Audit events stay: they know an id that
	// nobody is given again. fault.NotFound when there is no such person.
	Delete(ctx context.Context, id string) error
}
