package templates

// A Page is what one template shows. To add a page, write its template, a
// struct with every value it needs, and its words in messages/.
type Page interface {
	// Template names the file that draws the page: "login/login.html".
	Template() string
}

// Illustrated is a Page that shows pictures of other origins. Their origins
// are added to img-src of its Content-Security-Policy.
type Illustrated interface {
	// Images returns the absolute https URLs that the page shows.
	Images() []string
}

// Form is what every form of a page sends back besides what people enter.
type Form struct {
	// Action is the path below the issuer that takes the POST: "/login".
	Action string
	// Flow is the id of the interactive request, sent as the hidden field
	// "flow"; empty leaves the field out.
	Flow string
	// Token is the anti-forgery token, sent as the hidden field "form_token".
	Token string
}

// Names of the hidden fields of a Form.
const (
	FieldFlow  = "flow"
	FieldToken = "form_token"
)

// Client is an application as people see it. All of it is text of strangers:
// it is shown escaped, bounded, and without characters that reorder text.
type Client struct {
	// Name is shown in words and as a monogram when there is no logo. Empty
	// becomes "an application without a name".
	Name string
	// LogoURL, PolicyURL, TermsURL and HomeURL must be absolute https URLs
	// (http on loopback); anything else is not shown.
	LogoURL, PolicyURL, TermsURL, HomeURL string
}

// Account is a person as the pages address them.
type Account struct {
	// Ref is sent as the field "account" when the person picks this account
	// in the chooser. It is no secret.
	Ref string
	// Name is the display name; empty: only Login is shown.
	Name string
	// Login is the e-mail address or the username.
	Login string
	// SignedOut marks an account that must prove itself again.
	SignedOut bool
}

// Login asks who is there. Fields sent: username, password, remember (value
// "on"), decision ("deny" from the cancel button; otherwise absent).
type Login struct {
	Form
	// Client is the application the person signs in for; nil: Portico itself.
	Client *Client
	// Username is what the person entered, or a login_hint. The password is
	// never shown again.
	Username string
	// Fixed holds when the person must prove again that they are Username
	// (prompt=login, max_age): the field is read-only.
	Fixed bool
	// Again says that the person must prove again who they are; Username may
	// be changed.
	Again bool
	// Registered says that the sign-up form was sent, whatever came of it:
	// nobody learns here whether the address was taken.
	Registered bool
	// Linking is the name of the provider whose account this sign-in links;
	// empty: none.
	Linking string
	// Problem is why the last attempt did not count; zero: first attempt.
	Problem Problem
	// Ways are the providers to continue with, by a form of their own that goes
	// to With. Field sent: provider (the ID of one).
	Ways []Way
	With string
	// OfferRemember shows the box "Stay signed in"; Remember ticks it.
	OfferRemember, Remember bool
	// OfferCancel shows a button that refuses and goes back to the client.
	OfferCancel bool
	// Register, Recover and Switch are paths below the issuer for signing up,
	// for a forgotten password, and for the account chooser; empty hides.
	Register, Recover, Switch string
	// Passkey is the way in by a passkey; nil hides it.
	Passkey *AskPasskey
}

// Template implements Page.
func (Login) Template() string { return "login/login.html" }

// Images implements Illustrated.
func (p Login) Images() []string { return p.Client.images() }

// Consent asks whether the application may have what it asks for. Fields
// sent: decision ("allow" or "deny").
type Consent struct {
	Form
	// Client asks.
	Client Client
	// RedirectURI is where the answer goes; the page shows its host, or that
	// it is an app on this device.
	RedirectURI string
	// Account is who is asked.
	Account Account
	// Scopes are those Portico owns, by name ("openid", "email"): they are
	// shown in words of the catalogue. An unknown one is shown by its name.
	Scopes []string
	// APIs are what the tokens will be good for besides.
	APIs []API
	// Remembered holds when an allow is kept and not asked again.
	Remembered bool
	// Unverified holds for a client that registered itself: a warning says
	// that nobody vouches for its name.
	Unverified bool
	// Switch is the path below the issuer that leads to another account;
	// empty hides.
	Switch string
	// Problem is why the last answer did not count.
	Problem Problem
}

