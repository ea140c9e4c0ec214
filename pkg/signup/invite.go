package signup

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Invitation asks somebody in. Its link makes one account.
type Invitation struct {
	ID    string
	Email string // the account will have this address; empty: any
	Name  string // for the form
	Roles []string
	// Mailed holds when the link went to Email by mail: then whoever has it
	// reads that mailbox.
	Mailed               bool
	CreatedAt, ExpiresAt time.Time

	proof *confirm.Confirmation
}

// Proves reports whether coming with the invitation proves its address.
func (i *Invitation) Proves() bool { return i.Mailed && i.Email != "" }

// invited is what belongs to an invitation, sealed.
type invited struct {
	Name   string
	Roles  []string
	Mailed bool
}

// Ask says who is asked in.
type Ask struct {
	Email, Name string
	Roles       []string
	// Administrator makes an administrator of them. Naming the role in Roles
	// does not: that is for whoever knows what it means.
	Administrator bool
	// Mail sends the link to Email.
	Mail  bool
	Actor string // who asks
}

// Invitations asks people in. It is safe for concurrent use.
type Invitations struct {
	Confirm *confirm.Service
	Letters Letters
	Tx      Transactor
	Users   *user.Service
	Audit   audit.Recorder
	Mode    Mode
	// TTL is how long a link works.
	TTL time.Duration
	// URL makes an absolute URL of a local path.
	URL func(path string) string
}

// Make makes an invitation and returns it with its link, which is shown
// this once. Faults: Invalid when something in it cannot be taken, Denied
// when nobody may sign up or the role of administrators is asked for like any
// other, Conflict when the address has an account.
func (s *Invitations) Make(ctx context.Context, a Ask) (inv Invitation, link string, err error) {
	if err := s.check(ctx, &a); err != nil {
		return Invitation{}, "", err
	}
	inv = Invitation{Email: a.Email, Name: a.Name, Roles: a.Roles, Mailed: a.Mail && a.Email != ""}
	err = s.Tx.InTx(ctx, func(ctx context.Context) error {
		asked, err := s.Confirm.Ask(ctx, confirm.Ask{
			Purpose: confirm.Invitation, Email: a.Email, For: s.TTL, Payload: invited{Name: a.Name, Roles: a.Roles, Mailed: inv.Mailed},
		})
		if err != nil {
			return err
		}
		inv.ID, inv.ExpiresAt, inv.CreatedAt = asked.ID, asked.ExpiresAt, asked.ExpiresAt.Add(-s.TTL)
		link = s.URL(protocol.PathSignup + "?invitation=" + asked.Link)
		if !inv.Mailed {
			return nil
		}
		return s.Letters.Queue(ctx, mail.Recipient{Email: a.Email, Name: a.Name}, templates.Letter{Key: "invite", Name: a.Name, URL: link})
	})
	if err != nil {
		return Invitation{}, "", err
	}
	data := map[string]string{"invitation": inv.ID, "roles": strings.Join(inv.Roles, " "), "mailed": "no"}
	if inv.Mailed {
		data["mailed"] = "yes"
	}
	s.Audit.Record(ctx, audit.Event{Name: audit.UserInvited, Actor: a.Actor, Data: data})
	return inv, link, nil
}

