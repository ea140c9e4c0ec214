package templates

import "time"

// AskPasskey is a form that a script fills with what a passkey answers; where
// no script runs it stays hidden. Fields sent: ceremony, credential, and
// remember on the page of the sign-in.
type AskPasskey struct {
	Form
	// Options is the path that gives out the challenge.
	Options string
}

// Passkeys lists the passkeys of a person. Fields sent: decision "add" with
// ceremony, credential and name; "rename" with passkey (its id) and name;
// "remove" with passkey.
type Passkeys struct {
	Desk
	Form
	// Options is the path that gives out the challenge.
	Options string
	List    []PasskeyEntry
	// Name is what a new one would be called.
	Name Device
	// Full holds when there are as many as there may be.
	Full bool
	// Problem is why the last try did not count.
	Problem Problem
	// Wrong is the id of the one whose new name does not do.
	Wrong string
}

// Template implements Page.
func (Passkeys) Template() string { return "account/passkeys.html" }

// PasskeyEntry is one of them.
type PasskeyEntry struct {
	ID    string
	Name  string
	Added time.Time
	Used  time.Time // zero: never
	// Synced holds when other devices have it too.
	Synced bool
	// Suspended holds when it opens nothing any more, because it may be a copy.
	Suspended bool
}

// Problems with passkeys.
var (
	// PasskeyRefused is the one answer to every passkey that did not pass.
	PasskeyRefused = Problem{key: "passkey.refused"}
	// PasskeyOver says that the challenge was answered too late, or elsewhere.
	PasskeyOver = Problem{key: "passkey.over"}
	// PasskeyNotAdded says that a new one did not pass.
	PasskeyNotAdded = Problem{key: "passkey.not_added"}
	// PasskeyModel says that such authenticators are not taken.
	PasskeyModel = Problem{key: "passkey.model"}
	// PasskeyKnown says that it is somebody's already.
	PasskeyKnown = Problem{key: "passkey.known"}
	// PasskeyMany says that there are as many as there may be.
	PasskeyMany = Problem{key: "passkey.many"}
)
