package templates

import (
	"slices"
	"strings"
	"time"
)

// Overview is the first page of the account.
type Overview struct {
	Desk
	Form    Form // sends a mail that proves the address
	Account Account
	// Email is the address; empty: there is none.
	Email string
	// Verified holds when the address is proven.
	Verified bool
	// Pending is the address that is asked for and not proven yet.
	Pending string
	// Problem is why the last try did not count.
	Problem Problem
}

// Template implements Page.
func (Overview) Template() string { return "account/overview.html" }

// Doors returns the rooms that the overview leads to.
func (p Overview) Doors() []Room { return rooms[1:] }

// EmailPage asks for another address, or for the code that proves one. Fields
// sent: email with decision "change"; code with decision "confirm"; decision
// "drop" or "again" besides.
type EmailPage struct {
	Desk
	Form
	Email    string
	Verified bool
	// Pending is the address that waits for its proof; empty: none does.
	Pending string
	// New is what the person entered.
	New                     string
	NewProblem, CodeProblem Problem
	Problem                 Problem
}

// Template implements Page.
func (EmailPage) Template() string { return "account/email.html" }

// Failed reports whether anything entered did not count.
func (p EmailPage) Failed() bool { return p.Problem.Is() || p.NewProblem.Is() || p.CodeProblem.Is() }

// Prove asks whoever followed a link to press a button: mail programs follow
// links too. Field sent: link.
type Prove struct {
	Form
	Link  string
	Email string
	// Change holds when the address takes the place of another.
	Change bool
}

// Template implements Page.
func (Prove) Template() string { return "account/prove.html" }

// Proven says that the address was proven.
type Proven struct {
	Email  string
	Change bool
}

// Template implements Page.
func (Proven) Template() string { return "account/proven.html" }

// ProofOver says that a link does not work any more.
type ProofOver struct{}

// Template implements Page.
func (ProofOver) Template() string { return "account/over.html" }

// ChangePassword asks for a password. Fields sent: current, password.
type ChangePassword struct {
	Desk
	Form
	// Username tells password managers whose password it is.
	Username string
	// Current holds when the old password is asked for.
	Current bool
	// First holds when there is none yet.
	First bool
	// Password is the field of the new one.
	Password NewPassword
	// Problem concerns the whole form, CurrentProblem its field.
	Problem, CurrentProblem Problem
}

// Template implements Page.
func (ChangePassword) Template() string { return "account/password.html" }

// Failed reports whether anything entered did not count.
func (p ChangePassword) Failed() bool {
	return p.Problem.Is() || p.CurrentProblem.Is() || p.Password.Problem.Is()
}

// Device is what a browser says it is, in words that are ours.
type Device struct{ Browser, OS string }

// DeviceWords names a device.
func (v *view) DeviceWords(d Device) (string, error) {
	switch {
	case d.Browser != "" && d.OS != "":
		return v.T("account.device", "Browser", d.Browser, "System", d.OS)
	case d.Browser != "":
		return d.Browser, nil
	case d.OS != "":
		return d.OS, nil
	}
	return v.T("account.device_unknown")
}

// Sessions lists where the person is signed in. Field sent: session (the id
// of one to end; "others" for all but this one).
type Sessions struct {
	Desk
	Form
	List []SignedIn
}

// SignedIn is one browser that the person is signed in with.
type SignedIn struct {
	ID       string
	Device   Device
	Address  string
	Since    time.Time
	LastSeen time.Time
	This     bool // the browser that looks at the page
}

// Template implements Page.
func (Sessions) Template() string { return "account/sessions.html" }

// Others reports whether there is any session but this one.
func (p Sessions) Others() bool { return len(p.List) > 1 }

// Applications lists what the person allowed. Field sent: client (the id of
// the one to withdraw from).
type Applications struct {
	Desk
	Form
	List []Application
}

// Application is one that may use the account.
type Application struct {
	ID     string
	Client Client
	Since  time.Time
	// Scopes are those Portico owns, by name; APIs are the others.
	Scopes []string
	APIs   []API
	// Trusted holds for one that the operator allowed for everybody.
	Trusted bool
}

// Template implements Page.
func (Applications) Template() string { return "account/applications.html" }

// Images implements Illustrated.
func (p Applications) Images() []string {
	var all []string
	for i := range p.List {
		all = append(all, p.List[i].Client.images()...)
	}
	return all
}

// History tells what happened to the account.
type History struct {
	Desk
	List []Happened
	// Older is the path of the next page; Newer of the first. Empty hides.
	Older, Newer string
}

// Happened is one thing that happened.
type Happened struct {
	// Name is that of the audit event: one of Events.
	Name    string
	At      time.Time
	Device  Device
	Address string
	Client  string // the name of the application; empty: none
}

// Template implements Page.
func (History) Template() string { return "account/history.html" }

// EventKey returns the key of the sentence.
func (h Happened) EventKey() string { return eventKey(h.Name) }

func eventKey(name string) string { return "event." + strings.ReplaceAll(name, ".", "_") }

// Tells reports whether there is a sentence for the audit event.
func Tells(event string) bool { return slices.Contains(eventKeys, eventKey(event)) }

// eventKeys are the sentences of the history: one for each audit event that
// people are told about.
var eventKeys = []string{
	"event.login_succeeded",
	"event.login_failed",
	"event.session_ended",
	"event.consent_granted",
	"event.consent_denied",
	"event.code_reused",
	"event.refresh_reused",
	"event.grant_revoked",
	"event.user_created",
	"event.user_updated",
	"event.user_disabled",
	"event.user_enabled",
	"event.user_imported",
	"event.user_deletion_requested",
	"event.user_deletion_cancelled",
	"event.user_exported",
	"event.email_verified",
	"event.email_change_requested",
	"event.email_changed",
	"event.terms_accepted",
	"event.password_changed",
	"event.password_failed",
	"event.password_reset_requested",
	"event.password_reset",
	"event.account_refused",
	"event.factor_added",
	"event.factor_removed",
	"event.factor_renamed",
	"event.factor_failed",
	"event.factor_enrolment_postponed",
	"event.factor_step_up",
	"event.recovery_codes_generated",
	"event.recovery_codes_used",
	"event.passkey_suspended",
	"event.browser_trusted",
	"event.browser_forgotten",
	"event.factor_recovery_requested",
	"event.factor_recovery_used",
	"event.identity_linked",
	"event.identity_unlinked",
}

// DataPage explains the download. Nothing is sent but the form.
type DataPage struct {
	Desk
	Form
}

// Template implements Page.
func (DataPage) Template() string { return "account/data.html" }

// Delete asks whether the account shall go. Fields sent: sure (value "on").
type Delete struct {
	Desk
	Form
	Account Account
	// Until is when the account goes; zero: at once.
	Until   time.Time
	Problem Problem
}

// Template implements Page.
func (Delete) Template() string { return "account/delete.html" }

// Leaving says that the account is on its way out.
type Leaving struct {
	Until time.Time // zero: at once
}

// Template implements Page.
func (Leaving) Template() string { return "account/leaving.html" }

// Keep asks somebody who wanted to go whether they stay. Fields sent:
// decision ("keep" or "leave").
type Keep struct {
	Form
	Client  *Client
	Account Account
	Until   time.Time
	Problem Problem
}

// Template implements Page.
func (Keep) Template() string { return "account/keep.html" }

// Images implements Illustrated.
func (p Keep) Images() []string { return p.Client.images() }
