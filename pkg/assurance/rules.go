package assurance

import (
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/protocol"
)

// skew is how far ahead of our clock another instance may have written a
// time of authentication.
const skew = time.Minute

// knows reports whether a fact of the flow was established by the person who
// is signed in now: after a change of account in another tab nothing of it
// counts.
func (in Input) knows(fact bool) bool {
	return fact && in.Session != nil && in.Flow.UserID != "" && in.Flow.UserID == in.Session.UserID
}

// otherPerson reports whether the request names a person (id_token_hint, or
// sub in the claims parameter) who is not the one signed in (OIDC Core
// §3.1.2.1, §5.5.1).
func (in Input) otherPerson() bool {
	return in.Flow.Request.HintSubject != "" && in.Flow.Request.HintSubject != in.Session.UserID
}

// demandsFreshLogin reports whether the session is too old for the request:
// prompt=login, or more than max_age seconds since the person proved who they
// are; max_age=0 is prompt=login (OIDC Core §3.1.2.1).
func (in Input) demandsFreshLogin() bool {
	q := &in.Flow.Request
	if q.HasPrompt(protocol.PromptLogin) {
		return true
	}
	age := q.MaxAge
	if age == nil && in.Client != nil {
		age = in.Client.DefaultMaxAge
	}
	if age == nil {
		return false
	}
	if *age <= 0 {
		return true
	}
	since := in.Now.Sub(in.Session.AuthTime)
	if since < -skew { // the clock jumped back: the age is not known
		return true
	}
	return since > time.Duration(*age)*time.Second
}

// demandsConsent reports whether the person must be asked. prompt=consent
// asks always (OIDC Core §3.1.2.1); else a remembered consent or the
// operator's word for an own application will do, unless anybody could be
// behind its name. Portico's own pages take nothing that could be allowed.
func (in Input) demandsConsent() bool {
	q := &in.Flow.Request
	if q.Own() {
		return false
	}
	if q.HasPrompt(protocol.PromptConsent) || in.Client == nil || !Verifiable(in.Client, q.RedirectURI) {
		return true
	}
	return !in.Covered && !in.Client.SkipConsent
}

// Verifiable reports whether the client's answers reach nobody else: it
// proves who it is, or its redirect goes to a web site of its own. A public
// client that is answered on the person's device may be any program there
// (RFC 8252 §8.6).
func Verifiable(c *client.Client, redirectURI string) bool {
	return !c.Public() || strings.HasPrefix(redirectURI, "https://")
}
