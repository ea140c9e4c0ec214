package server

import (
	"context"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/signup"
	"github.com/portico-id/portico/pkg/terms"
	"github.com/portico-id/portico/templates"
)

// openSignup makes the pages through which accounts begin, and the one that
// asks for the terms.
func (s *Server) openSignup(e *endpoints, opener *visit.Opener, steps *login.Dispatcher) {
	c := s.cfg
	shown := templates.Terms{TermsURL: c.TermsURL, PrivacyURL: c.PrivacyURL}
	e.signup = signup.New(signup.Deps{
		Kit: s.kit, Opener: opener, Next: steps, Greeter: e.login, Users: s.Users, Passwords: s.Passwords,
		Proofs: s.Confirmations, Letters: s.Mail, Tx: s.durable, Gate: s.gate(), Rules: s.limitRules(),
		Fingerprint: s.fingerprint, Audit: s.audit,
		Config: signup.Config{
			Mode: signup.Mode(c.Signup), AtOnce: c.SignupVerification == config.VerificationOff, Domains: c.SignupDomains,
			Username: signup.Presence(c.SignupUsername), Roles: c.SignupRoles, Terms: shown, TermsVersion: c.TermsVersion,
		},
	})
	e.terms = terms.New(terms.Deps{Kit: s.kit, Opener: opener, Steps: steps, People: s.Users, Sessions: s.Sessions, Terms: shown})
}

// invitations asks people in.
func (s *Server) invitations() *signup.Invitations {
	return &signup.Invitations{
		Confirm: s.Confirmations, Letters: s.Mail, Tx: s.durable, Users: s.Users, Audit: s.audit,
		Mode: signup.Mode(s.cfg.Signup), TTL: s.cfg.InvitationTTL,
		URL: func(path string) string { return s.cfg.Issuer + path },
	}
}

// InviteUser asks somebody in. The link is returned this once; it makes one
// account.
func (s *Server) InviteUser(ctx context.Context, a signup.Ask) (inv signup.Invitation, link string, err error) {
	if s.cfg.Issuer == "" {
		return inv, "", fault.New(fault.Invalid, "no_issuer", "The link needs the address of this server.").
			WithHint("set PORTICO_ISSUER, as the server has it")
	}
	if !s.Mail.Enabled() {
		noMail := fault.New(fault.Invalid, "no_mail", "Mail cannot be sent from here.")
		if a.Mail && a.Email != "" {
			return inv, "", noMail.WithHint("set PORTICO_SMTP_URL and PORTICO_MAIL_FROM, or use --no-mail and hand the link over yourself")
		} else if s.cfg.SignupVerification != config.VerificationOff {
			return inv, "", noMail.WithHint("whoever comes must prove their address by mail: set PORTICO_SMTP_URL and PORTICO_MAIL_FROM, or PORTICO_SIGNUP_VERIFICATION=off")
		}
	}
	return s.invitations().Make(ctx, a)
}

// Invitations returns a page of the open invitations, oldest first.
func (s *Server) Invitations(ctx context.Context, page paging.Page) ([]signup.Invitation, error) {
	return s.invitations().List(ctx, page)
}

// WithdrawInvitation ends an invitation at once.
func (s *Server) WithdrawInvitation(ctx context.Context, id, actor string) error {
	return s.invitations().Withdraw(ctx, id, actor)
}
