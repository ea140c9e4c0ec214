package server

import (
	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/oauth/register"
)

// openRegistration adds client registration, unless it is off: then the
// endpoint is neither served nor advertised.
func (s *Server) openRegistration(e *endpoints) error {
	if s.cfg.Registration == config.RegistrationOff {
		return nil
	}
	h, err := register.New(register.Config{
		Issuer: s.cfg.Issuer, Mode: register.Mode(s.cfg.Registration), InitialTokens: s.cfg.RegistrationTokens,
		PKCERequired: s.cfg.PKCE == config.PKCERequired, PerAddress: s.limitRules().RegisterAddress,
		IDTokenAlgs: s.Keys.Algs(keyring.IDTokens), AnswerAlgs: s.Keys.Algs(keyring.Answers),
		Clients: s.Clients, Scopes: s.APIs, Gate: s.gate(), Fingerprints: s.fingerprint,
	})
	e.register = h
	return err
}
