package server

import (
	"context"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/intake"
	"github.com/portico-id/portico/pkg/user"
)

// ImportOptions say how far an import goes.
type ImportOptions struct {
	DryRun bool // say what would happen, and change nothing
	Roles  bool // take the roles over too, but for Portico's own
}

// ImportUser makes a person of another server's export, with the password
// hash that it has, or says that they exist: nobody who is there is changed,
// so that an import may be repeated. fault.Invalid when the record cannot be
// taken over.
func (s *Server) ImportUser(ctx context.Context, rec intake.Record, o ImportOptions) (existed bool, err error) {
	if rec.Refused != nil {
		return false, fault.Hide(rec.Refused, fault.Invalid, "record_refused", "This record cannot be taken over.")
	}
	u := rec.User
	u.Roles = importedRoles(u.Roles, o.Roles)
	if err := user.Validate(&u); err != nil {
		return false, err
	}
	if rec.Hash != "" {
		if err := s.Passwords.CheckImport(rec.Hash); err != nil {
			return false, err
		}
	}
	if existed, err = s.known(ctx, u); existed || err != nil || o.DryRun {
		return existed, err
	}
	made, err := s.Users.Create(ctx, u, func(ctx context.Context, id string) error {
		if rec.Hash == "" {
			return nil
		}
		return s.Passwords.Put(ctx, id, rec.Hash)
	})
	if fault.Is(err, fault.Conflict) {
		return true, nil // somebody was faster
	} else if err != nil {
		return false, err
	}
	scheme := "none"
	if rec.Hash != "" {
		scheme = strings.SplitN(rec.Hash, "$", 3)[1]
	}
	s.audit.Record(ctx, audit.Event{Name: audit.UserImported, Actor: "shell", UserID: made.ID, Data: map[string]string{"password": scheme}})
	return false, nil
}

// importedRoles leaves out Portico's own roles: who administers it is decided
// here, never in a file.
func importedRoles(roles []string, wanted bool) []string {
	if !wanted {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(roles), func(role string) bool {
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(role)), "portico:")
	})
}

// known reports whether the address or the username is somebody's.
func (s *Server) known(ctx context.Context, u user.User) (bool, error) {
	for _, identifier := range []string{u.Email, u.Username} {
		if identifier == "" {
			continue
		}
		if _, err := s.Users.ByIdentifier(ctx, identifier); err == nil {
			return true, nil
		} else if !fault.Is(err, fault.NotFound) {
			return false, err
		}
	}
	return false, nil
}
