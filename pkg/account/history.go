package account

import (
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// told are the events that people are told about: what happened to their
// account, and not what applications do all day in their name.
var told = []audit.Name{
	audit.LoginSucceeded, audit.LoginFailed, audit.SessionEnded, audit.ConsentGranted, audit.ConsentDenied,
	audit.CodeReused, audit.RefreshReused, audit.GrantRevoked,
	audit.UserCreated, audit.UserUpdated, audit.UserDisabled, audit.UserEnabled, audit.UserImported,
	audit.UserDeletionAsked, audit.UserKept, audit.UserExported,
	audit.EmailVerified, audit.EmailChangeAsked, audit.EmailChanged, audit.TermsAccepted,
	audit.PasswordChanged, audit.PasswordFailed, audit.PasswordResetAsked, audit.PasswordReset, audit.AccountRefused,
	audit.FactorAdded, audit.FactorRemoved, audit.FactorRenamed, audit.FactorFailed, audit.FactorPostponed, audit.FactorStepUp, audit.CodesGenerated, audit.CodeUsed,
	audit.PasskeySuspended, audit.BrowserTrusted, audit.BrowserForgotten, audit.RecoveryAsked, audit.FactorsRecovered, audit.IdentityLinked, audit.IdentityUnlinked,
}

// Past serves what happened to the account, newest first.
func (h *Handler) Past(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{Path: protocol.PathAccountHistory, Show: h.drawHistory})
}

func (h *Handler) drawHistory(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
	ctx := r.Context()
	at := paging.Page{Size: paging.DefaultSize + 1} // one more tells whether there is another page
	if before := r.URL.Query()["before"]; len(before) == 1 {
		at.Cursor = before[0]
	}
	events, err := h.History.OfUser(ctx, v.User.ID, at, told...)
	if err != nil {
		return err
	}
	page := templates.History{Desk: room.Desk(r, protocol.PathAccountHistory)}
	if at.Cursor != "" {
		page.Newer = protocol.PathAccountHistory
	}
	if len(events) > paging.DefaultSize {
		events = events[:paging.DefaultSize]
		page.Older = protocol.PathAccountHistory + "?before=" + events[len(events)-1].ID
	}
	zone, names := zoneOf(v.User), map[string]string{}
	for _, e := range events {
		happened := templates.Happened{Name: string(e.Name), At: e.At.In(zone), Device: deviceOf(e.UserAgent), Address: e.Remote}
		if e.ClientID != "" {
			if _, ok := names[e.ClientID]; !ok {
				c, err := h.clientOf(ctx, e.ClientID)
				if err != nil {
					return err
				}
				names[e.ClientID] = c.Name
			}
			happened.Client = names[e.ClientID]
		}
		page.List = append(page.List, happened)
	}
	return h.Kit.Render(w, r, http.StatusOK, page)
}

// zoneOf returns the time zone of the person, or UTC: also when the machine
// lacks the tables.
func zoneOf(u *user.User) *time.Location {
	return room.Zone(u)
}
