// Package federation lets people sign in with accounts that they have
// elsewhere: OpenID providers, OAuth servers that are none, directories. It
// knows the places, whose accounts are tied to which people here, and what a
// sign-in elsewhere may do. Somebody elsewhere is an issuer and a subject,
// never an address (security §11.10).
package federation

import (
	"context"
	"time"
)

// Kind is what a provider is. They are stored: never change one.
type Kind string

// Kinds of providers. All but GitHub and LDAP are OpenID Connect.
const (
	OIDC      Kind = "oidc"
	Google    Kind = "google"
	Microsoft Kind = "microsoft"
	Facebook  Kind = "facebook"
	Apple     Kind = "apple"
	GitHub    Kind = "github"
	LDAP      Kind = "ldap"
)

// Provider is a place where people sign in.
type Provider struct {
	ID       string // part of its callback address: a-z, 0-9, - and _, at most 32
	Kind     Kind
	Name     string // shown on the button
	Settings Settings
	// Sealed is its secret: client secret, private key in PEM, bind password.
	Sealed    []byte
	Disabled  bool
	Position  int // of its button, smallest first
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Settings is what an operator says of a provider. Zero values take what the
// preset of its kind says.
type Settings struct {
	// OpenID Connect and OAuth.
	Issuer      string            `json:"issuer,omitempty"`
	ClientID    string            `json:"client_id,omitempty"`
	Scopes      []string          `json:"scopes,omitempty"`
	AuthURL     string            `json:"authorization_endpoint,omitempty"` // for OAuth without discovery
	TokenURL    string            `json:"token_endpoint,omitempty"`
	UserinfoURL string            `json:"userinfo_endpoint,omitempty"`
	Params      map[string]string `json:"params,omitempty"` // more of the authorization request
	// Apple: the client secret is a JWT that the key of Sealed signs.
	TeamID string `json:"team_id,omitempty"`
	KeyID  string `json:"key_id,omitempty"`

	// Directories.
	Directory *Directory `json:"directory,omitempty"`

	// What a sign-in may do.
	// Create makes an account for somebody who has none (just in time).
	Create bool `json:"create,omitempty"`
	// Domains are those of addresses that may come; empty: all. An address
	// counts only when the provider says that it is verified.
	Domains []string `json:"domains,omitempty"`
	// TrustEmail takes addresses as verified although the provider does not say
	// so: for a provider of the operator's own.
	TrustEmail bool `json:"trust_email,omitempty"`
	// TrustAMR takes its word on how the person signed in (amr): else a sign-in
	// there is one factor, whatever it was.
	TrustAMR bool `json:"trust_amr,omitempty"`
	// Claims maps standard claims of ours (name, given_name, locale, …) to
	// claims of the provider. Empty: the standard names.
	Claims map[string]string `json:"claims,omitempty"`
	// RolesClaim names the claim, or the attribute, whose values Roles maps to
	// roles of ours. They are given and taken at each sign-in; administrative
	// roles only when they are named here by the operator.
	RolesClaim string            `json:"roles_claim,omitempty"`
	Roles      map[string]string `json:"roles,omitempty"`
	// Logout sends people who sign out here to the provider's
	// end_session_endpoint too.
	Logout bool `json:"logout,omitempty"`
}

// Directory is how an LDAP directory is asked.
type Directory struct {
	URL             string `json:"url"`                  // ldaps://host or ldap://host, which is upgraded (StartTLS)
	PlainText       bool   `json:"plain_text,omitempty"` // ldap:// to loopback without TLS
	RootsFile       string `json:"roots_file,omitempty"` // certificates in PEM; empty: the system's
	BindDN          string `json:"bind_dn,omitempty"`    // who searches; empty: anonymous
	BaseDN          string `json:"base_dn"`
	Filter          string `json:"filter"`                 // one %s stands for what was typed, escaped: (|(uid=%s)(mail=%s)) takes it twice
	Subject         string `json:"subject,omitempty"`      // attribute that never changes; default entryUUID, objectGUID with ActiveDirectory
	GroupBase       string `json:"group_base,omitempty"`   // where groups are searched; empty: the attribute memberOf is read
	GroupFilter     string `json:"group_filter,omitempty"` // %s stands for the DN, escaped
	ActiveDirectory bool   `json:"active_directory,omitempty"`
}

// Identity ties somebody elsewhere to a person here.
type Identity struct {
	ID       string
	Issuer   string // exact; of LDAP "ldap:" and the id of the provider
	Subject  string
	Provider string
	UserID   string
	Label    string   // as people know it: an address, a name
	Roles    []string // those that the provider gave
	LinkedAt time.Time
	UsedAt   time.Time
}

// Origin is which session of ours came from which sign-in elsewhere.
type Origin struct {
	SessionID string
	Provider  string
	Issuer    string
	Subject   string
	Session   string // sid there; empty: unknown
	Sealed    []byte // the ID token
	CreatedAt time.Time
	ExpiresAt time.Time // with the session
}

// Person is what a provider says of who signed in there, checked.
type Person struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool // the provider says so, or its settings do
	Label           string
	Claims          map[string]any // all that it said
	AMR             []string       // trusted, or empty
	Roles           []string       // of ours, mapped
	Session         string         // sid
	IDToken         string
}