func (s *Invitations) check(ctx context.Context, a *Ask) error {
	if s.Mode != Open && s.Mode != Invite {
		return fault.New(fault.Denied, "signup_closed", "Nobody may create an account here.").
			Under("signup the mode is open or invite").WithHint("set PORTICO_SIGNUP to invite, and restart the server with it")
	}
	if slices.Contains(a.Roles, user.Administrator) {
		return fault.New(fault.Denied, "administrator_role", "This role is not given by its name.").
			Under("signup an administrator is made knowingly").WithHint("use --admin")
	}
	if a.Administrator {
		a.Roles = append(slices.Clone(a.Roles), user.Administrator)
	}
	probe := user.User{Email: a.Email, Username: "x", Name: a.Name, Roles: a.Roles}
	if err := user.Validate(&probe); err != nil {
		return err
	}
	a.Email, a.Name = probe.Email, probe.Name
	if a.Email == "" {
		return nil
	}
	_, err := s.Users.ByIdentifier(ctx, a.Email)
	if err == nil {
		return fault.New(fault.Conflict, codeAddressTaken, "There is an account with this address.").
			Under("signup an address has one account")
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

// List returns a page of the open invitations, oldest first.
func (s *Invitations) List(ctx context.Context, page paging.Page) ([]Invitation, error) {
	open, err := s.Confirm.Pending(ctx, confirm.Invitation, page)
	if err != nil {
		return nil, err
	}
	list := make([]Invitation, 0, len(open))
	for i := range open {
		inv, err := openInvitation(s.Confirm, &open[i])
		if err != nil { // sealed under a key that is gone: what is left can be withdrawn
			inv = &Invitation{ID: open[i].ID, Email: open[i].Email, CreatedAt: open[i].CreatedAt, ExpiresAt: open[i].ExpiresAt}
		}
		list = append(list, *inv)
	}
	return list, nil
}

// Withdraw ends an invitation: its link is dead. fault.NotFound when there is
// no open one of the id.
func (s *Invitations) Withdraw(ctx context.Context, id, actor string) error {
	_, err := s.Confirm.Waiting(ctx, confirm.Invitation, id)
	if fault.Is(err, fault.Gone) {
		return fault.Hide(err, fault.NotFound, "invitation_unknown", "There is no open invitation of this id.").
			WithHint("portico user invitations lists them")
	} else if err != nil {
		return err
	}
	if err := s.Confirm.Withdraw(ctx, id); err != nil {
		return err
	}
	s.Audit.Record(ctx, audit.Event{Name: audit.InvitationWithdrawn, Actor: actor, Data: map[string]string{"invitation": id}})
	return nil
}

// arrive takes the link of an invitation into a flow of Portico's own. Looking
// does not spend it: programs follow the links of mails as well.
func (h *Handler) arrive(w http.ResponseWriter, r *http.Request, links []string) error {
	link := ""
	if len(links) == 1 {
		link = links[0]
	}
	c, err := h.Proofs.ByLink(r.Context(), confirm.Invitation, link)
	if fault.Is(err, fault.Gone) {
		return h.invitationOver(w, r, nil, invitationGone(err))
	} else if err != nil {
		return err
	}
	return h.begin(w, r, c.ID)
}

// readInvitation returns the open invitation of an id. fault.Gone, code
// invitation_over, when there is none.
func readInvitation(ctx context.Context, svc *confirm.Service, id string) (*Invitation, error) {
	c, err := svc.Waiting(ctx, confirm.Invitation, id)
	if err != nil {
		return nil, invitationGone(err)
	}
	inv, err := openInvitation(svc, c)
	return inv, invitationGone(err)
}

func openInvitation(svc *confirm.Service, c *confirm.Confirmation) (*Invitation, error) {
	var in invited
	if err := svc.Payload(c, &in); err != nil {
		return nil, err
	}
	return &Invitation{
		ID: c.ID, Email: c.Email, Name: in.Name, Roles: in.Roles, Mailed: in.Mailed,
		CreatedAt: c.CreatedAt, ExpiresAt: c.ExpiresAt, proof: c,
	}, nil
}

// use spends the invitation, in the transaction that the context carries.
func (i *Invitation) use(ctx context.Context, svc *confirm.Service) error {
	return invitationGone(svc.Use(ctx, i.proof))
}

// invitationGone gives a proof that is over the face of an invitation.
func invitationGone(err error) error {
	if !fault.Is(err, fault.Gone) {
		return err
	}
	gone := *fault.As(err)
	gone.Code, gone.Say = codeInvitationOver, "This invitation is over."
	return &gone
}
