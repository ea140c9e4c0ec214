package server

import (
	"context"
	"fmt"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/storage"
)

// mostExamined bounds how many people doctor looks at for administrators.
const mostExamined = 10_000

// examineAdministrators says whether a password alone makes an administrator.
// It is advice: a policy is for the operator to set.
func (s *Server) examineAdministrators(ctx context.Context) storage.Finding {
	f := storage.Finding{Check: "administrators", Status: storage.OK}
	all, bare, looked, err := s.countAdministrators(ctx)
	switch {
	case err != nil:
		f.Status, f.Detail = storage.Warn, "they cannot be counted: "+err.Error()
	case all == 0:
		f.Detail = "there is none"
		f.Hint = "make one with: portico user create --admin"
	case bare == 0:
		f.Detail = fmt.Sprintf("%d, each with a second factor", all)
	default:
		f.Status, f.Detail = storage.Warn, fmt.Sprintf("%d of %d have no second factor: their password alone opens everything", bare, all)
		f.Hint = "set PORTICO_MFA_ROLES=" + user.Administrator + "=" + assurance.TwoFactors + " to demand one when they sign in"
	}
	if err == nil && looked >= mostExamined {
		f.Detail += fmt.Sprintf(" (of the first %d people)", mostExamined)
	}
	return f
}

// countAdministrators counts those who may sign in, and those among them who
// have no second factor that the server takes.
func (s *Server) countAdministrators(ctx context.Context) (all, bare, looked int, err error) {
	taken, page := s.policy().Taken, paging.Page{Size: 200}
	for looked < mostExamined {
		people, err := s.Users.List(ctx, page)
		if err != nil || len(people) == 0 {
			return all, bare, looked, err
		}
		for i := range people {
			if u := &people[i]; u.Administers() && !u.Disabled {
				all++
				if len(assurance.Usable(u.Factors, taken)) == 0 {
					bare++
				}
			}
		}
		looked += len(people)
		page.Cursor = people[len(people)-1].ID
	}
	return all, bare, looked, nil
}
