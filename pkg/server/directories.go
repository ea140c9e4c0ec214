package server

import (
	"context"

	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/federation/ldap"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/user"
)

func openDirectory(p *federation.Provider, password string) (federation.Authenticator, error) {
	return ldap.New(p, password)
}

// directories let people of the operator's directories sign in: ldap checks
// their passwords, and federation decides whose they are here.
type directories struct {
	*ldap.Directories
	people *federation.Service
}

// openDirectories joins the two for the login.
func (s *Server) openDirectories() login.Directories {
	return directories{ldap.NewDirectories(s.Federation, s.audit), s.Federation}
}

// Authenticate implements login.Directories.
func (d directories) Authenticate(ctx context.Context, allows func(way string) bool, name, plain string) (*login.Arrival, error) {
	p, who, err := d.Directories.Authenticate(ctx, allows, name, plain)
	if err != nil {
		return nil, err
	}
	out, err := d.people.Resolve(ctx, p, who)
	switch {
	case err != nil:
		return nil, err
	case out.Decision == federation.Proof:
		out.Link.Email = out.User.Email // what the form asks for next
		return &login.Arrival{Link: out.Link, Elsewhere: &flow.Elsewhere{Provider: p.ID, Name: p.Name}}, nil
	case out.Refusal == nil:
		return &login.Arrival{User: out.User, Upstream: out.Upstream}, nil
	case out.Refusal.Code == federation.CodeDisabled:
		// The login tells nobody that they are: it answers as to a wrong password.
		return &login.Arrival{User: &user.User{ID: out.User.ID, Disabled: true}}, nil
	}
	return nil, out.Refusal
}
