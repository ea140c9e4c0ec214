package templates

// Recover asks who forgot their password. Fields sent: username.
type Recover struct {
	Form
	Client   *Client // nil: Portico itself
	Username string  // what the person entered, or a login_hint
	Problem  Problem
	// Login is the path below the issuer that leads to the sign-in; empty hides.
	Login string
}

// Template implements Page.
func (Recover) Template() string { return "login/recover.html" }

// Images implements Illustrated.
func (p Recover) Images() []string { return p.Client.images() }

// RecoverSent says that a mail is on its way if there is an account. It is
// the same whether there is one.
type RecoverSent struct {
	Client  *Client // nil: Portico itself
	Minutes int     // how long the link works
	// Again and Login are the paths below the issuer that lead to the form once
	// more, and to the sign-in.
	Again, Login string
}

// Template implements Page.
func (RecoverSent) Template() string { return "login/recover_sent.html" }

// Images implements Illustrated.
func (p RecoverSent) Images() []string { return p.Client.images() }

// Reset lets the person behind the link of a mail choose a password. Fields
// sent: password, and username for password managers, which nobody reads.
type Reset struct {
	Form
	Login    string // what they sign in with
	Password NewPassword
}

// Template implements Page.
func (Reset) Template() string { return "login/reset.html" }

// ResetOver says that the link of a mail does not work.
type ResetOver struct {
	Again string // path below the issuer that asks for a new one
}

// Template implements Page.
func (ResetOver) Template() string { return "login/reset_over.html" }

// ResetDone says that the new password holds.
type ResetDone struct {
	On string // path below the issuer that leads on
}

// Template implements Page.
func (ResetDone) Template() string { return "login/reset_done.html" }

// RecoverFactors lets the person behind the link of an administrator have
// their second factors removed. Fields sent: password, and username for
// password managers, which nobody reads.
type RecoverFactors struct {
	Form
	Login    string // what they sign in with
	Password bool   // they have one, and it is asked for
	Problem  Problem
}

// Template implements Page.
func (RecoverFactors) Template() string { return "login/recover_factors.html" }

// RecoverFactorsOver says that the link of an administrator does not work.
type RecoverFactorsOver struct {
	On string // path below the issuer that leads to the sign-in
}

// Template implements Page.
func (RecoverFactorsOver) Template() string { return "login/recover_factors_over.html" }

// FactorsRecovered says that the person has no second factor any more.
type FactorsRecovered struct {
	On string // path below the issuer that leads to the sign-in
}

// Template implements Page.
func (FactorsRecovered) Template() string { return "login/recover_factors_done.html" }
