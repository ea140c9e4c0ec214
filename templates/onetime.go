package templates

// NumberMalformed asks for a phone number with its country.
var NumberMalformed = Problem{key: "problem.number"}

// EmailCodes is the account's page of codes by e-mail. Fields sent: decision
// "send" sends a code; code with decision "confirm" turns them on; decision
// "off" turns them off.
type EmailCodes struct {
	Desk
	Form
	// Email is the address of the account; it is proven when Verified.
	Email    string
	Verified bool
	// Address leads to where it is proven.
	Address string
	// On tells since when codes are on; nil: they are not.
	On *HasFactor
	// Waits holds when a code is on its way.
	Waits                bool
	Problem, CodeProblem Problem
}

// Template implements Page.
func (EmailCodes) Template() string { return "account/emailcode.html" }

// Failed reports whether anything entered did not count.
func (p EmailCodes) Failed() bool { return p.Problem.Is() || p.CodeProblem.Is() }

// TextCodes is the account's page of codes by text message. Fields sent: number
// with decision "send" sends a code there; code with decision "confirm" makes
// the number count; decision "off" turns codes off.
type TextCodes struct {
	Desk
	Form
	// On tells the number, and since when; nil: codes are off.
	On *HasFactor
	// Waits is the number to which a code is on its way; empty: to none.
	Waits string
	// Number is what the person entered.
	Number                              string
	Problem, NumberProblem, CodeProblem Problem
}

// Template implements Page.
func (TextCodes) Template() string { return "account/sms.html" }

// Failed reports whether anything entered did not count.
func (p TextCodes) Failed() bool {
	return p.Problem.Is() || p.NumberProblem.Is() || p.CodeProblem.Is()
}
