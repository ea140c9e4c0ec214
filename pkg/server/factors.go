package server

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/totp"
	"github.com/portico-id/portico/pkg/web"
)

// openFactors builds the second factors and what keeps the book of them.
func (s *Server) openFactors() {
	s.browsers = factor.NewBrowsers(s.durable.Browsers, s.fingerprint, s.audit, factor.BrowsersConfig{
		For: s.cfg.MFARemember, Most: s.cfg.MFABrowsers,
	})
	s.openRecoveryCodes()
	s.Factors = factor.NewBook(factor.BookDeps{
		Users: s.Users, Policy: s.policy(), Browsers: s.browsers, Letters: s.Mail, Audit: s.audit, Codes: s.RecoveryCodes,
		URL: func(path string) string { return s.cfg.Issuer + path },
	})
	// Apps show the name of this server beside the code.
	s.TOTP = totp.NewService(s.durable.TOTPs, s.sealer, s.Factors, cmp.Or(s.brand.Name, s.cfg.IssuerURL().Host))
	s.openOneTime()
}

// policy is who must reach which authentication context class.
func (s *Server) policy() assurance.Policy {
	p := assurance.Policy{Everyone: s.cfg.MFAEveryone, Grace: s.cfg.MFAGrace}
	p.Roles, _ = assurance.ParseRoles(s.cfg.MFARoles) // checked when it was read
	rp, _ := s.cfg.PasskeyRP()
	for _, method := range s.cfg.MFAMethods {
		if kind := assurance.Factor(method); kind != assurance.Passkey || rp != "" {
			p.Taken = append(p.Taken, kind)
		}
	}
	return p
}

// factors are the pages of second factors.
type factors struct {
	steps    *factor.Handler
	apps     *totp.Handler
	passkeys *passkeys // nil: none are taken
	codes    codes
}

func (s *Server) openFactorPages(opener *visit.Opener, steps *login.Dispatcher, signIn *login.Handler) (factors, error) {
	rooms := s.rooms(opener, steps)
	onward := &factor.Onward{Rooms: rooms, Codes: s.RecoveryCodes}
	methods, listers := []factor.Method{s.TOTP, s.RecoveryCodes}, []factor.Lister{s.TOTP}
	for _, kind := range s.sentKinds() {
		methods, listers = append(methods, kind), append(listers, kind)
	}
	keys, err := s.openPasskeyPages(opener, signIn, rooms, onward)
	if err != nil {
		return factors{}, err
	}
	if keys != nil {
		methods, listers = append(methods, keys.service), append(listers, keys.service)
	}
	return factors{
		steps: factor.New(factor.Deps{
			Kit: s.kit, Opener: opener, Steps: steps, Next: signIn, Methods: methods, Listers: listers,
			Browsers: s.browsers, Users: s.Users, Book: s.Factors, Rooms: rooms, Gate: s.gate(), Rules: s.limitRules(), Audit: s.audit,
		}),
		apps:     &totp.Handler{Rooms: rooms, Apps: s.TOTP, Raise: signIn, Onward: onward},
		passkeys: keys,
		codes:    s.openCodePages(signIn, rooms, onward),
	}, nil
}

// rooms lets people into the pages of their own account.
func (s *Server) rooms(opener *visit.Opener, steps *login.Dispatcher) *room.Keeper {
	return &room.Keeper{Kit: s.kit, Opener: opener, Steps: steps, Gate: s.gate(), Rules: s.limitRules(), Audit: s.audit}
}

// routes lists the pages of second factors. Those of kinds that are not taken
// are not there.
func (f factors) routes(page, data func(web.Handler) http.Handler, taken []assurance.Factor) []route {
	list := []route{
		{protocol.PathFactor, page(f.steps.Step)},
		{protocol.PathEnrol, page(f.steps.Enrol)},
		{protocol.PathAccountSecurity, page(f.steps.Security)},
		{protocol.PathAccountBrowsers, page(f.steps.Remembered)},
	}
	if slices.Contains(taken, assurance.TOTP) {
		list = append(list, route{protocol.PathAccountTOTP, page(f.apps.Account)})
	}
	list = append(list, f.codes.routes(page, taken)...)
	return append(list, f.passkeys.routes(page, data)...)
}
