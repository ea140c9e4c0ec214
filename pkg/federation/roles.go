package federation

import (
	"context"
	"slices"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/user"
)

// maxRoles bounds the roles of a person, as user does.
const maxRoles = 64

// sync notes the sign-in, and gives and takes the roles that the provider
// says. Roles that the person has from elsewhere stay.
func (s *Service) sync(ctx context.Context, u *user.User, id Identity, who *Person) (*user.User, error) {
	if len(who.Roles) == 0 && len(id.Roles) == 0 {
		return u, raced(s.Store.Used(ctx, id.ID, label(who), nil, clock.Now()))
	}
	var before, after []string
	changed, err := s.Users.Change(ctx, u.ID, func(ctx context.Context, u *user.User) error {
		all, err := s.Store.IdentitiesOf(ctx, u.ID)
		if err != nil {
			return err
		}
		before = u.Roles
		roles, given := mix(u.Roles, who.Roles, id.ID, all)
		u.Roles, after = roles, roles
		return raced(s.Store.Used(ctx, id.ID, label(who), given, clock.Now()))
	})
	if err != nil {
		return nil, err
	}
	if !slices.Equal(before, after) {
		s.Audit.Record(ctx, audit.Event{Name: audit.UserUpdated, UserID: u.ID, Data: map[string]string{"provider": id.Provider, "changed": "roles"}})
	}
	return changed, nil
}

// takeRoles takes from people the roles that a provider gave them.
func (s *Service) takeRoles(ctx context.Context, provider string) error {
	for after := ""; ; {
		list, err := s.Store.IdentitiesAt(ctx, provider, after, 200)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, id := range list {
			after = id.ID
			if len(id.Roles) == 0 {
				continue
			}
			_, err := s.Users.Change(ctx, id.UserID, func(ctx context.Context, u *user.User) error {
				all, err := s.Store.IdentitiesOf(ctx, u.ID)
				if err != nil {
					return err
				}
				u.Roles, _ = mix(u.Roles, nil, id.ID, all)
				return s.Store.Used(ctx, id.ID, id.Label, nil, clock.Now())
			})
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		}
	}
}

// raced turns an identity that is gone into a sign-in to look at anew.
func raced(err error) error {
	if fault.Is(err, fault.NotFound) {
		return errRaced
	}
	return err
}

// mix returns the roles of a person after a sign-in with one of their
// identities says which it gives, and those of them that are its gift. One
// that the person had by themselves is none, and stays when it is said no
// more; one that another identity gives stays too.
func mix(have, says []string, id string, all []Identity) (roles, given []string) {
	var mine, others []string
	for _, i := range all {
		if i.ID == id {
			mine = i.Roles
		} else {
			others = append(others, i.Roles...)
		}
	}
	for _, role := range have {
		if slices.Contains(says, role) || !slices.Contains(mine, role) || slices.Contains(others, role) {
			roles = append(roles, role)
		}
	}
	for _, role := range says {
		own := slices.Contains(have, role) && !slices.Contains(mine, role) && !slices.Contains(others, role)
		if !slices.Contains(roles, role) && len(roles) < maxRoles {
			roles = append(roles, role)
		}
		if !own && slices.Contains(roles, role) && !slices.Contains(given, role) {
			given = append(given, role)
		}
	}
	return roles, given
}

// rolesOf maps the values of the provider's claim to roles of ours.
func rolesOf(p *Provider, claims map[string]any) []string {
	name := p.Settings.RolesClaim
	if name == "" {
		return nil
	}
	var roles []string
	for _, value := range texts(claims[name]) {
		role, ok := p.Settings.Roles[value]
		if ok && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return roles
}
