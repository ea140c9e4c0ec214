// Package room lets the right people into the pages of their own account: who
// is signed in, proved it lately where that matters, and by a second factor
// where they have one. account, factor and its kinds, and federation open
// their pages by it.
package room

import (
	"net/http"
	"net/url"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Bounds of the pages.
const (
	MaxForm  = 64 << 10 // bytes
	FreshFor = 300      // seconds for which a sign-in lets people do what is sensitive
)

// Steps leads people to what they have to do first. login.Dispatcher is one.
type Steps interface {
	flow.Dispatcher
	// Enter begins a sign-in for a page of Portico: the browser comes back to
	// want.Return when its person meets what want asks (MaxAge, ACRValues).
	Enter(w http.ResponseWriter, r *http.Request, want flow.Request) error
}

// Keeper opens rooms. It is safe for concurrent use.
type Keeper struct {
	Kit    *web.Kit
	Opener *visit.Opener
	Steps  Steps
	Gate   limit.Gate
	Rules  limit.Rules
	Audit  audit.Recorder
}

// Visitor is who looks at a page of the account.
type Visitor struct {
	Session *session.Session
	User    *user.User
	// Flow is the id of the request that sent the person here to get what it
	// demands, and waits for them; empty: none.
	Flow string
}

// Room is one page of the account.
type Room struct {
	Path string
	// Fresh holds when only people who proved lately who they are come in, by
	// a second factor when they have one that may be used (security §11.9: no
	// factor is got or lost by the password alone).
	Fresh bool
	// Long are fields of its form that a machine writes, and that may be long.
	Long []string
	// Connect lets scripts of the page call this server.
	Connect bool
	// Begun reports whether a form goes on with what its sender began on the
	// page in this session when they were let in: then it is taken although
	// the sign-in has got too old meanwhile. Nil: none does.
	Begun func(v *Visitor, form web.Fields) bool
	Show  func(w http.ResponseWriter, r *http.Request, v *Visitor) error
	// Take takes a form whose token was checked; nil: the page has none.
	Take func(w http.ResponseWriter, r *http.Request, v *Visitor, form web.Fields) error
}

// Serve lets the right people into a room. Nobody, or somebody whose sign-in
// is too old or too weak, is sent to sign in and comes back to the page; what
// they sent is forgotten. So is somebody on the way out, who is asked whether
// they stay.
func (k *Keeper) Serve(w http.ResponseWriter, r *http.Request, in Room) error {
	if err := in.allows(w, r.Method); err != nil {
		return err
	}
	web.Policy{Private: true, Connect: in.Connect}.Set(w.Header())
	if r.Method == http.MethodPost {
		if err := k.brake(r); err != nil {
			return err
		}
	}
	v, err := k.visitor(r)
	switch {
	case err != nil:
		return err
	case v.User == nil || !v.User.DeleteAt.IsZero():
		return k.Steps.Enter(w, r, flow.Request{Return: v.At(in.Path)})
	}
	if r.Method == http.MethodPost {
		return k.take(w, r, in, v)
	}
	if want := k.lacking(in, v, false); want != nil {
		return k.Steps.Enter(w, r, *want)
	}
	return in.Show(w, r, v)
}

func (k *Keeper) visitor(r *http.Request) (*Visitor, error) {
	s, u, err := k.Opener.SignedIn(r)
	v := &Visitor{Session: s, User: u}
	if flows := r.URL.Query()["flow"]; len(flows) == 1 {
		v.Flow = flows[0]
	}
	return v, err
}

func (in Room) allows(w http.ResponseWriter, method string) error {
	switch {
	case method == http.MethodGet, method == http.MethodHead, method == http.MethodPost && in.Take != nil:
		return nil
	case in.Take == nil:
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	return web.MethodNotAllowed(w, "GET, HEAD, POST")
}

func (k *Keeper) take(w http.ResponseWriter, r *http.Request, in Room, v *Visitor) error {
	form, err := web.Form(r, MaxForm, in.Long...)
	if err != nil {
		return err
	}
	if err := k.Kit.CheckFormToken(form[templates.FieldToken], purpose(in.Path), k.Kit.Cookies.KnownBrowser(r), v.Session.ID); err != nil {
		return err
	}
	begun := in.Begun != nil && in.Begun(v, form)
	if want := k.lacking(in, v, begun); want != nil {
		return k.Steps.Enter(w, r, *want)
	}
	return in.Take(w, r, v, form)
}

// lacking returns the sign-in that the room demands and the visitor lacks;
// nil: none. It asks for one second less than what is looked at: who is sent
// away must not be sent back at once. What was begun may be finished late, but
// not by a sign-in that is too weak by now.
func (k *Keeper) lacking(in Room, v *Visitor, begun bool) *flow.Request {
	if !in.Fresh {
		return nil
	}
	able := len(assurance.Usable(v.User.Factors, k.Opener.Policy.Taken)) > 0
	if (begun || v.Fresh()) && (!able || assurance.Reaches(v.Session.ACR, assurance.TwoFactors)) {
		return nil
	}
	age := FreshFor - 1
	want := flow.Request{Return: v.At(in.Path), MaxAge: &age}
	if able {
		want.ACRValues = []string{assurance.TwoFactors}
	}
	return &want
}

// Fresh reports whether the person proved lately who they are. A time ahead
// of ours proves nothing: the clock was moved.
func (v *Visitor) Fresh() bool {
	since := clock.Since(v.Session.AuthTime)
	return since >= -time.Minute && since < FreshFor*time.Second
}

// At returns the path with the request that waits.
func (v *Visitor) At(path string) string {
	if v.Flow == "" {
		return path
	}
	return path + "?flow=" + url.QueryEscape(v.Flow)
}

// brake bounds the changes that come from one address.
func (k *Keeper) brake(r *http.Request) error {
	return k.Gate.Take(r.Context(), k.Rules.AccountAddress, limit.Remote(r.Context()), "OWASP ASVS 2.4.1 account changes per address")
}

// purpose names the form of a page for its token.
func purpose(path string) string { return "account " + path }

// Form returns what the form of a page sends back: it is worthless in another
// browser, in another session and on another page.
func (k *Keeper) Form(w http.ResponseWriter, r *http.Request, v *Visitor, path string) templates.Form {
	return templates.Form{Action: v.At(path), Token: k.Kit.FormToken(purpose(path), k.Kit.Cookies.Browser(w, r), v.Session.ID)}
}

// Desk is what stands around a page. Only known codes of what was done are
// shown.
func Desk(r *http.Request, path string) templates.Desk {
	d := templates.Desk{Path: path}
	if done := r.URL.Query()["done"]; len(done) == 1 {
		d.Done = done[0]
	}
	return d
}

// Done leads on: to the request that waits, else to the page that tells what
// was done. The way goes through a step page, which looks anew at who is signed
// in: what was done may have given the browser another cookie.
func (k *Keeper) Done(w http.ResponseWriter, r *http.Request, v *Visitor, path, code string) error {
	if v.Flow != "" {
		if _, err := k.Opener.Flows.Load(r.Context(), v.Flow, k.Kit.Cookies.KnownBrowser(r)); err == nil {
			return k.Kit.SeeOther(w, r, v.At(protocol.PathEnrol))
		}
	}
	return k.Kit.SeeOther(w, r, path+"?done="+code)
}

// Zone is where the person says they live, else UTC.
func Zone(u *user.User) *time.Location {
	if zone, err := time.LoadLocation(u.Zoneinfo); err == nil && u.Zoneinfo != "Local" {
		return zone
	}
	return time.UTC
}

// Record notes an event that the person caused.
func (k *Keeper) Record(r *http.Request, v *Visitor, e audit.Event) {
	e.Actor, e.UserID, e.SessionID = v.User.ID, v.User.ID, v.Session.ID
	k.Audit.Record(r.Context(), e)
}
