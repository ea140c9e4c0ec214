package server

import (
	"context"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/scope"
)

// Demands is what an operator changes of what an application, or an API,
// demands of people. Nil leaves as it is; empty takes back.
type Demands struct {
	MinimumACR *string
	// Ways are those to sign in that the application allows; an API has none.
	Ways *[]string
}

// CreateClient registers an application as an operator says; its secret is
// returned here and never again.
func (s *Server) CreateClient(ctx context.Context, c client.Client) (made client.Client, secret string, err error) {
	if err := checkACR(c.MinimumACR); err != nil {
		return client.Client{}, "", err
	}
	if err := s.checkWays(ctx, c.Ways); err != nil {
		return client.Client{}, "", err
	}
	return s.Clients.Create(ctx, c)
}

// DemandOfClient changes what an application demands.
func (s *Server) DemandOfClient(ctx context.Context, clientID string, d Demands) (client.Client, error) {
	c, err := s.durable.Clients.ByID(ctx, clientID)
	if err != nil {
		return client.Client{}, err
	}
	if d.MinimumACR != nil {
		c.MinimumACR = *d.MinimumACR
		if err := checkACR(c.MinimumACR); err != nil {
			return client.Client{}, err
		}
	}
	if d.Ways != nil {
		c.Ways = *d.Ways
		if err := s.checkWays(ctx, c.Ways); err != nil {
			return client.Client{}, err
		}
	}
	return s.Clients.Update(ctx, c)
}

// CreateAPI registers an API as an operator says.
func (s *Server) CreateAPI(ctx context.Context, a scope.API) (scope.API, error) {
	if err := checkACR(a.MinimumACR); err != nil {
		return scope.API{}, err
	}
	return s.APIs.Create(ctx, a)
}

// DemandOfAPI changes what an API demands.
func (s *Server) DemandOfAPI(ctx context.Context, audience string, d Demands) (scope.API, error) {
	all, err := s.durable.APIs.All(ctx)
	if err != nil {
		return scope.API{}, err
	}
	i := slices.IndexFunc(all, func(a scope.API) bool { return a.Audience == audience })
	if i < 0 {
		return scope.API{}, fault.New(fault.NotFound, "api_not_found", "There is no such API.").WithHint("portico api list shows them")
	}
	a := all[i]
	if d.MinimumACR != nil {
		a.MinimumACR = *d.MinimumACR
	}
	if err := checkACR(a.MinimumACR); err != nil {
		return scope.API{}, err
	}
	return a, s.APIs.Update(ctx, a)
}

// checkACR refuses a class that nobody could reach: people would stand before
// a closed door.
func checkACR(class string) error {
	if class == "" || assurance.Known(class) {
		return nil
	}
	return unknown("unknown_acr", "There is no such authentication context class.", "minimum_acr", assurance.Classes(), class)
}

// checkWays refuses a way that leads to no provider. A disabled one counts:
// it may be enabled again.
func (s *Server) checkWays(ctx context.Context, ways []string) error {
	if len(ways) == 0 {
		return nil
	}
	providers, err := s.Federation.List(ctx)
	if err != nil {
		return err
	}
	known := []string{client.WayLocal}
	for _, p := range providers {
		known = append(known, p.ID)
	}
	for _, way := range ways {
		if !slices.Contains(known, way) {
			return unknown("unknown_way", "This is no way to sign in.", "way", known, way)
		}
	}
	return nil
}

// unknown refuses a word that is none of those known, and names them.
func unknown(code, say, field string, known []string, got string) *fault.Error {
	return fault.New(fault.Invalid, code, say).Under(field+" is one that there is").
		Compare(field, strings.Join(known, ", "), got).WithHint("use one of: %s", strings.Join(known, ", "))
}
