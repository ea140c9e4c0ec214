package server

import (
	"net/http"

	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/playground"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// openMail makes the outbox. Without a mail server portico dev keeps mails for
// its mailbox, and portico serve refuses to queue one.
func (s *Server) openMail() error {
	cfg := mail.Config{Templates: s.brand.Templates, Mailbox: s.hasMailbox()}
	if s.cfg.SMTPURL != "" {
		var err error
		s.smtp, err = mail.NewSMTP(mail.SMTPConfig{URL: s.cfg.SMTPURL, From: s.cfg.MailFrom, ReplyTo: s.cfg.MailReplyTo})
		if err != nil {
			return err
		}
		cfg.Sender = s.smtp
	}
	s.Mail = mail.NewService(s.durable.Mails, s.durable, s.sealer, cfg)
	return nil
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
