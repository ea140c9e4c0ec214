package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/playground"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/storage"
)

// openMail makes the outbox. Without a mail server portico dev keeps mails for
// its mailbox, and portico serve refuses to queue one. Settings that cannot be
// used stop the start of a server; a shell goes on without them, because what
// it is needed for may be more urgent, and doctor tells.
func (s *Server) openMail() {
	cfg := mail.Config{Templates: s.brand.Templates, Mailbox: s.hasMailbox()}
	if s.cfg.SMTPURL != "" {
		smtp, err := mail.NewSMTP(mail.SMTPConfig{URL: s.cfg.SMTPURL, From: s.cfg.MailFrom, ReplyTo: s.cfg.MailReplyTo})
		if err == nil {
			s.smtp, cfg.Sender = smtp, smtp
		}
		s.smtpProblem = err
	}
	s.Mail = mail.NewService(s.durable.Mails, s.durable, s.sealer, cfg)
}

// hasMailbox reports whether mails are kept to be looked at. It shows links
// that open accounts, so there is none under portico serve.
func (s *Server) hasMailbox() bool { return s.cfg.Dev && s.cfg.SMTPURL == "" }

// mailbox lists the pages of the mails that portico dev kept.
func (s *Server) mailbox(page func(web.Handler) http.Handler) []route {
	if !s.hasMailbox() {
		return nil
	}
	box := playground.NewMailbox(s.kit, s.Mail)
	return []route{{protocol.PathMailbox, page(box.List)}, {protocol.PathMailbox + "/*", page(box.One)}}
}

// lateMail is how long a mail may wait before doctor speaks of it.
const lateMail = 15 * time.Minute

// examineMail says hello to the mail server and looks at what waits for it.
func (s *Server) examineMail(ctx context.Context) []storage.Finding {
	reach := storage.Finding{Check: "mail server", Status: storage.OK, Detail: "takes mail from here"}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch {
	case s.smtpProblem != nil:
		reach.Status, reach.Detail, reach.Hint = storage.Fail, s.smtpProblem.Error(), "portico serve does not start with it"
	case s.smtp == nil:
		reach.Detail = "none is configured: nobody can prove an address or choose a new password by mail"
		reach.Hint = "set PORTICO_SMTP_URL and PORTICO_MAIL_FROM"
	default:
		if err := s.smtp.Check(ctx); err != nil {
			reach.Status, reach.Detail = storage.Fail, "cannot be used from here: "+err.Error()
			reach.Hint = "check host, port, user and password in PORTICO_SMTP_URL; mail waits in the outbox for three days"
		}
	}
	return []storage.Finding{reach, s.examineOutbox(ctx)}
}

func (s *Server) examineOutbox(ctx context.Context) storage.Finding {
	f := storage.Finding{Check: "outbox", Status: storage.OK}
	st, err := s.Mail.Standing(ctx)
	waited := clock.Since(st.Oldest).Round(time.Minute)
	switch {
	case err != nil:
		f.Status, f.Detail = storage.Fail, "cannot be asked: "+err.Error()
	case st.Waiting > 0 && waited >= lateMail:
		f.Status, f.Detail = storage.Warn, fmt.Sprintf("%d mails wait, the first for %s", st.Waiting, waited)
		f.Hint = "the log says what the mail server answered; is an instance running with PORTICO_SMTP_URL?"
	case st.GivenUp > 0:
		f.Status, f.Detail = storage.Warn, fmt.Sprintf("%d mails of the last week were given up", st.GivenUp)
		f.Hint = "the audit events mail.given_up say why; portico mail test tries an address"
	default:
		f.Detail = fmt.Sprintf("%d mails wait", st.Waiting)
	}
	return f
}
