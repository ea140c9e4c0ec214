package account

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/account/room"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Data serves the download of everything we hold about the person.
func (h *Handler) Data(w http.ResponseWriter, r *http.Request) error {
	return h.serve(w, r, room.Room{
		Path: protocol.PathAccountData, Fresh: true,
		Show: func(w http.ResponseWriter, r *http.Request, v *room.Visitor) error {
			return h.Kit.Render(w, r, http.StatusOK, templates.DataPage{
				Desk: room.Desk(r, protocol.PathAccountData), Form: h.form(w, r, v, protocol.PathAccountData),
			})
		},
		Take: h.download,
	})
}

// export is the file. Names are those of OIDC Core §5.1 where it has one. It
// holds no password, no secret and no fingerprint of one.
type export struct {
	ExportedAt   time.Time            `json:"exported_at"`
	Issuer       string               `json:"issuer"`
	Profile      map[string]any       `json:"profile"`
	Account      exportedAccount      `json:"account"`
	Factors      []exportedFactor     `json:"second_factors"`
	Sessions     []exportedSession    `json:"sessions"`
	Applications []exportedConsent    `json:"applications"`
	Grants       []exportedGrant      `json:"grants"`
	Events       []exportedEvent      `json:"events"`
	Pending      []exportedPendingAsk `json:"pending_confirmations"`
}

type exportedAccount struct {
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	HasPassword     bool      `json:"has_password"`
	TermsVersion    string    `json:"terms_version,omitempty"`
	TermsAcceptedAt time.Time `json:"terms_accepted_at,omitzero"`
}

type exportedFactor struct {
	Kind       assurance.Factor `json:"kind"`
	Name       string           `json:"name,omitempty"`
	AddedAt    time.Time        `json:"added_at,omitzero"`
	LastUsedAt time.Time        `json:"last_used_at,omitzero"`
	Suspended  bool             `json:"suspended,omitempty"`
}

type exportedSession struct {
	ID         string    `json:"id"`
	CreatedAt  time.Time `json:"created_at"`
	AuthTime   time.Time `json:"auth_time"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	ACR        string    `json:"acr,omitempty"`
	AMR        []string  `json:"amr,omitempty"`
	UserAgent  string    `json:"user_agent,omitempty"`
	Address    string    `json:"address,omitempty"`
}

type exportedConsent struct {
	ClientID  string    `json:"client_id"`
	Name      string    `json:"client_name,omitempty"`
	Scopes    []string  `json:"scopes,omitempty"`
	Audiences []string  `json:"audiences,omitempty"`
	Claims    []string  `json:"claims,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type exportedGrant struct {
	ID        string    `json:"id"`
	ClientID  string    `json:"client_id"`
	SessionID string    `json:"session_id,omitempty"`
	Scopes    []string  `json:"scopes,omitempty"`
	Audiences []string  `json:"audiences,omitempty"`
	Offline   bool      `json:"offline"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"refresh_expires_at,omitzero"`
}

type exportedEvent struct {
	At        time.Time         `json:"at"`
	Name      audit.Name        `json:"name"`
	ClientID  string            `json:"client_id,omitempty"`
	SessionID string            `json:"session_id,omitempty"`
	Address   string            `json:"address,omitempty"`
	UserAgent string            `json:"user_agent,omitempty"`
	Data      map[string]string `json:"data,omitempty"`
}

type exportedPendingAsk struct {
	Purpose   string    `json:"purpose"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// download answers with the file. It is made whole before the first byte is
// sent, so that a part of it is never taken for all.
func (h *Handler) download(w http.ResponseWriter, r *http.Request, v *room.Visitor, _ web.Fields) error {
	out, err := h.export(r.Context(), v)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	h.record(r, v, audit.Event{Name: audit.UserExported})
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Content-Disposition", `attachment; filename="account.json"`)
	head.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(raw, '\n')) // the person is gone: nothing left to do
	return nil
}

func (h *Handler) export(ctx context.Context, v *room.Visitor) (*export, error) {
	u := v.User
	has, err := h.Passwords.Has(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	out := &export{
		ExportedAt: clock.Now().UTC(), Issuer: h.Kit.URL(""), Profile: profileOf(u),
		Account: exportedAccount{
			CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, HasPassword: has,
			TermsVersion: u.TermsVersion, TermsAcceptedAt: u.TermsAcceptedAt,
		},
	}
	for _, fill := range []func(context.Context, *user.User, *export) error{h.exportFactors, h.exportSessions, h.exportApplications, h.exportEvents} {
		if err := fill(ctx, u, out); err != nil {
			return nil, err
		}
	}
	pending, err := h.waiting(ctx, u)
	if pending != nil {
		out.Pending = append(out.Pending, exportedPendingAsk{string(pending.Purpose), pending.Email, pending.CreatedAt, pending.ExpiresAt})
	}
	return out, err
}

// profileOf is every claim that there is about the person.
func profileOf(u *user.User) map[string]any {
	return claims.ForUserinfo(u, []string{
		protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopeAddress, protocol.ScopePhone, protocol.ScopeRoles,
	}, nil)
}

func (h *Handler) exportFactors(ctx context.Context, u *user.User, out *export) error {
	for _, kind := range h.Factors {
		list, err := kind.List(ctx, u.ID)
		if err != nil {
			return err
		}
		for _, f := range list {
			out.Factors = append(out.Factors, exportedFactor{f.Kind, f.Name, f.AddedAt, f.UsedAt, f.Suspended})
		}
	}
	return nil
}

func (h *Handler) exportSessions(ctx context.Context, u *user.User, out *export) error {
	all, err := h.Sessions.OfUser(ctx, u.ID)
	for _, s := range all {
		out.Sessions = append(out.Sessions, exportedSession{
			s.ID, s.CreatedAt, s.AuthTime, s.LastSeenAt, s.ExpiresAt, s.ACR, s.AMR, s.UserAgent, s.Address,
		})
	}
	return err
}

func (h *Handler) exportApplications(ctx context.Context, u *user.User, out *export) error {
	consents, err := h.Consents.OfUser(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, c := range consents {
		app, err := h.clientOf(ctx, c.ClientID)
		if err != nil {
			return err
		}
		out.Applications = append(out.Applications, exportedConsent{c.ClientID, app.Name, c.Scopes, c.Audiences, c.Claims, c.CreatedAt, c.UpdatedAt})
	}
	grants, err := h.Grants.OfUser(ctx, u.ID, clock.Now())
	for _, g := range grants {
		out.Grants = append(out.Grants, exportedGrant{g.ID, g.ClientID, g.SessionID, g.Scopes, g.Audiences, g.Offline, g.CreatedAt, g.RefreshExpiresAt})
	}
	return err
}

// maxEvents bounds the file: it is made in memory. The newest are in it.
const maxEvents = 20_000

func (h *Handler) exportEvents(ctx context.Context, u *user.User, out *export) error {
	page := paging.Page{Size: paging.MaxSize}
	for len(out.Events) < maxEvents {
		events, err := h.History.OfUser(ctx, u.ID, page)
		if err != nil {
			return err
		}
		for _, e := range events {
			out.Events = append(out.Events, exportedEvent{e.At, e.Name, e.ClientID, e.SessionID, e.Remote, e.UserAgent, e.Data})
		}
		if len(events) < page.Size {
			return nil
		}
		page.Cursor = events[len(events)-1].ID
	}
	return nil
}
