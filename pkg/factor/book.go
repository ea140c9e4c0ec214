package factor

import (
	"context"
	"slices"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Letters sends mails. mail.Service is one.
type Letters interface {
	// Queue takes a letter within the transaction of ctx.
	Queue(ctx context.Context, to mail.Recipient, l templates.Letter) error
}

// Codes are the recovery codes of people. recoverycode.Service is one.
type Codes interface {
	// RemoveAll removes those of a person, in the transaction of ctx.
	RemoveAll(ctx context.Context, userID string) error
}

// BookDeps is what a Book needs. All but Codes.
type BookDeps struct {
	Users    *user.Service
	Policy   assurance.Policy
	Browsers *Browsers
	Letters  Letters
	Audit    audit.Recorder
	// Codes go when the last factor goes. Nil: there are none.
	Codes Codes
	// URL makes an address of Portico from a path.
	URL func(path string) string
}

// Book notes in the account which kinds of factor its person has, when one
// comes or goes. It implements Keeper and is safe for concurrent use.
type Book struct{ BookDeps }

var _ Keeper = (*Book)(nil)

// NewBook returns a Book.
func NewBook(d BookDeps) *Book { return &Book{d} }

// Add implements Keeper.
func (b *Book) Add(ctx context.Context, c Change, do func(ctx context.Context, u *user.User) error) error {
	_, err := b.Users.Change(ctx, c.UserID, func(ctx context.Context, u *user.User) error {
		if err := do(ctx, u); err != nil {
			return err
		}
		u.Factors = with(u.Factors, c.Kind)
		return b.tell(ctx, u, templates.Letter{Key: "factor_added"}, c)
	})
	if err != nil {
		return err
	}
	b.Audit.Record(ctx, c.event(audit.FactorAdded))
	return nil
}

// Remove implements Keeper. With the last factor the recovery codes go, and no
// browser is remembered any more.
func (b *Book) Remove(ctx context.Context, c Change, do func(ctx context.Context, u *user.User) (left int, err error)) error {
	_, err := b.Users.Change(ctx, c.UserID, func(ctx context.Context, u *user.User) error {
		left, err := do(ctx, u)
		if err != nil {
			return err
		}
		if left == 0 {
			if err := b.last(ctx, c, u); err != nil {
				return err
			}
		}
		return b.tell(ctx, u, templates.Letter{Key: "factor_removed"}, c)
	})
	if err != nil {
		return err
	}
	b.Audit.Record(ctx, c.event(audit.FactorRemoved))
	return nil
}

// last notes that the person has none of the kind any more.
func (b *Book) last(ctx context.Context, c Change, u *user.User) error {
	rest := without(u.Factors, c.Kind)
	if demanded := b.Demanded(u); !c.Force && !assurance.Attainable(demanded, assurance.Usable(rest, b.Policy.Taken)) {
		return lastFactor(demanded)
	}
	u.Factors = rest
	if len(rest) > 0 {
		return nil
	}
	if b.Codes != nil {
		if err := b.Codes.RemoveAll(ctx, u.ID); err != nil {
			return err
		}
	}
	return b.Browsers.store.ForgetAll(ctx, u.ID)
}

// Demanded returns the class that a policy demands of the person wherever they
// sign in; empty: none that needs a second factor.
func (b *Book) Demanded(u *user.User) string {
	class := b.Policy.Of(u)
	if assurance.Reaches(assurance.OneFactor, class) {
		return ""
	}
	return class
}

func lastFactor(class string) *fault.Error {
	return fault.New(fault.Conflict, "last_factor", "This is the last second factor, and one is demanded. Add another one first.").
		Under("the last factor stays while a policy demands one").Compare("acr", class, assurance.OneFactor)
}

// tell mails the owner about a change. Who has no address is not told, and a
// server without mail tells nobody.
func (b *Book) tell(ctx context.Context, u *user.User, l templates.Letter, c Change) error {
	if u.Email == "" {
		return nil
	}
	l.Name, l.URL = u.Name, b.URL(protocol.PathAccountSecurity)
	l.Facts = append([]templates.Fact{{Key: "factor", Value: fault.Clip(c.Name)}}, notice.Circumstances(ctx)...)
	err := b.Letters.Queue(ctx, notice.Owner(u), l)
	if fault.CodeOf(err) == mail.CodeDisabled {
		return nil
	}
	return err
}

func with(factors []string, kind assurance.Factor) []string {
	if slices.Contains(factors, string(kind)) {
		return factors
	}
	all := append(slices.Clone(factors), string(kind))
	slices.Sort(all)
	return all
}

func without(factors []string, kind assurance.Factor) []string {
	return slices.DeleteFunc(slices.Clone(factors), func(f string) bool { return f == string(kind) })
}
