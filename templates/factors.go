package templates

import (
	"html/template"
	"strings"
	"time"
)

// HasFactor is a second factor in a list of the person's.
type HasFactor struct {
	ID, Name string
	Added    time.Time
	Used     time.Time // zero: not yet
	// Suspended holds when it opens nothing any more, because it may be a copy.
	Suspended bool
	// Synced holds when copies of it are on other devices of the person.
	Synced bool
}

// Apps is the account's page of authenticator apps. Fields sent: decision
// "begin"; code, name and seed with decision "confirm"; name with
// decision "rename" and app; decision "remove" with app.
type Apps struct {
	Desk
	Form
	List []HasFactor
	// New is the app that is being added; nil: none.
	New *NewApp
	// Full holds when the account has as many as it may.
	Full bool
	// Problem is about the page, CodeProblem about the code that was typed for
	// the new app, and NameProblem about the name of it.
	Problem, CodeProblem, NameProblem Problem
}

// NewApp is an authenticator app that no code confirmed yet.
type NewApp struct {
	// Seed is the seed under seal; it is worthless elsewhere.
	Seed string
	// Key is the seed in groups of four, for apps without a camera.
	Key string
	// URI is what the QR code says: phones open their app with it.
	URI string
	// Size and Path draw the QR code: a square of so many modules, and its dark
	// ones.
	Size int
	Path string
	Name string // what the person calls it
}

// Template implements Page.
func (Apps) Template() string { return "account/apps.html" }

// Failed reports whether anything entered did not count.
func (p Apps) Failed() bool { return p.Problem.Is() || p.CodeProblem.Is() || p.NameProblem.Is() }

// Problems of second factors.
var (
	// FactorLast says that a policy demands the one that was to be removed.
	FactorLast = Problem{key: "problem.factor_last"}
	// FactorCodeWrong is a code that is not right, or was used.
	FactorCodeWrong = Problem{key: "problem.factor_code"}
	// FactorStale says that the form was not the newest one: begin again.
	FactorStale = Problem{key: "problem.factor_stale"}
	// FactorName says that the name is missing or too long.
	FactorName = Problem{key: "problem.factor_name"}
)

// appURI lets an address of an authenticator app be followed; any other is
// dropped.
func appURI(uri string) template.URL {
	if !strings.HasPrefix(uri, "otpauth://totp/") {
		return ""
	}
	return template.URL(uri) //nolint:gosec // the scheme is checked, and html/template quotes it
}

// Problems of the page that asks for a second factor.
var (
	// PasskeyFailed says that a passkey did not work.
	PasskeyFailed = Problem{key: "problem.passkey"}
	// CodeOver says that a code is too old, and another one is needed.
	CodeOver = Problem{key: "problem.code_over"}
	// WayDown says that this way does not work now, and others may.
	WayDown = Problem{key: "problem.way_down"}
	// SecondFactorFailed says that the second factor was wrong too often.
	SecondFactorFailed = Problem{key: "problem.factor_failed"}
)

// SecondFactor asks for a second factor of one kind. Fields sent: code, or
// credential and ceremony (passkey); trust ("on"); decision "send" asks for a
// code, "deny" cancels, "restart" goes back to the first factor.
type SecondFactor struct {
	Form
	Client  *Client // nil: Portico itself
	Account Account
	// Kind is passkey, totp, sms, email, recovery_code, or empty: the person has
	// none that will do.
	Kind string
	// Options is where a passkey's challenge is asked for.
	Options string
	// To is where a code goes, as far as it may be shown; empty: it cannot be
	// sent.
	To string
	// Sent holds when a code is on its way.
	Sent   bool
	Others []OtherWay
	// TrustDays is for how many days the browser may be remembered; zero: it is
	// not offered.
	TrustDays int
	// Restart holds when the person may begin with another account.
	Restart bool
	Problem Problem
}

// OtherWay is another kind of factor that may be used, or added.
type OtherWay struct{ Kind, Path string }

// Template implements Page.
func (SecondFactor) Template() string { return "login/factor.html" }

// Images implements Illustrated.
func (p SecondFactor) Images() []string { return p.Client.images() }

// Lead returns the key of the sentence that says what will happen.
func (p SecondFactor) Lead() string { return wordsOf(p.Kind).lead }

// NameKey returns the key of the name of the kind.
func (o OtherWay) NameKey() string { return wordsOf(o.Kind).use }

// AddKey returns the key of the words that offer to add one.
func (o OtherWay) AddKey() string { return wordsOf(o.Kind).add }

// HintKey returns the key of what one is good for.
func (o OtherWay) HintKey() string { return wordsOf(o.Kind).hint }

// factorWords are the keys of the words about a kind of factor.
type factorWords struct{ lead, use, add, hint, name string }

var wordsByFactor = map[string]factorWords{
	"passkey":       {"factor.lead_passkey", "factor.use_passkey", "factor.add_passkey", "factor.hint_passkey", "factor.name_passkey"},
	"totp":          {"factor.lead_totp", "factor.use_totp", "factor.add_totp", "factor.hint_totp", "factor.name_totp"},
	"sms":           {"factor.lead_sms", "factor.use_sms", "factor.add_sms", "factor.hint_sms", "factor.name_sms"},
	"email":         {"factor.lead_email", "factor.use_email", "factor.add_email", "factor.hint_email", "factor.name_email"},
	"recovery_code": {"factor.lead_recovery_code", "factor.use_recovery_code", "factor.add_recovery_code", "factor.hint_recovery_code", "factor.name_recovery_code"},
}

// wordsOf returns the keys of the words about a kind. What is none has few.
func wordsOf(kind string) factorWords {
	if w, ok := wordsByFactor[kind]; ok {
		return w
	}
	const none = "factor.lead_none"
	return factorWords{none, none, none, none, none}
}

// Enrol leads people to a factor that is demanded. Fields sent: decision
// "later" or "deny".
type Enrol struct {
	Form
	Client  *Client // nil: Portico itself
	Account Account
	// Asked holds when the application asks for it, and no policy.
	Asked bool
	// Until is how long it may be put off; zero: it may not.
	Until   time.Time
	Ways    []OtherWay
	Problem Problem
}

// Template implements Page.
func (Enrol) Template() string { return "login/enrol.html" }

// Images implements Illustrated.
func (p Enrol) Images() []string { return p.Client.images() }

// Security is the account's page about how its person signs in.
type Security struct {
	Desk
	// Demanded holds when a policy demands a second factor.
	Demanded bool
	Kinds    []FactorKind
	// Codes is the page of recovery codes; empty: there is none.
	Codes     string
	CodesLeft int
	// CodesNeeded holds when the person has factors and no code.
	CodesNeeded bool
	// Browsers is the page of remembered browsers; empty: none is remembered.
	Browsers string
}

// FactorKind is a kind of second factor with those that the person has.
type FactorKind struct {
	Kind, Path string
	List       []HasFactor
}

// NameKey returns the key of the name of the kind.
func (k FactorKind) NameKey() string { return wordsOf(k.Kind).name }

// HintKey returns the key of what one is good for.
func (k FactorKind) HintKey() string { return wordsOf(k.Kind).hint }

// Template implements Page.
func (Security) Template() string { return "account/security.html" }

// Browsers lists remembered browsers. Field sent: browser (the id of one to
// forget; "all").
type Browsers struct {
	Desk
	Form
	List []Remembered
}

// Remembered is a browser that is not asked for a second factor.
type Remembered struct {
	ID          string
	Device      Device
	Address     string
	Used, Until time.Time
}

// Template implements Page.
func (Browsers) Template() string { return "account/browsers.html" }
