package server

import (
	"context"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/user"
)

// AskRecovery asks for a way back in for a person, in the name of an
// administrator; both are named by e-mail address, username or sub. link is
// empty when another administrator has to approve.
func (s *Server) AskRecovery(ctx context.Context, identifier, reason, by string) (r recovery.Request, link string, err error) {
	admin, err := s.administrator(ctx, by)
	if err != nil {
		return r, "", err
	}
	u, err := s.FindUser(ctx, identifier)
	if err != nil {
		return r, "", err
	}
	return s.recoveries().Ask(ctx, u.ID, reason, admin.ID)
}

// ApproveRecovery makes the link of a way back in that another administrator
// asked for.
func (s *Server) ApproveRecovery(ctx context.Context, id, by string) (r recovery.Request, link string, err error) {
	admin, err := s.administrator(ctx, by)
	if err != nil {
		return r, "", err
	}
	return s.recoveries().Approve(ctx, id, admin.ID)
}

// administrator finds the person in whose name something is done. That they
// may is for the service to say; somebody who is not there may nothing.
func (s *Server) administrator(ctx context.Context, identifier string) (*user.User, error) {
	u, err := s.FindUser(ctx, identifier)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Hide(err, fault.NotFound, "administrator_not_found", "There is no such administrator.").
			WithHint("portico user list shows who has the role %s", user.Administrator)
	}
	return u, err
}

// Recoveries returns a page of the open ways back in, oldest first.
func (s *Server) Recoveries(ctx context.Context, page paging.Page) ([]recovery.Request, error) {
	return s.recoveries().List(ctx, page)
}

// WithdrawRecovery ends a way back in and its link at once.
func (s *Server) WithdrawRecovery(ctx context.Context, id, actor string) error {
	return s.recoveries().Withdraw(ctx, id, actor)
}

// FactorsOf returns the second factors of a person.
func (s *Server) FactorsOf(ctx context.Context, userID string) ([]recovery.Held, error) {
	return s.durable.FactorRecoveries.Factors(ctx, userID)
}

// RemoveFactors removes what a person has of a kind, also when it is the last
// and a policy demands one: it is an operator's word. The owner is mailed.
// fault.Invalid for a kind that is none, fault.NotFound when they have none.
func (s *Server) RemoveFactors(ctx context.Context, userID, kind, actor string) error {
	k, err := kindOf(kind)
	if err != nil {
		return err
	}
	held, err := s.FactorsOf(ctx, userID)
	if err != nil {
		return err
	}
	change := factor.Change{UserID: userID, Kind: k, Name: namesOfFactors(held, k), Actor: actor, Force: true}
	return s.Factors.Remove(ctx, change, func(ctx context.Context, u *user.User) (int, error) {
		n, err := s.durable.FactorRecoveries.RemoveFactors(ctx, userID, k)
		if err == nil && n == 0 && !slices.Contains(u.Factors, kind) {
			return 0, fault.New(fault.NotFound, "factor_not_found", "This person has no second factor of that kind.").
				Under("factor it is there").Compare("kind", kind, "none").WithHint("portico user factors shows those that they have")
		}
		return 0, err
	})
}

// kindOf reads the name of a kind.
func kindOf(name string) (assurance.Factor, error) {
	var known []string
	for _, k := range assurance.Factors() {
		if string(k) == name {
			return k, nil
		}
		known = append(known, string(k))
	}
	return "", unknown("unknown_factor", "There is no such kind of second factor.", "kind", known, name)
}

// namesOfFactors is what the person calls those of a kind, for the letter;
// else the kind.
func namesOfFactors(held []recovery.Held, kind assurance.Factor) string {
	var names []string
	for _, h := range held {
		if h.Kind == kind && h.Name != "" {
			names = append(names, h.Name)
		}
	}
	if len(names) == 0 {
		return string(kind)
	}
	return strings.Join(names, ", ")
}
