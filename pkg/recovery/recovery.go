// Package recovery lets people back in. Who forgot their password chooses a
// new one, by a link that is sent to their mailbox; who lost every second
// factor has them removed, by a link that an administrator hands over. Neither
// link stands for the other. It tells nobody who has an account, and signs
// nobody in (login does).
package recovery

import (
	"context"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// linkLife is how long a link works.
const (
	minutes  = 30
	linkLife = minutes * time.Minute
)

// Bounds of the forms, in bytes.
const (
	maxForm       = 16 << 10
	maxIdentifier = 320
)

// Passwords changes passwords. password.Service is one.
type Passwords interface {
	// ChangeWith replaces the password and ends everything that the person had.
	// also runs in the same transaction, and its error keeps the old password.
	ChangeWith(ctx context.Context, userID, plain, except string, also func(ctx context.Context) error) error
	MinLength() int
	Required() []string
}

// Letters sends mails. mail.Service is one.
type Letters interface {
	// Queue takes a letter within the transaction of ctx.
	Queue(ctx context.Context, to mail.Recipient, l templates.Letter) error
}

// Transactor runs work in one transaction. storage.Durable is one.
type Transactor interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Deps is what a Handler needs. All of it.
type Deps struct {
	Kit         *web.Kit
	Opener      *visit.Opener
	Users       *user.Service
	Passwords   Passwords
	Confirm     *confirm.Service
	Letters     Letters
	Tx          Transactor
	Gate        limit.Gate
	Rules       limit.Rules
	Fingerprint *secret.Fingerprinter
	Audit       audit.Recorder
	// Trust counts the browser as one that the person has used before.
	Trust func(w http.ResponseWriter, r *http.Request, userID string) error
	// Mail holds when letters can leave: without it nobody can recover.
	Mail bool
}

// Handler serves /recover and /recover/reset. It is safe for concurrent use.
type Handler struct{ Deps }

// New returns a handler.
func New(d Deps) *Handler { return &Handler{d} }

// allowed refuses whoever comes while no mail can be sent.
func (h *Handler) allowed() error {
	if h.Mail {
		return nil
	}
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
		Under("recovery a mail can be sent").Compare("smtp_url", "set", "empty").
		WithHint("set PORTICO_SMTP_URL and PORTICO_MAIL_FROM to let people choose a new password by themselves")
}

// visit opens the flow that the query names; one that cannot be opened is
// none, because a forgotten password does not depend on it. An error means
// that the stores could not tell.
func (h *Handler) visit(r *http.Request) (*visit.Visit, error) {
	if !r.URL.Query().Has("flow") {
		_, _, err := h.Opener.SignedIn(r) // for the language
		return nil, err
	}
	v, err := h.Opener.Open(r)
	switch fault.KindOf(err) {
	case fault.None:
		return v, nil
	case fault.NotFound, fault.Denied, fault.Gone:
		return nil, nil
	}
	return nil, err
}

// place is where a visit stands: its flow, if any, and the ways from it.
type place struct {
	flow         string // "": none
	again, login string
	client       *templates.Client
	hint         string
}

func placeOf(v *visit.Visit) place {
	if v == nil {
		return place{again: protocol.PathRecover, login: protocol.PathAccount}
	}
	return place{
		flow: v.Flow.ID, again: at(protocol.PathRecover, v.Flow.ID), login: at(protocol.PathLogin, v.Flow.ID),
		client: v.Application(), hint: v.Flow.Request.LoginHint,
	}
}

// at returns the path of a page for a flow. Flow ids need no escaping.
func at(path, flowID string) string { return path + "?flow=" + flowID }
