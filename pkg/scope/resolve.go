package scope

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// resolver answers one Ask over one catalogue.
type resolver struct {
	catalogue *catalogue
	cfg       Config
	ask       Ask

	targets []*API // the APIs that the resources name, each once
	named   []string
}

func (r *resolver) resolve() (*Answer, error) {
	if err := r.readResources(); err != nil {
		return nil, err
	}
	scopes, err := r.readScopes()
	if err != nil {
		return nil, err
	}
	apis, audiences, err := r.audiences(scopes)
	if err != nil {
		return nil, err
	}
	a := &Answer{Scopes: scopes, Audiences: audiences, Format: JWT}
	for _, api := range apis {
		a.take(api)
	}
	return a, nil
}

// take adds what an API wants of its tokens. A token for several APIs is as
// careful as the most careful of them: opaque if one wants it, and as short
// as the shortest.
func (a *Answer) take(api *API) {
	if api.Format == Opaque {
		a.Format = Opaque
	}
	if api.TokenTTL > 0 && (a.TokenTTL == 0 || api.TokenTTL < a.TokenTTL) {
		a.TokenTTL = api.TokenTTL
	}
	a.PlainType = a.PlainType || api.PlainType
	a.RolesInToken = a.RolesInToken || api.RolesInToken
}

// readResources checks every resource value: an absolute URI without fragment
// (RFC 8707 §2) that the client may name.
func (r *resolver) readResources() error {
	for _, res := range r.ask.Resources {
		if slices.Contains(r.named, res) {
			continue
		}
		if !absoluteURI(res) {
			return badTarget("RFC 8707 §2 resource is an absolute URI without fragment", res).
				WithHint("Send the audience of an API as resource, for instance https://api.example.com.")
		}
		api, known := r.catalogue.byAud[res]
		if !r.mayTarget(api, known, res) {
			return badTarget("RFC 8707 §2 the client may name the resource", res).
				WithHint("Add the audience to the client, or register an API with exactly this audience.")
		}
		r.named = append(r.named, res)
		if known {
			r.targets = append(r.targets, api)
		}
	}
	return nil
}

// mayTarget decides whether the client may name the audience. A client whose
// ceiling holds a scope of the API reaches its audience anyway.
func (r *resolver) mayTarget(api *API, known bool, res string) bool {
	c := r.ask.Client
	dynamic := c.Source == client.Dynamic
	switch {
	case res == r.cfg.Issuer:
		return true
	case !known:
		return dynamic && r.cfg.LoopbackResources && loopbackURL(res)
	case c.MayTarget(res), dynamic && api.OpenToDynamic:
		return true
	}
	return slices.ContainsFunc(api.Scopes, func(s Scope) bool { return c.MayAsk(s.Name) })
}

// readScopes returns the scopes that may be granted.
func (r *resolver) readScopes() ([]string, error) {
	if len(r.ask.Scopes) == 0 {
		return r.defaults(), nil
	}
	openid := slices.Contains(r.ask.Scopes, protocol.ScopeOpenID)
	out := make([]string, 0, len(r.ask.Scopes))
	for _, name := range r.ask.Scopes {
		if slices.Contains(out, name) {
			continue
		}
		_, owned := r.catalogue.owner[name]
		switch {
		case r.ask.Machine && isOwn(name):
			return nil, badScope("OIDC Core §3.1.2.1 a scope about a person needs a person", name).
				WithHint("Client credentials take part without a person: ask for scopes of APIs only.")
		case r.ask.Client.MayAsk(name):
			out = append(out, name)
		case owned || isOwn(name):
			return nil, badScope("RFC 6749 §3.3 the scope is within the client's ceiling", name).
				WithHint("Add the scope to the client %s.", r.ask.Client.ID)
		case !openid: // OIDC Core §3.1.2.1 ignores scopes it does not know
			return nil, badScope("RFC 6749 §3.3 the scope is known", name).
				WithHint("No API defines this scope.")
		}
	}
	return out, nil
}

// defaults are the scopes of a request that names none (RFC 6749 §3.3): a
// machine gets all of the client's own, a person's client those of the
// resources it names. Both only within the resources, when there are any.
func (r *resolver) defaults() []string {
	if r.ask.Granted || !r.ask.Machine && len(r.targets) == 0 {
		return nil
	}
	var out []string
	for _, name := range r.ask.Client.Scopes {
		if isOwn(name) || slices.Contains(out, name) {
			continue
		}
		if len(r.named) > 0 && !r.withinTargets(name) {
			continue
		}
		out = append(out, name)
	}
	return out
}

func (r *resolver) withinTargets(name string) bool {
	o, ok := r.catalogue.owner[name]
	return ok && slices.Contains(r.targets, o.api)
}

// audiences names who the access token is for: the resources asked for, else
// the one API that owns the scopes, else the issuer; with openid the issuer
// besides, because userinfo needs it.
func (r *resolver) audiences(scopes []string) ([]*API, []string, error) {
	owners, err := r.owners(scopes)
	if err != nil {
		return nil, nil, err
	}
	var out []string
	apis := r.targets
	switch {
	case len(r.named) > 0:
		out = slices.Clone(r.named)
	case len(owners) == 1:
		apis, out = owners, []string{owners[0].Audience}
	}
	if len(out) == 0 || slices.Contains(scopes, protocol.ScopeOpenID) {
		if !slices.Contains(out, r.cfg.Issuer) {
			out = append(out, r.cfg.Issuer)
		}
	}
	return apis, out, nil
}

// owners returns the APIs whose scopes are asked. A scope outside the named
// resources, or scopes of two APIs without any, would make a token that one
// API could use at the other.
func (r *resolver) owners(scopes []string) ([]*API, error) {
	var owners []*API
	for _, name := range scopes {
		o, ok := r.catalogue.owner[name]
		if !ok || slices.Contains(owners, o.api) {
			continue
		}
		if len(r.named) > 0 && !slices.Contains(r.targets, o.api) {
			return nil, badScope("RFC 8707 §2.2 every scope belongs to a resource of the request", name).
				WithHint("The scope belongs to %s: name it as resource too.", o.api.Audience)
		}
		owners = append(owners, o.api)
		if len(r.named) == 0 && len(owners) > 1 {
			return nil, badScope("RFC 8707 §2.2 scopes of two APIs need resource", name).
				WithHint("The scopes belong to %s and %s: name one or both as resource.", owners[0].Audience, o.api.Audience)
		}
	}
	return owners, nil
}

func badScope(rule, name string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidScope, "The requested scope is unknown, malformed or not allowed for this client.").
		Under(rule).Compare(protocol.Scope, "", name)
}

func badTarget(rule, res string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidTarget, "The requested resource is unknown, malformed or not allowed for this client.").
		Under(rule).Compare(protocol.Resource, "", res)
}

// absoluteURI reports whether s is an absolute URI without fragment or
// user-info (RFC 3986 §4.3). A bare "#" is a fragment too.
func absoluteURI(s string) bool {
	if s == "" || len(s) > maxAudience || strings.ContainsAny(s, "# \\\"<>") {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.User != nil {
		return false
	}
	return u.Host != "" || u.Opaque != ""
}

// loopbackURL reports whether s is an http(s) URL of this machine.
func loopbackURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	host := u.Hostname()
	if host == "localhost" {
		return true
	}
	if h, _, err := net.SplitHostPort(u.Host); err == nil {
		host = strings.Trim(h, "[]")
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
