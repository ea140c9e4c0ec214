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
	if err := checkDemands(c.MinimumACR, c.Ways); err != nil {
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
	}
	if d.Ways != nil {
		c.Ways = *d.Ways
	}
	if err := checkDemands(c.MinimumACR, c.Ways); err != nil {
		return client.Client{}, err
	}
	return s.Clients.Update(ctx, c)
}

// CreateAPI registers an API as an operator says.
func (s *Server) CreateAPI(ctx context.Context, a scope.API) (scope.API, error) {
	if err := checkDemands(a.MinimumACR, nil); err != nil {
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
	if err := checkDemands(a.MinimumACR, nil); err != nil {
		return scope.API{}, err
	}
	return a, s.APIs.Update(ctx, a)
}

// checkDemands refuses a class that nobody could reach, and a way that no
// provider can be called by: people would stand before a closed door.
func checkDemands(minimumACR string, ways []string) error {
	if minimumACR != "" && !assurance.Known(minimumACR) {
		return unknown("unknown_acr", "There is no such authentication context class.", "minimum_acr", assurance.Classes(), minimumACR)
	}
	for _, way := range ways {
		if !isWay(way) {
			return unknown("unknown_way", "This is no way to sign in.", "way", []string{client.WayLocal, "the id of a provider"}, way)
		}
	}
	return nil
}

// isWay reports whether a way is the local one, or looks like the id of a
// provider.
func isWay(way string) bool {
	return way != "" && len(way) <= 32 && strings.Trim(way, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// unknown refuses a word that is none of those known, and names them.
func unknown(code, say, field string, known []string, got string) *fault.Error {
	return fault.New(fault.Invalid, code, say).Under(field+" is one that there is").
		Compare(field, strings.Join(known, ", "), got).WithHint("use one of: %s", strings.Join(known, ", "))
}
