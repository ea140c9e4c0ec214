package server

import "github.com/portico-id/portico/pkg/assurance"

// policy is who must reach which authentication context class.
func (s *Server) policy() assurance.Policy {
	p := assurance.Policy{Everyone: s.cfg.MFAEveryone, Grace: s.cfg.MFAGrace}
	p.Roles, _ = assurance.ParseRoles(s.cfg.MFARoles) // checked when it was read
	for _, method := range s.cfg.MFAMethods {
		p.Taken = append(p.Taken, assurance.Factor(method))
	}
	return p
}
