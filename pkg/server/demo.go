package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/user"
)

// The demo data of portico dev. Its secrets are published, so it never exists
// under portico serve.
const (
	DemoPassword      = "portico-demo-2026"
	DemoWeb           = "demo-web"
	DemoWebSecret     = "demo-web-secret"
	DemoSPA           = "demo-spa"
	DemoService       = "demo-service"
	DemoServiceSecret = "demo-service-secret"
	DemoAPI           = "https://orders.example.test"
)

// DemoPeople are the e-mail addresses of the demo people; the first is an
// administrator.
var DemoPeople = []string{"alice@example.com", "bob@example.com"}

// seedDemo makes the demo data, or brings it up to date: the redirects follow
// the issuer.
func (s *Server) seedDemo(ctx context.Context) error {
	if err := s.seedAPI(ctx); err != nil {
		return fmt.Errorf("demo API: %w", err)
	}
	for _, c := range s.demoClients() {
		if err := s.seedClient(ctx, c.Client, c.secret); err != nil {
			return fmt.Errorf("demo client %s: %w", c.ID, err)
		}
	}
	for _, u := range demoPeople() {
		if err := s.seedPerson(ctx, u); err != nil {
			return fmt.Errorf("demo person %s: %w", u.Email, err)
		}
	}
	return nil
}

func (s *Server) seedAPI(ctx context.Context) error {
	api := scope.API{
		Audience: DemoAPI, Name: "Orders", Format: scope.JWT, Demo: true, OpenToDynamic: true,
		ResourceServers: []string{DemoService},
		Scopes: []scope.Scope{
			{Name: "orders:read", Description: "See your orders"},
			{Name: "orders:write", Description: "Place and change orders for you"},
		},
		CreatedAt: time.Now(),
	}
	err := s.durable.APIs.Create(ctx, api)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

type demoClient struct {
	client.Client
	secret string
}

func (s *Server) demoClients() []demoClient {
	login := client.Client{
		ApplicationType: client.Web, Source: client.Demo,
		RedirectURIs:           []string{s.cfg.Issuer + protocol.PathPlayground + "/callback", "http://127.0.0.1/callback"},
		PostLogoutRedirectURIs: []string{s.cfg.Issuer + protocol.PathPlayground, "http://127.0.0.1/signed-out"},
		GrantTypes:             []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken},
		ResponseTypes:          []string{protocol.ResponseTypeCode},
		Scopes: []string{
			protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopeAddress, protocol.ScopePhone,
			protocol.ScopeOfflineAccess, protocol.ScopeRoles, "orders:read", "orders:write",
		},
		Audiences: []string{DemoAPI},
	}
	web, spa := login, login
	web.ID, web.Name, web.AuthMethod = DemoWeb, "Demo web application", protocol.AuthSecretBasic
	spa.ID, spa.Name, spa.AuthMethod = DemoSPA, "Demo single-page application", protocol.AuthNone
	machine := client.Client{
		ID: DemoService, Name: "Demo service", ApplicationType: client.Web, Source: client.Demo,
		AuthMethod: protocol.AuthSecretBasic, GrantTypes: []string{protocol.GrantClientCredentials},
		Scopes: []string{"orders:read", "orders:write"}, Audiences: []string{DemoAPI},
	}
	return []demoClient{{web, DemoWebSecret}, {spa, ""}, {machine, DemoServiceSecret}}
}

func (s *Server) seedClient(ctx context.Context, want client.Client, secret string) error {
	have, err := s.durable.Clients.ByID(ctx, want.ID)
	if fault.Is(err, fault.NotFound) {
		_, err := s.Clients.CreateDemo(ctx, want, secret)
		return err
	}
	if err != nil {
		return err
	}
	if slices.Equal(have.RedirectURIs, want.RedirectURIs) && slices.Equal(have.PostLogoutRedirectURIs, want.PostLogoutRedirectURIs) {
		return nil
	}
	have.RedirectURIs, have.PostLogoutRedirectURIs = want.RedirectURIs, want.PostLogoutRedirectURIs
	return s.durable.Clients.Update(ctx, have)
}

func demoPeople() []user.User {
	return []user.User{
		{
			Email: DemoPeople[0], EmailVerified: true, Username: "alice", Demo: true, Roles: []string{user.Administrator},
			Name: "Alice Example", GivenName: "Alice", FamilyName: "Example", MiddleName: "Maria", Nickname: "Ali",
			Profile: "https://example.com/alice", Picture: "https://example.com/alice.png", Website: "https://alice.example.com",
			Gender: "female", Birthdate: "1988-04-02", Zoneinfo: "Europe/Vienna", Locale: "en",
			PhoneNumber: "+4315550100", PhoneNumberVerified: true,
			Address: user.Address{
				Formatted: "Ringstraße 1\n1010 Wien\nAustria", StreetAddress: "Ringstraße 1",
				Locality: "Wien", Region: "Wien", PostalCode: "1010", Country: "Austria",
			},
		},
		{
			Email: DemoPeople[1], EmailVerified: true, Username: "bob", Demo: true,
			Name: "Bob Example", GivenName: "Bob", FamilyName: "Example", Zoneinfo: "Europe/Lisbon",
		},
	}
}

func (s *Server) seedPerson(ctx context.Context, want user.User) error {
	_, err := s.Users.ByIdentifier(ctx, want.Email)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return err
	}
	_, err = s.CreateUser(ctx, want, DemoPassword)
	return err
}

// errDemoData stops portico serve before a published password can be used.
var errDemoData = errors.New("this database holds the demo data of portico dev, whose passwords and secrets are published: point PORTICO_DATABASE_URL at a database of its own")

// refuseDemo keeps production away from demo data.
func (s *Server) refuseDemo(ctx context.Context) error {
	clients, err := s.durable.Clients.HasSource(ctx, client.Demo)
	if err != nil {
		return err
	}
	people, err := s.durable.Users.HasDemo(ctx)
	if err != nil {
		return err
	}
	if clients || people {
		return errDemoData
	}
	return nil
}
