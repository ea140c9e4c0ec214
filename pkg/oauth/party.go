package oauth

import (
	"time"

	"github.com/ory/fosite"

	"github.com/portico-id/portico/pkg/client"
)

// party shows fosite a client. It does not implement OpenIDConnectClient, so
// fosite's own request objects and assertions stay off, and it carries no
// secret: the client was authenticated before.
type party struct {
	c *client.Client
	// redirect is the one URI that client.MatchRedirect accepted. fosite's own
	// loopback match forgets the registered scheme and accepts user-info.
	redirect string
	scopes   []string      // what this request may carry: already within the ceiling
	life     time.Duration // of the access token of this request
}

var (
	_ fosite.Client                         = (*party)(nil)
	_ fosite.ClientWithCustomTokenLifespans = (*party)(nil)
)

func (p *party) GetID() string                      { return p.c.ID }
func (p *party) GetHashedSecret() []byte            { return nil }
func (p *party) GetGrantTypes() fosite.Arguments    { return p.c.GrantTypes }
func (p *party) GetResponseTypes() fosite.Arguments { return p.c.ResponseTypes }
func (p *party) GetScopes() fosite.Arguments        { return p.scopes }
func (p *party) GetAudience() fosite.Arguments      { return nil }
func (p *party) IsPublic() bool                     { return p.c.Public() }

func (p *party) GetRedirectURIs() []string {
	if p.redirect == "" {
		return nil
	}
	return []string{p.redirect}
}

// GetEffectiveLifespan gives access tokens the life that was decided for this
// request: the shortest of API, client and server.
func (p *party) GetEffectiveLifespan(_ fosite.GrantType, tt fosite.TokenType, fallback time.Duration) time.Duration {
	if tt == fosite.AccessToken && p.life > 0 {
		return p.life
	}
	return fallback
}
