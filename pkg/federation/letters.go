package federation

import (
	"context"

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

// Letters about identities.
const (
	letterLinked   = "identity_linked"
	letterUnlinked = "identity_unlinked"
)

// tell mails the owner that an account elsewhere was tied to theirs, or is no
// more. Who has no address is not told, and a server without mail tells
// nobody.
func (s *Service) tell(ctx context.Context, u *user.User, key string, p *Provider, label string) error {
	if u.Email == "" || s.Letters == nil {
		return nil
	}
	if label == "" {
		label = p.Name
	}
	err := s.Letters.Queue(ctx, notice.Owner(u), templates.Letter{
		Key: key, Name: u.Name, URL: s.URL(protocol.PathAccountIdentities),
		Values: map[string]string{"Provider": p.Name, "Label": label}, Facts: notice.Circumstances(ctx),
	})
	if fault.CodeOf(err) == mail.CodeDisabled {
		return nil
	}
	return err
}
