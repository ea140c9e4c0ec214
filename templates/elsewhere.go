package templates

import "time"

// Way is a provider whose accounts sign people in here.
type Way struct{ ID, Name string }

// Initial returns the letter of the provider's tile.
func (w Way) Initial() string { return initial(w.Name) }

// Others reports whether there is a way to sign in besides the fields.
func (p Login) Others() bool { return len(p.Ways) > 0 }

// ProveLink tells somebody who signed in at a provider that an account of the
// same address is here already, and that they sign in to it once to link both.
type ProveLink struct {
	Client   *Client // nil: Portico itself
	Provider string  // its name
	Email    string  // the address that both have
	// On is the path below the issuer of the sign-in.
	On string
	// Apart holds when the application takes no sign-in but this one: people
	// link in their account first, and come back.
	Apart bool
}

// Template implements Page.
func (ProveLink) Template() string { return "login/link.html" }

// Images implements Illustrated.
func (p ProveLink) Images() []string { return p.Client.images() }

// Identities lists the accounts elsewhere that sign the person in. Fields
// sent: decision "unlink" with identity (the ID of one), or "link" with
// provider (the ID of one).
type Identities struct {
	Desk
	Form
	List    []Identity
	Ways    []Way // those that may be linked
	Problem Problem
}

// Identity is one account elsewhere.
type Identity struct {
	ID       string
	Provider string // its name
	Label    string // as people know it there; empty: unknown
	Since    time.Time
	Used     time.Time // zero: never
}

// Template implements Page.
func (Identities) Template() string { return "account/identities.html" }

// Initial returns the letter of the provider's tile.
func (i Identity) Initial() string { return initial(i.Provider) }

// elsewhere are the codes of why a sign-in at a provider did not count.
var elsewhere = map[string]string{
	"busy":      "problem.elsewhere_busy",
	"failed":    "problem.elsewhere_failed",
	"cancelled": "problem.elsewhere_cancelled",
	"refused":   "problem.elsewhere_refused",
	"domain":    "problem.elsewhere_domain",
	"off":       "problem.elsewhere_off",
	"stale":     "problem.elsewhere_stale",
	"taken":     "problem.elsewhere_taken",
	"other":     "problem.elsewhere_other",
}

// Elsewhere says why a sign-in at a provider did not count; an unknown code
// says nothing. The codes may stand in addresses, which anybody can write.
func Elsewhere(code, provider string) Problem {
	key, ok := elsewhere[code]
	if !ok {
		return Problem{}
	}
	return Problem{key: key, data: map[string]any{"Provider": bounded(provider, nameBound)}}
}

// OtherWays says that the application takes no password, and what it takes:
// the names of providers.
func OtherWays(names ...string) Problem {
	if len(names) == 0 {
		return Problem{key: "problem.ways_none"}
	}
	all := ""
	for i, name := range names {
		if i > 0 {
			all += ", "
		}
		all += bounded(name, nameBound)
	}
	return Problem{key: "problem.ways_other", data: map[string]any{"Ways": all}}
}

// OnlyWayIn says that an account cannot be unlinked, because nothing else
// would let its owner in.
var OnlyWayIn = Problem{key: "problem.only_way_in"}