// Store keeps providers, identities and origins durably. Implementations pass
// storagetest.Federation. Methods take part in the transaction that the
// context carries, if any.
type Store interface {
	// PutProvider writes a provider, new or not; when it was made stays.
	PutProvider(ctx context.Context, p Provider) error
	// Providers returns all in the order of position and id. There are few.
	Providers(ctx context.Context) ([]Provider, error)
	// DeleteProvider removes one with its identities and origins, or
	// fault.NotFound.
	DeleteProvider(ctx context.Context, id string) error

	// Link writes a new identity: fault.Conflict when somebody has it.
	Link(ctx context.Context, i Identity) error
	// Identity returns the one of issuer and subject, or fault.NotFound.
	Identity(ctx context.Context, issuer, subject string) (Identity, error)
	// IdentitiesOf returns those of a person in the order of linking.
	IdentitiesOf(ctx context.Context, userID string) ([]Identity, error)
	// IdentitiesAt returns at most limit of those at a provider in the order of
	// their ids, from the one after the id.
	IdentitiesAt(ctx context.Context, provider, after string, limit int) ([]Identity, error)
	// Used notes a sign-in, and which roles the provider gave.
	Used(ctx context.Context, id, label string, roles []string, now time.Time) error
	// Unlink removes one of a person, or fault.NotFound.
	Unlink(ctx context.Context, userID, id string) error

	// PutOrigin notes where a session comes from; the newest counts.
	PutOrigin(ctx context.Context, o Origin) error
	// OriginOf returns that of a session, or fault.NotFound.
	OriginOf(ctx context.Context, sessionID string) (Origin, error)
	// OriginsFrom returns the ids of sessions that come from a subject of an
	// issuer, or from one session there when sid is not empty (then subject may
	// be empty).
	OriginsFrom(ctx context.Context, issuer, subject, sid string, now time.Time) ([]string, error)
	// DeleteExpiredOrigins removes at most limit whose session is over.
	DeleteExpiredOrigins(ctx context.Context, now time.Time, limit int) (int, error)
}

// Upstream is an OpenID or OAuth provider at work. It is safe for concurrent
// use. Its errors say nothing that a stranger's server sent (security §9.7).
type Upstream interface {
	// Begin returns the address to send the browser to. state, nonce and
	// verifier are ours and new.
	Begin(ctx context.Context, state, nonce, verifier, redirectURI string) (string, error)
	// Finish takes the answer: exchanges the code and checks who it is. Faults:
	// Unavailable when the provider does not answer in time; Denied when what it
	// answers cannot be trusted, under the clause that it breaks.
	Finish(ctx context.Context, answer map[string]string, nonce, verifier, redirectURI string) (*Person, error)
	// EndSession returns the address that signs out there, or "".
	EndSession(ctx context.Context, idToken, returnTo, state string) (string, error)
	// LogoutToken checks a back-channel logout token and returns whom it is
	// about (OIDC Back-Channel Logout §2.6); whether it was taken before, the
	// caller finds out. fault.Invalid when it is not to be trusted.
	LogoutToken(ctx context.Context, raw string) (*Logout, error)
}

// Logout is what a back-channel logout token says.
type Logout struct {
	Issuer, Subject, Session, ID string
	IssuedAt, ExpiresAt          time.Time
}

// Authenticator is a directory at work: it checks passwords.
type Authenticator interface {
	// Authenticate returns who has the name and the password. Faults:
	// Unauthenticated for every reason that keeps somebody out; Unavailable when
	// the directory cannot be asked. An empty password is never asked about
	// (RFC 4513 §5.1.2: it would bind anonymously).
	Authenticate(ctx context.Context, name, password string) (*Person, error)
	// Lookup spends what Authenticate spends for a name that has no account
	// there, and tells nothing: so that local people take the same time.
	Lookup(ctx context.Context, name string) error
}
