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
	"github.com/portico-id/portico/pkg/passkey"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// takesPasskeys reports whether people may use passkeys here.
func (s *Server) takesPasskeys() bool {
	return slices.Contains(s.policy().Taken, assurance.Passkey)
}

// passkeys are the service of passkeys and its pages.
type passkeys struct {
	service *passkey.Service
	signIn  *passkey.SignIn
	room    *passkey.Room
}

// openPasskeyPages makes the pages of passkeys, or none.
func (s *Server) openPasskeyPages(opener *visit.Opener, signIn *login.Handler, rooms *room.Keeper, onward *factor.Onward) (*passkeys, error) {
	if !s.takesPasskeys() {
		return nil, nil //nolint:nilnil // none is a value here
	}
	service, err := s.openPasskeys(opener)
	if err != nil {
		return nil, err
	}
	return &passkeys{
		service: service,
		signIn: passkey.NewSignIn(passkey.SignInDeps{
			Kit: s.kit, Opener: opener, Passkeys: service, Greeter: signIn, Audit: s.audit,
		}),
		room: passkey.NewRoom(passkey.RoomDeps{Rooms: rooms, Passkeys: service, Raiser: signIn, Onward: onward}),
	}, nil
}

// openPasskeys makes the service by the configuration.
func (s *Server) openPasskeys(opener *visit.Opener) (*passkey.Service, error) {
	rp, origins := s.cfg.PasskeyRP()
	roots, err := s.cfg.PasskeyRoots()
	if err != nil {
		return nil, err
	}
	return passkey.New(passkey.Config{
		RPID: rp, RPName: cmp.Or(s.brand.Name, rp), Origins: origins,
		Attestation: s.cfg.PasskeyAttestation == "required", Roots: roots, AAGUIDs: s.cfg.PasskeyAAGUIDs,
	}, passkey.Deps{
		Store: s.durable.Passkeys, Ceremonies: opener.Flows, People: s.Users, Keeper: s.Factors, Letters: s.Mail, Tx: s.durable,
		Fingerprint: s.fingerprint, Audit: s.audit, URL: func(path string) string { return s.cfg.Issuer + path },
	})
}

// routes lists the pages of passkeys, and where their script asks.
func (p *passkeys) routes(page, data func(web.Handler) http.Handler) []route {
	if p == nil {
		return nil
	}
	return []route{
		{protocol.PathPasskey, page(p.signIn.SignIn)},
		{protocol.PathPasskeyOptions, data(p.signIn.Options)},
		{protocol.PathAccountPasskeys, page(p.room.Page)},
		{protocol.PathAccountPasskeyNew, data(p.room.Options)},
	}
}
