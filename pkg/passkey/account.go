package passkey

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	ours "github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Raiser notes in the session of this browser that its person proved another
// factor. login.Handler is one.
type Raiser interface {
	RaiseSession(w http.ResponseWriter, r *http.Request, s *session.Session, u *user.User, amr []string) error
}

// RoomDeps is what a Room needs. All of it.
type RoomDeps struct {
	Rooms    *room.Keeper
	Passkeys *Service
	Raiser   Raiser
	Onward   *factor.Onward
}

// Room serves the account's page about passkeys. It is safe for concurrent
// use.
type Room struct{ RoomDeps }

// NewRoom returns a handler.
func NewRoom(d RoomDeps) *Room { return &Room{d} }

const path = ours.PathAccountPasskeys

func (h *Room) room() room.Room {
	return room.Room{Path: path, Fresh: true, Connect: true, Long: []string{fieldCredential}}
}

// Page serves the list, and takes what is done with it.
func (h *Room) Page(w http.ResponseWriter, r *http.Request) error {
	in := h.room()
	in.Take = h.take
	in.Show = func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
		return h.draw(w, r, v, http.StatusOK, templates.Passkeys{})
	}
	return h.Rooms.Serve(w, r, in)
}

// Options gives out the challenge for a new passkey, as JSON to the script of
// the page. Whoever has to sign in again first is sent there, as from the page.
func (h *Room) Options(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return web.MethodNotAllowed(w, http.MethodPost)
	}
	in := h.room()
	in.Take = func(w http.ResponseWriter, r *http.Request, v *room.Visitor, _ web.Fields) error {
		asked, err := h.Passkeys.AskNew(r.Context(), h.Rooms.Kit.Cookies.KnownBrowser(r), v.User)
		if err != nil {
			return err
		}
		web.WriteJSON(w, http.StatusOK, asked)
		return nil
	}
	return h.Rooms.Serve(w, r, in)
}

func (h *Room) draw(w http.ResponseWriter, r *http.Request, v *room.Visitor, status int, page templates.Passkeys) error {
	keys, err := h.Passkeys.Passkeys(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	page.Desk, page.Form = room.Desk(r, ours.PathAccountSecurity), h.Rooms.Form(w, r, v, path)
	page.Options, page.Full = v.At(ours.PathAccountPasskeyNew), len(keys) >= Most
	device := session.DeviceOf(r.UserAgent())
	page.Name = templates.Device{Browser: device.Browser, OS: device.OS}
	zone := room.Zone(v.User)
	for _, k := range keys {
		one := templates.PasskeyEntry{ID: k.ID, Name: k.Name, Added: k.CreatedAt.In(zone), Synced: k.BackedUp, Suspended: k.Suspended()}
		if !k.UsedAt.IsZero() {
			one.Used = k.UsedAt.In(zone)
		}
		page.List = append(page.List, one)
	}
	return h.Rooms.Kit.Render(w, r, status, page)
}

func (h *Room) take(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	switch form["decision"] {
	case "add":
		return h.add(w, r, v, form)
	case "rename":
		return h.rename(w, r, v, form)
	case "remove":
		return h.remove(w, r, v, form["passkey"])
	}
	return h.draw(w, r, v, http.StatusOK, templates.Passkeys{Problem: templates.NoDecision})
}

// problems are what people read about a passkey that was not added.
var problems = map[string]templates.Problem{
	"passkey_refused": templates.PasskeyNotAdded,
	"passkey_over":    templates.PasskeyNotAdded,
	"passkey_model":   templates.PasskeyModel,
	"passkey_known":   templates.PasskeyKnown,
	"too_many":        templates.PasskeyMany,
}

func (h *Room) add(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	name, ok := nameOf(form["name"])
	if !ok {
		name = unnamed(r)
	}
	change := factor.Change{UserID: v.User.ID, Name: name, Actor: v.User.ID, SessionID: v.Session.ID}
	made, err := h.Passkeys.Register(r.Context(), change, h.Rooms.Kit.Cookies.KnownBrowser(r), v.User, form["ceremony"], form[fieldCredential])
	if problem, known := problems[fault.CodeOf(err)]; known {
		h.Rooms.Kit.Refused(r, err)
		h.Rooms.Record(r, v, audit.Event{Name: audit.AccountRefused, Data: map[string]string{"what": fault.CodeOf(err)}})
		return h.draw(w, r, v, http.StatusOK, templates.Passkeys{Problem: problem})
	} else if err != nil {
		return err
	}
	if err := h.Raiser.RaiseSession(w, r, v.Session, v.User, made.AMR()); err != nil {
		return err
	}
	return h.Onward.Lead(w, r, v, path, "factor")
}

func (h *Room) rename(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	name, ok := nameOf(form["name"])
	if !ok {
		return h.draw(w, r, v, http.StatusOK, templates.Passkeys{Problem: templates.FactorName, Wrong: form["passkey"]})
	}
	if err := h.Passkeys.Rename(r.Context(), v.User.ID, form["passkey"], name); err != nil {
		return h.notTheirs(r, v, form["passkey"], err)
	}
	h.Rooms.Record(r, v, audit.Event{Name: audit.FactorRenamed, Data: map[string]string{"factor": string(assurance.Passkey), "name": name}})
	return h.stay(w, r, v, "factor_renamed")
}

func (h *Room) remove(w http.ResponseWriter, r *http.Request, v *room.Visitor, id string) error {
	keys, err := h.Passkeys.Passkeys(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	change := factor.Change{UserID: v.User.ID, Kind: assurance.Passkey, Actor: v.User.ID, SessionID: v.Session.ID}
	for _, k := range keys {
		if k.ID == id {
			change.Name = k.Name
		}
	}
	err = h.Passkeys.Remove(r.Context(), change, id)
	if fault.CodeOf(err) == "last_factor" {
		h.Rooms.Kit.Refused(r, err)
		return h.draw(w, r, v, http.StatusOK, templates.Passkeys{Problem: templates.FactorLast})
	} else if err != nil {
		return h.notTheirs(r, v, id, err)
	}
	return h.stay(w, r, v, "factor_removed")
}

// stay shows the page again, which tells what was done; a request that waits
// goes on waiting.
func (h *Room) stay(w http.ResponseWriter, r *http.Request, v *room.Visitor, code string) error {
	to := path + "?done=" + code
	if v.Flow != "" {
		to = v.At(path) + "&done=" + code
	}
	return h.Rooms.Kit.SeeOther(w, r, to)
}

// notTheirs notes that somebody named a passkey that is not theirs; the answer
// is that there is none.
func (h *Room) notTheirs(r *http.Request, v *room.Visitor, id string, err error) error {
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	h.Rooms.Record(r, v, audit.Event{Name: audit.AccountRefused, Data: map[string]string{"what": "passkey"}})
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
		Under("OWASP ASVS 8.2.2 people reach what is theirs").Compare("passkey", "one of this person", id).Because(err)
}

// nameOf returns a name as it is kept: without what no keyboard sends.
func nameOf(typed string) (string, bool) {
	name := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, typed))
	n := utf8.RuneCountInString(name)
	return name, n > 0 && n <= MaxName
}

// unnamed is what a passkey is called whose person gave it no name.
func unnamed(r *http.Request) string {
	d := session.DeviceOf(r.UserAgent())
	if name, ok := nameOf(strings.Trim(d.Browser+", "+d.OS, ", ")); ok {
		return name
	}
	return "Passkey"
}