// API is one resource server of a consent, with the scopes asked of it.
type API struct {
	Name   string // as the operator named it; empty: Audience is shown
	Scopes []Scope
	// Audience identifies it (RFC 8707 resource).
	Audience string
}

// Scope is one scope of an API. Description is the operator's sentence; empty
// shows Name.
type Scope struct{ Name, Description string }

// Template implements Page.
func (Consent) Template() string { return "login/consent.html" }

// Images implements Illustrated.
func (p Consent) Images() []string { return p.Client.images() }

// Chooser lets the person pick who they are. Fields sent: account (the Ref of
// the one picked; empty from "use another account").
type Chooser struct {
	Form
	Client   *Client // nil: Portico itself
	Accounts []Account
	Problem  Problem
}

// Template implements Page.
func (Chooser) Template() string { return "login/chooser.html" }

// Images implements Illustrated.
func (p Chooser) Images() []string { return p.Client.images() }

// Register makes an account. Fields sent: name, email, username, password,
// terms (value "on").
type Register struct {
	Form
	Client      *Client // nil: Portico itself
	Name, Email string  // what the person entered
	// Invited holds when somebody was asked in; EmailFixed when it was this
	// very address: the field is read-only.
	Invited, EmailFixed bool
	// Username is what the person entered; the field is shown when
	// AskUsername, and may stay empty unless UsernameNeeded.
	Username                    string
	AskUsername, UsernameNeeded bool
	// PasswordMin is the least number of characters of a password, for the
	// hint; zero: 15.
	PasswordMin int
	// PasswordKinds are the kinds of characters that a password must hold.
	PasswordKinds []string
	// Terms are the documents that the operator shows; Accepted ticks the box.
	Terms    Terms
	Accepted bool
	// Problem concerns the whole form, the others their field.
	Problem, NameProblem, EmailProblem, UsernameProblem, PasswordProblem, TermsProblem Problem
	// Login is the path below the issuer that leads to the sign-in; empty hides.
	Login string
}

// Template implements Page.
func (Register) Template() string { return "login/register.html" }

// Images implements Illustrated.
func (p Register) Images() []string { return p.Client.images() }

// Logout asks before a session ends. Fields sent: decision ("logout" or
// "stay").
type Logout struct {
	Form
	Client  *Client  // who asks for it; nil: nobody named
	Account *Account // nil: unknown
	Problem Problem
}

// Template implements Page.
func (Logout) Template() string { return "login/logout.html" }

// Images implements Illustrated.
func (p Logout) Images() []string { return p.Client.images() }

// SignedOut says that the session is over.
type SignedOut struct {
	// Stayed holds when the person chose to stay signed in.
	Stayed bool
	Client *Client // where Back leads; nil: nobody named
	// Back is a registered URL of the client, checked by the caller; empty hides.
	Back string
	// Login is the path below the issuer that leads to the sign-in; empty hides.
	Login string
}

// Template implements Page.
func (SignedOut) Template() string { return "login/signedout.html" }

// Images implements Illustrated.
func (p SignedOut) Images() []string { return p.Client.images() }

// Error says why Portico cannot continue, where no redirect is safe.
// web.Kit draws it for every error that a page handler returns.
type Error struct {
	// Status is the HTTP status; it chooses the words when Code has none.
	Status int
	// Code is the stable code of the fault; known ones are translated.
	Code string
	// Say is the public sentence of the fault, in English.
	Say string
	// Over holds when the flow has ended: finished elsewhere or expired.
	Over bool
	// RequestID is what to tell the operator.
	RequestID string
	// Back leads out of the dead end: a path below the issuer or a registered
	// URL of the client, checked by the caller; empty hides.
	Back string
	// BackName is the name of the application behind Back; empty: "Go back".
	BackName string
}

// Template implements Page.
func (Error) Template() string { return "login/error.html" }

// FormPost carries an authorization response to the client (OAuth 2.0 Form
// Post Response Mode): a script sends it at once, a button without scripts.
type FormPost struct {
	// URL is the redirect URI of the client, already matched.
	URL string
	// Client names who receives it; nil: nobody named.
	Client *Client
	// Fields are sent unchanged, in this order.
	Fields []Field
}

// Field is one parameter of a FormPost.
type Field struct{ Name, Value string }

// Template implements Page.
func (FormPost) Template() string { return "login/formpost.html" }
