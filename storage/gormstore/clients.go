package gormstore

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/paging"
)

// Clients implements client.Store.
type Clients struct{ db *DB }

// Clients returns the store of clients.
func (d *DB) Clients() *Clients { return &Clients{d} }

// Durations are plain numbers: a driver that does not know the type of the
// column would write them as an interval.
type clientRow struct {
	ID                                    string `gorm:"primaryKey"`
	Name, ApplicationType, Source         string
	Disabled                              bool
	ClientURI, LogoURI, PolicyURI, TosURI string
	Contacts                              list
	AuthMethod                            string
	AuthMethodStrict                      bool
	AuthSigningAlg                        string
	Secrets                               doc[[]client.Secret]
	JWKS                                  string `gorm:"column:jwks"`
	JWKSURI                               string `gorm:"column:jwks_uri"`
	RedirectURIs                          list   `gorm:"column:redirect_uris"`
	PostLogoutRedirectURIs                list   `gorm:"column:post_logout_redirect_uris"`
	InitiateLoginURI                      string
	GrantTypes, ResponseTypes             list
	Scopes, Audiences                     list
	PKCEOptional                          bool `gorm:"column:pkce_optional"`
	SkipConsent                           bool
	ProfileInIDToken                      bool   `gorm:"column:profile_in_id_token"`
	IDTokenAlg                            string `gorm:"column:id_token_alg"`
	UserinfoAlg, IntrospectionAlg         string
	DefaultMaxAge                         *int
	RequireAuthTime                       bool
	DefaultACRValues                      list   `gorm:"column:default_acr_values"`
	MinimumACR                            string `gorm:"column:minimum_acr"`
	Ways                                  list
	AccessTokenTTL                        int64 `gorm:"column:access_token_ttl"`
	RefreshIdleTTL                        int64 `gorm:"column:refresh_idle_ttl"`
	RefreshAbsoluteTTL                    int64 `gorm:"column:refresh_absolute_ttl"`
	SoftwareID, SoftwareVersion           string
	RegistrationTokenHash                 string
	CreatedAt                             time.Time `gorm:"autoCreateTime:false"`
	UpdatedAt                             time.Time `gorm:"autoUpdateTime:false"`
}

// TableName implements gorm's Tabler.
func (clientRow) TableName() string { return "clients" }

func rowOfClient(c client.Client) clientRow {
	secrets := slices.Clone(c.Secrets)
	for i := range secrets {
		secrets[i].CreatedAt, secrets[i].ExpiresAt = utc(secrets[i].CreatedAt), utc(secrets[i].ExpiresAt)
	}
	return clientRow{
		ID: c.ID, Name: c.Name, ApplicationType: string(c.ApplicationType), Source: string(c.Source), Disabled: c.Disabled,
		ClientURI: c.ClientURI, LogoURI: c.LogoURI, PolicyURI: c.PolicyURI, TosURI: c.TosURI, Contacts: c.Contacts,
		AuthMethod: c.AuthMethod, AuthMethodStrict: c.AuthMethodStrict, AuthSigningAlg: c.AuthSigningAlg,
		Secrets: doc[[]client.Secret]{secrets}, JWKS: string(c.JWKS), JWKSURI: c.JWKSURI,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, InitiateLoginURI: c.InitiateLoginURI,
		GrantTypes: c.GrantTypes, ResponseTypes: c.ResponseTypes, Scopes: c.Scopes, Audiences: c.Audiences,
		PKCEOptional: c.PKCEOptional, SkipConsent: c.SkipConsent, ProfileInIDToken: c.ProfileInIDToken,
		IDTokenAlg: c.IDTokenAlg, UserinfoAlg: c.UserinfoAlg, IntrospectionAlg: c.IntrospectionAlg,
		DefaultMaxAge: c.DefaultMaxAge, RequireAuthTime: c.RequireAuthTime, DefaultACRValues: c.DefaultACRValues,
		MinimumACR: c.MinimumACR, Ways: c.Ways,
		AccessTokenTTL: int64(c.AccessTokenTTL), RefreshIdleTTL: int64(c.RefreshIdleTTL), RefreshAbsoluteTTL: int64(c.RefreshAbsoluteTTL),
		SoftwareID: c.SoftwareID, SoftwareVersion: c.SoftwareVersion, RegistrationTokenHash: c.RegistrationTokenHash,
		CreatedAt: utc(c.CreatedAt), UpdatedAt: utc(c.UpdatedAt),
	}
}

