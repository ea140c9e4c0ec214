package templates

import "github.com/portico-id/portico/pkg/protocol"

// Desk stands around every page of the account: where else to go, and what
// has just been done. Pages embed it.
type Desk struct {
	// Path is the page's own, which the navigation marks.
	Path string
	// Done is the code of what has just been done; an unknown one says nothing.
	Done string
}

// Room is one page of the account in the navigation.
type Room struct {
	Path string
	Key  string // of its name
	Hint string // key of what it is for
	Here bool
}

// rooms are the pages of the account, in the order of the navigation.
var rooms = []Room{
	{Path: protocol.PathAccount, Key: "account.overview"},
	{Path: protocol.PathAccountProfile, Key: "account.profile", Hint: "account.profile_hint"},
	{Path: protocol.PathAccountEmail, Key: "account.email", Hint: "account.email_hint"},
	{Path: protocol.PathAccountPassword, Key: "account.password", Hint: "account.password_hint"},
	{Path: protocol.PathAccountSecurity, Key: "account.security", Hint: "account.security_hint"},
	{Path: protocol.PathAccountIdentities, Key: "account.identities", Hint: "account.identities_hint"},
	{Path: protocol.PathAccountSessions, Key: "account.sessions", Hint: "account.sessions_hint"},
	{Path: protocol.PathAccountApplications, Key: "account.applications", Hint: "account.applications_hint"},
	{Path: protocol.PathAccountHistory, Key: "account.history", Hint: "account.history_hint"},
	{Path: protocol.PathAccountData, Key: "account.data", Hint: "account.data_hint"},
	{Path: protocol.PathAccountDelete, Key: "account.delete", Hint: "account.delete_hint"},
}

// Rooms returns the navigation.
func (d Desk) Rooms() []Room {
	all := make([]Room, len(rooms))
	for i, r := range rooms {
		r.Here = r.Path == d.Path
		all[i] = r
	}
	return all
}

// doneWords say what has just been done. The codes stand in addresses, which
// anybody can write: only these words are ever shown.
var doneWords = map[string]string{
	"profile":        "account.done_profile",
	"verify":         "account.done_verify",
	"verified":       "account.done_verified",
	"email":          "account.done_email",
	"changed":        "account.done_changed",
	"dropped":        "account.done_dropped",
	"password":       "account.done_password",
	"session":        "account.done_session",
	"sessions":       "account.done_sessions",
	"withdrawn":      "account.done_withdrawn",
	"kept":           "account.done_kept",
	"factor":         "factor.done_added",
	"factor_renamed": "factor.done_renamed",
	"factor_removed": "factor.done_removed",
	"browser":        "factor.done_browser",
	"codes":          "recoverycode.told",
	"linked":         "account.done_linked",
	"unlinked":       "account.done_unlinked",
}

// DoneKey returns the key of what has just been done, or "".
func (d Desk) DoneKey() string { return doneWords[d.Done] }

func (d Desk) desk() *Desk { return &d }

// Desk returns what stands around the page, or nil for one outside of the
// account.
func (v *view) Desk() *Desk {
	if p, ok := v.P.(interface{ desk() *Desk }); ok {
		return p.desk()
	}
	return nil
}
