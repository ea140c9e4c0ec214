// Package flow keeps one interactive request alive between redirects: what the
// application asked for, who has signed in so far, which steps are done.
// It does not decide the next step (login does) and draws no pages.
package flow

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
)

// Request is an authorization request that passed every check of
// oauth/authorize: its values are valid and within the client's ceilings.
type Request struct {
	ClientID string
	// RedirectURI is where the answer goes. RedirectURISent is false when the
	// request left it out and the only registered one was taken.
	RedirectURI     string
	RedirectURISent bool
	ResponseType    string
	ResponseMode    string // query, fragment, form_post
	State           string
	Scopes          []string // what may be granted, in the order asked
	Audiences       []string // what access tokens may name
	Resources       []string // resource values as sent (RFC 8707)
	Nonce           string
	Challenge       string   // S256 code challenge; empty: none
	Prompt          []string // none, login, consent, select_account, create
	MaxAge          *int     // seconds; 0 counts
	ACRValues       []string
	LoginHint       string
	UILocales       []string
	HintSubject     string // sub of a verified id_token_hint
	HintSession     string // sid of a verified id_token_hint
	Claims          string // the claims parameter, raw JSON, validated
	DPoPKey         string
	// Provider is the way to sign in that the application asks for (idp): the
	// id of a provider, or empty.
	Provider string `json:",omitempty"`
	// Return is the local path of the page of Portico that asks, such as
	// "/account": then no application does, and ClientID is empty.
	Return string `json:",omitempty"`
	// Params are the parameters as they came, to ask again when the flow is over.
	Params url.Values
}

// Own reports whether a page of Portico asks, and no application.
func (q *Request) Own() bool { return q.ClientID == "" && q.Return != "" }

// HasPrompt reports whether the request carries the prompt value.
func (q *Request) HasPrompt(value string) bool {
	for _, p := range q.Prompt {
		if p == value {
			return true
		}
	}
	return false
}

// HasScope reports whether the scope may be granted.
func (q *Request) HasScope(scope string) bool {
	for _, s := range q.Scopes {
		if s == scope {
			return true
		}
	}
	return false
}

// Flow is one interactive request of one tab.
type Flow struct {
	// ID is what URLs carry. Only its fingerprint is stored, and it is
	// worthless in another browser.
	ID      string `json:"-"`
	Browser string // fingerprint of the browser cookie that began it
	Request Request

	// What happened so far.
	SessionID string // sid of the session that answers, once known
	UserID    string
	// FreshLogin holds when the person proved who they are within this flow.
	FreshLogin bool
	// AccountChosen holds when the person confirmed the account within this flow.
	AccountChosen bool
	// OtherAccount holds when the person asked to sign in as somebody else: the
	// session of the browser does not count until they did.
	OtherAccount bool `json:",omitempty"`
	// Registered holds when the person sent the sign-up form within this flow.
	Registered bool `json:",omitempty"`
	// Pending is who proved a first factor within this flow and has to add a
	// second one: until then nobody is signed in by it.
	Pending *Pending `json:",omitempty"`
	// FactorFailed holds when the second factor was wrong too often, so that
	// the first one is asked for again.
	FactorFailed bool `json:",omitempty"`
	// EnrolLater holds when the person put off getting a factor that a policy
	// demands.
	EnrolLater bool `json:",omitempty"`
	// Code is the id of the one-time code that was sent for the second factor;
	// empty: none.
	Code string `json:",omitempty"`
	// CodeBy is the kind of factor that the code belongs to.
	CodeBy string `json:",omitempty"`
	// Link is a sign-in elsewhere that waits until the person proves that the
	// local account of the same address is theirs.
	Link *Link `json:",omitempty"`
	// Elsewhere is the provider that was tried last; nil: none was.
	Elsewhere *Elsewhere `json:",omitempty"`
	// Confirmation is the id of the proof of an e-mail address that this flow
	// waits for; empty: none.
	Confirmation string `json:",omitempty"`
	// Invitation is the id of the invitation that the browser came with; empty:
	// none.
	Invitation string `json:",omitempty"`
	// Consented holds when the person pressed allow within this flow.
	Consented bool
	// Step is the page last shown, for the way back.
	Step string

	CreatedAt time.Time
	ExpiresAt time.Time
	DoneAt    time.Time // zero: open
	Version   int       // compare-and-set
	// Saved is false while the flow lives in one request only.
	Saved bool `json:"-"`
}

// Pending is a sign-in that lacks its second factor.
type Pending struct {
	UserID   string
	AMR      []string // what was proven
	At       time.Time
	Remember bool      // the person wants to stay signed in
	Tries    int       // second factors that did not count
	Upstream *Upstream `json:",omitempty"`
}

// PendingFor is how long a first factor waits for the second.
const PendingFor = 10 * time.Minute

// Waits reports whether somebody has to add a second factor at now.
func (f *Flow) Waits(now time.Time) bool {
	return f.Pending != nil && now.Before(f.Pending.At.Add(PendingFor)) && now.After(f.Pending.At.Add(-time.Minute))
}

// Pends reports whether the person has to add a second factor now.
func (f *Flow) Pends(userID string) bool { return f.Waits(clock.Now()) && f.Pending.UserID == userID }

// Upstream is the sign-in elsewhere that a session comes from, so that its end
// there ends it here.
type Upstream struct {
	Provider, Issuer, Subject string
	Session                   string // sid there; empty: unknown
	IDToken                   string `json:",omitempty"`
}

// Elsewhere is what became of a sign-in at a provider. Who comes back without
// one is not led there again by itself.
type Elsewhere struct {
	Provider string
	Name     string // as its button calls it
	Problem  string `json:",omitempty"` // code; empty: none, or they have not come back
}

// Link is a sign-in elsewhere that belongs to no account yet.
type Link struct {
	UserID   string // whose account has the address
	Email    string // the address that both have
	Label    string // as people know it there
	At       time.Time
	Upstream Upstream
}

// Dispatcher sends the browser to the step that is missing, or finishes. No
// step redirects to another: each returns here. For prompt=none it refuses
// through the Finisher instead of showing a page.
type Dispatcher interface {
	Next(w http.ResponseWriter, r *http.Request, f *Flow) error
}

// Finisher ends a flow with the answer to the application. oauth/authorize
// implements it; login and consent call it through the dispatcher. Of any
// number of calls for one saved flow exactly one answers; the others get
// fault.Gone with the way back, and nothing is written. When the answer cannot
// be made (fault.Unavailable) the flow stays open.
type Finisher interface {
	// Finish grants what the flow's request asks, to the session it names.
	Finish(w http.ResponseWriter, r *http.Request, f *Flow) error
	// Refuse answers the application with an authorization error.
	Refuse(w http.ResponseWriter, r *http.Request, f *Flow, why *fault.Error) error
	// Over returns err, for a flow that Service.Load found to be over, with the
	// way back to the application for its page.
	Over(ctx context.Context, f *Flow, err error) error
}
