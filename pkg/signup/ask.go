package signup

import (
	"context"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// proofLife is how long the link and the code of a sign-up work.
const proofLife = 24 * time.Hour

const clauseMails = "security §11.6 mails that one address causes"

// payload is what an account will be made of, sealed until its address is
// proven.
type payload struct {
	Name, Username string
	Hash           string // of the password
	Locale         string
	Terms          string // version accepted; empty: none
	TermsAt        time.Time
	Flow           string // worthless in another browser
	Invitation     string // its id
	// Decoy holds when the address has an account: nobody is sent the code,
	// and whoever guesses it gets nothing.
	Decoy bool
}

// ask makes a confirmation for the flow and sends the letter. An address that
// has an account gets one as well, and another letter: what this browser can
// see and do afterwards is the same.
func (h *Handler) ask(r *http.Request, v *visit.Visit, email string, p payload) error {
	ctx := r.Context()
	// Of forms that are sent at once the first one counts, so that one press
	// makes one mail; the others wait, and see what it led to.
	if err := h.Opener.Flows.Save(ctx, v.Flow); fault.Is(err, fault.Conflict) {
		return even(ctx)()
	} else if err != nil {
		return err
	}
	send, err := h.maySend(ctx, email)
	if err != nil {
		return err
	}
	id, err := h.letter(r, email, p, send)
	if err != nil {
		return err
	}
	return h.keep(ctx, v, id)
}

// keep notes which proof the flow waits for. Losing to another request of the
// same tab is fine: the page shows what is kept.
func (h *Handler) keep(ctx context.Context, v *visit.Visit, id string) error {
	v.Flow.Confirmation = id
	if err := h.Opener.Flows.Save(ctx, v.Flow); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	return nil
}

// maySend counts a mail to the recipient. One too many is not sent, and the
// page does not say so: it would tell what others asked for.
func (h *Handler) maySend(ctx context.Context, email string) (bool, error) {
	err := h.Gate.Take(ctx, h.Rules.MailRecipient, limit.MailboxKey(h.Fingerprint, email), "security §11.6 mails to one recipient")
	if fault.Is(err, fault.Limited) {
		return false, nil
	}
	return err == nil, err
}

// letter makes the confirmation and, if send, its letter: both or neither.
// ends are confirmations that it takes the place of.
func (h *Handler) letter(r *http.Request, email string, p payload, send bool, ends ...string) (id string, err error) {
	known, err := h.Users.ByIdentifier(r.Context(), email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	p.Decoy = known != nil
	err = h.Tx.InTx(r.Context(), func(ctx context.Context) error {
		asked, err := h.Proofs.Ask(ctx, confirm.Ask{Purpose: confirm.SignUp, Email: email, For: proofLife, Code: true, Payload: p})
		if err != nil {
			return err
		}
		id = asked.ID
		for _, old := range ends {
			if err := h.Proofs.Withdraw(ctx, old); err != nil {
				return err
			}
		}
		if !send {
			return nil
		}
		to, l := h.write(r, known, email, asked)
		return h.Letters.Queue(ctx, to, l)
	})
	return id, err
}

// write returns the letter. It greets nobody by the name in the form: a
// stranger wrote it, and the mailbox may be another's.
func (h *Handler) write(r *http.Request, known *user.User, email string, asked confirm.Asked) (mail.Recipient, templates.Letter) {
	lang, facts := web.Lang(r).Tag(), notice.Circumstances(r.Context())
	if known != nil {
		// To the address of the account, whatever spelling was typed.
		return notice.Owner(known, lang), templates.Letter{Key: "signup_known", Name: known.Name, URL: h.Kit.URL(protocol.PathAccount), Facts: facts}
	}
	return mail.Recipient{Email: email, Locales: []string{lang}},
		templates.Letter{Key: "signup", URL: h.Kit.URL(protocol.PathSignupConfirm + "?link=" + asked.Link), Code: asked.Code, Facts: facts}
}
