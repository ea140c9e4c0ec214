package signup

import (
	"context"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/user"
)

// Codes of what keeps an account from being made.
const (
	codeAddressTaken   = "address_taken"
	codeUsernameTaken  = "username_taken"
	codeInvitationOver = "invitation_over"
)

// create makes the account: person, password, accepted terms and roles, and
// what it was made with is spent, all or nothing. proof is nil when none was
// asked for. f is the flow that it belongs to, nil in another browser.
//
// Faults: Conflict, with the codes above, when address or username are taken;
// Gone when the proof, or (codeInvitationOver) the invitation, was spent.
func (h *Handler) create(ctx context.Context, f *flow.Flow, email string, p payload, proof *confirm.Confirmation, proven bool) (*user.User, error) {
	u := user.User{
		Name: p.Name, Username: p.Username, Email: email, EmailVerified: proven, Locale: p.Locale,
		Roles: h.Config.Roles, TermsVersion: p.Terms, TermsAcceptedAt: p.TermsAt,
	}
	var inv *Invitation
	if p.Invitation != "" {
		var err error
		if inv, err = readInvitation(ctx, h.Proofs, p.Invitation); err != nil {
			return nil, err
		}
		u.Roles = inv.Roles // and no others: who asked them in decided
	}
	if err := h.allowed(inv != nil); err != nil {
		return nil, err
	}
	made, err := h.Users.Create(ctx, u, func(ctx context.Context, id string) error {
		if proof != nil {
			if err := h.Proofs.Use(ctx, proof); err != nil {
				return err
			}
		}
		if inv != nil {
			if err := inv.use(ctx, h.Proofs); err != nil {
				return err
			}
		}
		return h.Passwords.Put(ctx, id, p.Hash)
	})
	if fault.Is(err, fault.Conflict) {
		return nil, h.taken(ctx, &u, err)
	} else if err != nil {
		return nil, err
	}
	h.record(ctx, f, made, inv)
	return made, nil
}

// taken says what of the person is somebody else's.
func (h *Handler) taken(ctx context.Context, u *user.User, cause error) error {
	_, err := h.Users.ByIdentifier(ctx, u.Email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil || u.Username == "" {
		return fault.Hide(cause, fault.Conflict, codeAddressTaken, "There is an account with this address.").
			Under("signup an address has one account")
	}
	return fault.Hide(cause, fault.Conflict, codeUsernameTaken, "Somebody has this username.").
		Under("signup a username has one account")
}

func (h *Handler) record(ctx context.Context, f *flow.Flow, u *user.User, inv *Invitation) {
	e := audit.Event{Actor: u.ID, UserID: u.ID}
	if f != nil {
		e.ClientID = f.Request.ClientID
	}
	e.Name = audit.UserRegistered
	if inv != nil {
		e.Data = map[string]string{"invitation": inv.ID}
	}
	h.Audit.Record(ctx, e)
	e.Data = nil
	if u.EmailVerified {
		e.Name = audit.EmailVerified
		h.Audit.Record(ctx, e)
	}
	if u.TermsVersion != "" {
		e.Name, e.Data = audit.TermsAccepted, map[string]string{"version": u.TermsVersion}
		h.Audit.Record(ctx, e)
	}
}