func (r clientRow) client() client.Client {
	c := client.Client{
		ID: r.ID, Name: r.Name, ApplicationType: client.ApplicationType(r.ApplicationType), Source: client.Source(r.Source), Disabled: r.Disabled,
		ClientURI: r.ClientURI, LogoURI: r.LogoURI, PolicyURI: r.PolicyURI, TosURI: r.TosURI, Contacts: r.Contacts,
		AuthMethod: r.AuthMethod, AuthMethodStrict: r.AuthMethodStrict, AuthSigningAlg: r.AuthSigningAlg,
		Secrets: r.Secrets.v, JWKSURI: r.JWKSURI,
		RedirectURIs: r.RedirectURIs, PostLogoutRedirectURIs: r.PostLogoutRedirectURIs, InitiateLoginURI: r.InitiateLoginURI,
		GrantTypes: r.GrantTypes, ResponseTypes: r.ResponseTypes, Scopes: r.Scopes, Audiences: r.Audiences,
		PKCEOptional: r.PKCEOptional, SkipConsent: r.SkipConsent, ProfileInIDToken: r.ProfileInIDToken,
		IDTokenAlg: r.IDTokenAlg, UserinfoAlg: r.UserinfoAlg, IntrospectionAlg: r.IntrospectionAlg,
		DefaultMaxAge: r.DefaultMaxAge, RequireAuthTime: r.RequireAuthTime, DefaultACRValues: r.DefaultACRValues,
		MinimumACR: r.MinimumACR, Ways: r.Ways,
		AccessTokenTTL: time.Duration(r.AccessTokenTTL), RefreshIdleTTL: time.Duration(r.RefreshIdleTTL), RefreshAbsoluteTTL: time.Duration(r.RefreshAbsoluteTTL),
		SoftwareID: r.SoftwareID, SoftwareVersion: r.SoftwareVersion, RegistrationTokenHash: r.RegistrationTokenHash,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if r.JWKS != "" {
		c.JWKS = json.RawMessage(r.JWKS)
	}
	return c
}

// Create implements client.Store.
func (s *Clients) Create(ctx context.Context, c client.Client) error {
	if !findable(c.ID) {
		return malformed
	}
	row := rowOfClient(c)
	return s.db.insert(ctx, "clients.create", &row)
}

// ByID implements client.Store.
func (s *Clients) ByID(ctx context.Context, id string) (client.Client, error) {
	var row clientRow
	err := s.db.first(ctx, "clients.by_id", &row, "id = ?", id)
	return row.client(), err
}

// Update implements client.Store. The time of creation stays: lists are
// ordered by it.
func (s *Clients) Update(ctx context.Context, c client.Client) error {
	row := rowOfClient(c)
	return s.db.replace(ctx, "clients.update", &row, "id", c.ID)
}

// Delete implements client.Store.
func (s *Clients) Delete(ctx context.Context, id string) error {
	return s.db.remove(ctx, "clients.delete", "DELETE FROM clients WHERE id = ?", id)
}

// List implements client.Store.
func (s *Clients) List(ctx context.Context, page paging.Page) ([]client.Client, error) {
	var rows []clientRow
	if err := s.db.page(ctx, "clients.list", "clients", page, &rows); err != nil {
		return nil, err
	}
	out := make([]client.Client, len(rows))
	for i, r := range rows {
		out[i] = r.client()
	}
	return out, nil
}

// HasSource implements client.Store.
func (s *Clients) HasSource(ctx context.Context, source client.Source) (bool, error) {
	var has bool
	err := s.db.row(ctx, "clients.has_source", []any{&has}, "SELECT EXISTS (SELECT 1 FROM clients WHERE source = ?)", string(source))
	return has, err
}
