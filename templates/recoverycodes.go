package templates

import "time"

// RecoveryCodes is the account's page of the codes for who lost their other
// factors. Fields sent: decision "generate", or "done" to go on.
type RecoveryCodes struct {
	Desk
	Form
	// Needless holds when the person has no factor that codes would stand in
	// for; Security leads to where they get one.
	Needless bool
	Security string
	// Left is how many codes are left of the list that was Made; zero: there
	// is none.
	Left int
	Made time.Time
	// New is a new list: it is shown once.
	New []string
	// Waits holds when a request waits: the person may go on.
	Waits   bool
	Problem Problem
}

// Template implements Page.
func (RecoveryCodes) Template() string { return "account/recoverycodes.html" }
