package totp

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Raiser raises the session of this browser by a factor that was just proven.
// login.Handler is one.
type Raiser interface {
	RaiseSession(w http.ResponseWriter, r *http.Request, s *session.Session, u *user.User, amr []string) error
}

// Handler serves the account's page of authenticator apps. It is safe for
// concurrent use.
type Handler struct {
	Rooms  *room.Keeper
	Apps   *Service
	Raise  Raiser
	Onward *factor.Onward
}

// Account serves the page.
func (h *Handler) Account(w http.ResponseWriter, r *http.Request) error {
	return h.Rooms.Serve(w, r, room.Room{
		Path: protocol.PathAccountTOTP, Fresh: true,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.draw(w, r, v, templates.Apps{})
		},
		Take: h.take,
		// Whoever has to get an app first is not sent to sign in for it.
		Begun: func(v *room.Visitor, form web.Fields) bool {
			_, err := h.unwrap(v, form["seed"])
			return err == nil && form["decision"] == "confirm"
		},
	})
}

func (h *Handler) draw(w http.ResponseWriter, r *http.Request, v *room.Visitor, page templates.Apps) error {
	apps, err := h.Apps.Apps(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	page.Desk, page.Form = room.Desk(r, protocol.PathAccountSecurity), h.Rooms.Form(w, r, v, protocol.PathAccountTOTP)
	if page.Full = len(apps) >= Most; page.Full {
		page.New = nil // nobody scans what will not be added
	}
	zone := room.Zone(v.User)
	for _, a := range apps {
		shown := templates.HasFactor{ID: a.ID, Name: a.Name, Added: a.CreatedAt.In(zone)}
		if !a.UsedAt.IsZero() {
			shown.Used = a.UsedAt.In(zone)
		}
		page.List = append(page.List, shown)
	}
	return h.Rooms.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	switch form["decision"] {
	case "begin":
		return h.offer(w, r, v, templates.Apps{}, NewSeed(), "")
	case "confirm":
		return h.confirm(w, r, v, form)
	case "rename":
		return h.rename(w, r, v, form)
	case "remove":
		return h.remove(w, r, v, form)
	}
	return h.draw(w, r, v, templates.Apps{Problem: templates.NoDecision})
}

// offer shows a seed that no code confirmed yet.
func (h *Handler) offer(w http.ResponseWriter, r *http.Request, v *room.Visitor, page templates.Apps, seed, name string) error {
	login := v.User.Email
	if login == "" {
		login = v.User.Username
	}
	uri := h.Apps.URI(seed, login)
	qr, err := Draw(uri)
	if err != nil {
		return err
	}
	page.New = &templates.NewApp{
		Seed: h.wrap(v, seed), Key: groups(seed), URI: uri, Size: qr.Size, Path: qr.Path, Name: name,
	}
	return h.draw(w, r, v, page)
}

// groups writes a seed as people read it to each other.
func groups(seed string) string {
	var b strings.Builder
	for i, r := range seed {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// seedLife is how long a seed waits for its first code: longer than a sign-in
// is fresh, because an app may have to be installed first.
const seedLife = 15 * time.Minute

// wrap seals a seed for the form that confirms it: nothing keeps it until
// then, and it opens for this person in this session only.
func (h *Handler) wrap(v *room.Visitor, seed string) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(clock.Now().Add(seedLife).Unix()))
	return base64.RawURLEncoding.EncodeToString(h.Apps.sealer.Seal(waiting(v), append(plain, seed...)))
}

// unwrap returns the seed that a form brings back. fault.Gone: it waits here no
// more, or never did.
func (h *Handler) unwrap(v *room.Visitor, wrapped string) (seed string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(wrapped)
	if err != nil {
		return "", stale("another text").Because(err)
	}
	plain, err := h.Apps.sealer.Open(waiting(v), raw)
	if err != nil || len(plain) < 8 {
		return "", stale("one of another person or session, or none").Because(err)
	}
	if until := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0); !clock.Now().Before(until) {
		return "", stale("one that waited until " + until.UTC().Format(time.RFC3339))
	}
	return string(plain[8:]), nil
}

