package scope

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/portico-id/portico/pkg/protocol"
)

// loadTimeout bounds a read that several requests wait for, because none of
// them may cancel it for the others.
const loadTimeout = 5 * time.Second

// cache keeps the APIs for a short time. One request reads, the others wait
// for it; when the read fails nothing older than ttl is used.
type cache struct {
	load  func(context.Context) ([]API, error)
	ttl   time.Duration
	last  atomic.Pointer[catalogue] // replaced whole, never edited
	era   atomic.Int64              // grows with every change made here
	group singleflight.Group
}

func (c *cache) get(ctx context.Context) (*catalogue, error) {
	if last := c.last.Load(); last != nil && last.era == c.era.Load() && time.Since(last.at) < c.ttl {
		return last, nil
	}
	done := c.group.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		era, at := c.era.Load(), time.Now()
		apis, err := c.load(ctx)
		if err != nil {
			return nil, err
		}
		fresh := newCatalogue(apis)
		fresh.at, fresh.era = at, era
		c.last.Store(fresh)
		return fresh, nil
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*catalogue), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// forget makes the next read ask the store.
func (c *cache) forget() {
	c.era.Add(1)
	c.group.Forget("")
}

// catalogue is the list of APIs with its indexes. It is never modified.
type catalogue struct {
	apis  []API
	byAud map[string]*API
	owner map[string]owned // by scope name
	at    time.Time
	era   int64
}

type owned struct {
	api   *API
	scope Scope
}

func newCatalogue(apis []API) *catalogue {
	c := &catalogue{apis: apis, byAud: make(map[string]*API, len(apis)), owner: map[string]owned{}}
	for i := range apis {
		a := &apis[i]
		c.byAud[a.Audience] = a
		for _, sc := range a.Scopes {
			c.owner[sc.Name] = owned{api: a, scope: sc}
		}
	}
	return c
}

func (c *catalogue) mayIntrospect(clientID string, audiences []string) bool {
	if clientID == "" {
		return false
	}
	for _, aud := range audiences {
		if a, ok := c.byAud[aud]; ok && slices.Contains(a.ResourceServers, clientID) {
			return true
		}
	}
	return false
}

func (c *catalogue) personMay(scopes, roles []string) []string {
	out := make([]string, 0, len(scopes))
	for _, name := range scopes {
		if o, ok := c.owner[name]; ok && o.scope.RequiresRole != "" && !slices.Contains(roles, o.scope.RequiresRole) {
			continue
		}
		out = append(out, name)
	}
	return out
}

func (c *catalogue) forDynamic() (scopes, audiences []string) {
	scopes = Own()
	for i := range c.apis {
		if a := &c.apis[i]; a.OpenToDynamic {
			audiences = append(audiences, a.Audience)
			for _, sc := range a.Scopes {
				scopes = append(scopes, sc.Name)
			}
		}
	}
	return scopes, audiences
}

// Own returns the scopes that Portico itself owns, in the order of discovery.
func Own() []string {
	return []string{
		protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopeAddress,
		protocol.ScopePhone, protocol.ScopeOfflineAccess, protocol.ScopeRoles,
	}
}

// isOwn reports whether Portico itself owns the scope.
func isOwn(name string) bool {
	switch name {
	case protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopeAddress,
		protocol.ScopePhone, protocol.ScopeOfflineAccess, protocol.ScopeRoles:
		return true
	}
	return false
}
