package templates

// Terms are the operator's documents, by their https URLs; anything else is
// not shown. The zero Terms are none.
type Terms struct{ TermsURL, PrivacyURL string }

// Service returns the URL of the terms of service if it may be shown, else "".
func (t Terms) Service() string { return webURL(t.TermsURL) }

// Privacy returns the URL of the privacy policy if it may be shown, else "".
func (t Terms) Privacy() string { return webURL(t.PrivacyURL) }

// SignupCode waits for the proof of an address. Fields sent: code, decision
// ("again" from the button that asks for another mail; otherwise absent). What
// it says is the same whether the address was free or not.
type SignupCode struct {
	Form
	Client *Client // nil: Portico itself
	// Email is the address that was entered.
	Email string
	// Sent says that another mail is on its way.
	Sent bool
	// Problem concerns the code.
	Problem Problem
	// Other and Done are paths below the issuer: to begin with another
	// address, and for whoever followed the link elsewhere.
	Other, Done string
}

// Template implements Page.
func (SignupCode) Template() string { return "login/signupcode.html" }

// Images implements Illustrated.
func (p SignupCode) Images() []string { return p.Client.images() }

// SignupLink asks whoever followed the link of a mail to press a button:
// programs that look at links must not. Fields sent: link.
type SignupLink struct {
	Form
	Client *Client // nil: Portico itself, or another browser asked
	Link   string  // sent back hidden
	Email  string
	// Elsewhere holds in a browser that did not ask: then the page warns.
	Elsewhere bool
}

// Template implements Page.
func (SignupLink) Template() string { return "login/signuplink.html" }

// Images implements Illustrated.
func (p SignupLink) Images() []string { return p.Client.images() }

// SignupName asks for another username, when the first was taken before the
// address was proven. Fields sent: username, and link or proven.
type SignupName struct {
	Form
	Client   *Client
	Username string // what the person entered
	Problem  Problem
	// Link, or Proven, shows that the address is proven; sent back hidden.
	Link, Proven string
}

// Template implements Page.
func (SignupName) Template() string { return "login/signupname.html" }

// Images implements Illustrated.
func (p SignupName) Images() []string { return p.Client.images() }

// SignupDone says that the account was made, in a browser that did not ask
// for it.
type SignupDone struct {
	Email string
	// Login is the path below the issuer that leads to the sign-in.
	Login string
}

// Template implements Page.
func (SignupDone) Template() string { return "login/signupdone.html" }

// SignupOver says that a link, code or invitation does not work any more, and
// how to go on.
type SignupOver struct {
	Client *Client
	// Invitation holds when it was one; Known when the address that was
	// proven has an account.
	Invitation, Known bool
	// Again and Login are paths below the issuer: to begin anew, and for
	// whoever has an account; empty hides.
	Again, Login string
}

// Template implements Page.
func (SignupOver) Template() string { return "login/signupover.html" }

// Images implements Illustrated.
func (p SignupOver) Images() []string { return p.Client.images() }

// AcceptTerms asks somebody who is signed in to accept the terms in force.
// Fields sent: decision ("accept" or "deny").
type AcceptTerms struct {
	Form
	Client  *Client // nil: Portico itself
	Account Account
	Terms   Terms
	Again   bool // they accepted an earlier version
	Problem Problem
}

// Template implements Page.
func (AcceptTerms) Template() string { return "login/terms.html" }

// Images implements Illustrated.
func (p AcceptTerms) Images() []string { return p.Client.images() }