func stale(got string) *fault.Error {
	return fault.New(fault.Gone, "form_stale", "This page was too old. Please begin again.").
		Under("security §11.9 a factor is added by whom, and where, its seed was shown").Compare("seed", "shown to this person in this session lately", got)
}

// waiting is where a seed waits: with this person, in this session.
func waiting(v *room.Visitor) string { return "totp new/" + v.User.ID + "/" + v.Session.ID }

func (h *Handler) confirm(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	seed, err := h.unwrap(v, form["seed"])
	if err != nil {
		h.Rooms.Kit.Refused(r, err)
		return h.draw(w, r, v, templates.Apps{Problem: templates.FactorStale})
	}
	name, ok := named(form["name"])
	if !ok {
		return h.offer(w, r, v, templates.Apps{NameProblem: templates.FactorName}, seed, form["name"])
	}
	err = h.Apps.Confirm(r.Context(), change(v, name), seed, form["code"])
	if err != nil {
		return h.unconfirmed(w, r, v, err, seed, name)
	}
	if err := h.Raise.RaiseSession(w, r, v.Session, v.User, []string{protocol.AMROTP}); err != nil {
		return err
	}
	// Not back to this page: its visitors proved lately who they are, which may
	// be over by now.
	return h.Onward.Lead(w, r, v, protocol.PathAccountSecurity, "factor")
}

// unconfirmed shows why an app was not added. A wrong code may be followed by
// the next one of the same seed.
func (h *Handler) unconfirmed(w http.ResponseWriter, r *http.Request, v *room.Visitor, why error, seed, name string) error {
	switch {
	case fault.Is(why, fault.Unauthenticated):
		h.Rooms.Kit.Refused(r, why)
		return h.offer(w, r, v, templates.Apps{CodeProblem: templates.FactorCodeWrong}, seed, name)
	case fault.CodeOf(why) == "seed_used":
		h.Rooms.Kit.Refused(r, why)
		return h.draw(w, r, v, templates.Apps{Problem: templates.FactorStale})
	case fault.CodeOf(why) == "too_many":
		h.Rooms.Kit.Refused(r, why)
		return h.draw(w, r, v, templates.Apps{}) // which says so
	}
	return why
}

// named bounds what a person calls a factor.
func named(s string) (string, bool) {
	s = strings.TrimSpace(s)
	return s, s != "" && utf8.RuneCountInString(s) <= maxName && fault.Clip(s) == s
}

func change(v *room.Visitor, name string) factor.Change {
	return factor.Change{UserID: v.User.ID, Kind: assurance.TOTP, Name: name, Actor: v.User.ID, SessionID: v.Session.ID}
}

func (h *Handler) rename(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	name, ok := named(form["name"])
	if !ok {
		return h.draw(w, r, v, templates.Apps{Problem: templates.FactorName})
	}
	if err := h.Apps.Rename(r.Context(), v.User.ID, form["app"], name); err != nil {
		return h.noted(r, v, err)
	}
	h.Rooms.Record(r, v, audit.Event{Name: audit.FactorRenamed, Data: map[string]string{"factor": string(assurance.TOTP), "name": name}})
	return h.Rooms.Done(w, r, v, protocol.PathAccountTOTP, "factor_renamed")
}

func (h *Handler) remove(w http.ResponseWriter, r *http.Request, v *room.Visitor, form web.Fields) error {
	err := h.Apps.Remove(r.Context(), change(v, ""), form["app"])
	if fault.CodeOf(err) == "last_factor" {
		h.Rooms.Kit.Refused(r, err)
		return h.draw(w, r, v, templates.Apps{Problem: templates.FactorLast})
	} else if err != nil {
		return h.noted(r, v, err)
	}
	return h.Rooms.Done(w, r, v, protocol.PathAccountTOTP, "factor_removed")
}

// noted records that somebody reached for what is not theirs, and returns why
// it is refused.
func (h *Handler) noted(r *http.Request, v *room.Visitor, err error) error {
	if fault.Is(err, fault.NotFound) {
		h.Rooms.Record(r, v, audit.Event{Name: audit.AccountRefused, Data: map[string]string{"what": "authenticator app"}})
	}
	return err
}
