package server

import (
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/factor"
)

// openFactors builds what keeps the book of second factors.
func (s *Server) openFactors() {
	s.browsers = factor.NewBrowsers(s.durable.Browsers, s.fingerprint, s.audit, factor.BrowsersConfig{
		For: s.cfg.MFARemember, Most: s.cfg.MFABrowsers,
	})
	s.Factors = factor.NewBook(factor.BookDeps{
		Users: s.Users, Policy: s.policy(), Browsers: s.browsers, Letters: s.Mail, Audit: s.audit,
		URL: func(path string) string { return s.cfg.Issuer + path },
	})
}

// policy is who must reach which authentication context class.
func (s *Server) policy() assurance.Policy {
	p := assurance.Policy{Everyone: s.cfg.MFAEveryone, Grace: s.cfg.MFAGrace}
	p.Roles, _ = assurance.ParseRoles(s.cfg.MFARoles) // checked when it was read
	for _, method := range s.cfg.MFAMethods {
		p.Taken = append(p.Taken, assurance.Factor(method))
	}
	return p
}
