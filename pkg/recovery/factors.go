package recovery

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// maxReason bounds the words of an administrator, in characters.
const maxReason = 500

// keepRequests is how long a request outlives its time, as its link does.
const keepRequests = 24 * time.Hour

// Sessions ends what a person has. session.Service is one.
type Sessions interface {
	EndOfUser(ctx context.Context, userID, except, reason string, also func(ctx context.Context) error) error
}

// FactorsDeps is what Factors needs. All of it.
type FactorsDeps struct {
	Store    Store
	Users    *user.Service
	Sessions Sessions
	Confirm  *confirm.Service
	Letters  Letters
	Tx       Transactor
	Audit    audit.Recorder
	// URL makes an absolute URL of a local path.
	URL func(path string) string
	// FourEyes lets a link be made only once another administrator approved.
	FourEyes bool
	// TTL is how long a link works, and how long a request waits for it.
	TTL time.Duration
}

// Factors opens a way back in for people who lost every second factor: a link
// that an administrator hands over by a way they trust. It stands for the
// second factor and never for the first. It is safe for concurrent use.
type Factors struct{ FactorsDeps }

// NewFactors returns the service.
func NewFactors(d FactorsDeps) *Factors { return &Factors{d} }

// ticket is what belongs to a link.
type ticket struct {
	Request string // id
}

// Ask asks for a way back in for a person, in the name of the administrator of
// the id by. Without four eyes it is approved at once, and its link is returned
// this once; with them link is empty, and another administrator approves. Open
// ones of the person end. Faults: NotFound when there is no such person; Denied
// when by is no administrator, or the person is disabled; Conflict when they
// have no second factor; Invalid without a reason.
func (f *Factors) Ask(ctx context.Context, userID, reason, by string) (r Request, link string, err error) {
	reason, err = readReason(reason)
	if err != nil {
		return Request{}, "", err
	}
	if err := f.administrator(ctx, by); err != nil {
		return Request{}, "", err
	}
	now := clock.Now()
	r = Request{ID: secret.ID(), UserID: userID, Reason: reason, AskedBy: by, CreatedAt: now, ExpiresAt: now.Add(f.TTL)}
	err = f.Tx.InTx(ctx, func(ctx context.Context) error {
		u, err := f.stranded(ctx, userID)
		if err != nil {
			return err
		}
		if err := f.Confirm.End(ctx, userID, confirm.Replaced, confirm.RecoverFactors); err != nil {
			return err
		}
		if f.FourEyes {
			return f.Store.Create(ctx, r)
		}
		asked, err := f.open(ctx, u, r.ID)
		if err != nil {
			return err
		}
		r.ApprovedBy, r.ConfirmationID, r.ExpiresAt, link = by, asked.ID, asked.ExpiresAt, f.url(asked)
		if err := f.Store.Create(ctx, r); err != nil {
			return err
		}
		return f.tellAsked(ctx, u)
	})
	if err != nil {
		return Request{}, "", err
	}
	f.record(ctx, audit.RecoveryAsked, by, &r)
	return r, link, nil
}

// Approve makes the link of a request, in the name of the administrator of the
// id by, and returns it this once. Of any number of concurrent calls one
// succeeds. Faults: NotFound when there is no such request; Gone when it is
// over; Conflict when it is approved already; Denied when by is no
// administrator, asked for it, or would get in by it, and when who asked is no
// administrator any more.
func (f *Factors) Approve(ctx context.Context, id, by string) (r Request, link string, err error) {
	if err := f.administrator(ctx, by); err != nil {
		return Request{}, "", err
	}
	r, err = f.waiting(ctx, id)
	if err != nil {
		return Request{}, "", err
	}
	if err := f.mayApprove(ctx, &r, by); err != nil {
		return Request{}, "", err
	}
	err = f.Tx.InTx(ctx, func(ctx context.Context) error {
		u, err := f.stranded(ctx, r.UserID)
		if err != nil {
			return err
		}
		asked, err := f.open(ctx, u, r.ID)
		if err != nil {
			return err
		}
		err = f.Store.Approve(ctx, id, by, asked.ID, asked.ExpiresAt, clock.Now())
		if fault.Is(err, fault.Conflict) {
			return approved().Because(err)
		} else if err != nil {
			return err
		}
		r.ApprovedBy, r.ConfirmationID, r.ExpiresAt, link = by, asked.ID, asked.ExpiresAt, f.url(asked)
		return f.tellAsked(ctx, u)
	})
	if err != nil {
		return Request{}, "", err
	}
	f.record(ctx, audit.RecoveryApproved, by, &r)
	return r, link, nil
}

// Withdraw ends a request and its link at once. Faults: NotFound when there is
// none; Gone when it is over.
func (f *Factors) Withdraw(ctx context.Context, id, actor string) error {
	r, err := f.find(ctx, id)
	if err != nil {
		return err
	}
	err = f.Tx.InTx(ctx, func(ctx context.Context) error {
		err := f.Store.End(ctx, id, confirm.Withdrawn, clock.Now())
		if fault.Is(err, fault.Conflict) {
			return requestOver(&r).Because(err)
		} else if err != nil {
			return err
		}
		return f.Confirm.End(ctx, r.UserID, confirm.Withdrawn, confirm.RecoverFactors)
	})
	if err != nil {
		return err
	}
	f.record(ctx, audit.RecoveryWithdrawn, actor, &r)
	return nil
}

// List returns a page of the open requests, oldest first.
func (f *Factors) List(ctx context.Context, page paging.Page) ([]Request, error) {
	return f.Store.Open(ctx, page, clock.Now())
}

// DeleteExpired removes at most limit requests that are over for long, and
// returns how many.
func (f *Factors) DeleteExpired(ctx context.Context, limit int) (int, error) {
	return f.Store.DeleteExpired(ctx, clock.Now().Add(-keepRequests), limit)
}

// open makes the link.
func (f *Factors) open(ctx context.Context, u *user.User, requestID string) (confirm.Asked, error) {
	return f.Confirm.Ask(ctx, confirm.Ask{
		Purpose: confirm.RecoverFactors, UserID: u.ID, Email: u.Email, For: f.TTL, Payload: ticket{requestID},
	})
}

func (f *Factors) url(asked confirm.Asked) string {
	return f.URL(protocol.PathRecoverFactors + "?link=" + asked.Link)
}

func (f *Factors) record(ctx context.Context, name audit.Name, actor string, r *Request) {
	f.Audit.Record(ctx, audit.Event{
		Name: name, Actor: actor, UserID: r.UserID, Data: map[string]string{"recovery": r.ID, "reason": r.Reason},
	})
}

// readReason takes the words of an administrator: one line that can be read.
func readReason(typed string) (string, error) {
	reason := strings.TrimSpace(typed)
	if reason == "" || utf8.RuneCountInString(reason) > maxReason || !utf8.ValidString(reason) || strings.ContainsFunc(reason, unicode.IsControl) {
		return "", fault.New(fault.Invalid, "reason_missing", "A way back in needs a reason, in one line of at most 500 characters.").
			Under("recovery an administrator says why").WithHint("say how you made sure that it is them")
	}
	return reason, nil
}
