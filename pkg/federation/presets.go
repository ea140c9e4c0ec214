package federation

import "slices"

// preset is what a kind of provider is like, unless its settings say otherwise.
type preset struct {
	name   string   // on the button
	issuer string   // empty: the settings name it
	scopes []string // of the authorization request
	// secret holds when the kind needs one.
	secret bool
	// openid holds for kinds whose documents and ID tokens are those of OpenID
	// Connect. The others have endpoints: authorize, token and api.
	openid                bool
	authorize, token, api string
	// params are more of the authorization request.
	params map[string]string
}

// presets are the kinds of providers but LDAP.
var presets = map[Kind]preset{
	OIDC:      {name: "OpenID", scopes: []string{"openid", "profile", "email"}, openid: true},
	Google:    {name: "Google", issuer: "https://accounts.google.com", scopes: []string{"openid", "profile", "email"}, openid: true, secret: true},
	Microsoft: {name: "Microsoft", issuer: microsoft + "common/v2.0", scopes: []string{"openid", "profile", "email"}, openid: true, secret: true},
	Apple: {
		name: "Apple", issuer: "https://appleid.apple.com", scopes: []string{"openid", "name", "email"}, openid: true, secret: true,
		params: map[string]string{"response_mode": "form_post"}, // Apple demands it with the scopes name and email
	},
	GitHub: {
		name: "GitHub", issuer: "https://github.com", scopes: []string{"read:user", "user:email"}, secret: true,
		authorize: "https://github.com/login/oauth/authorize", token: "https://github.com/login/oauth/access_token", api: "https://api.github.com/user",
	},
	// The OpenID Connect of Facebook is announced as being tested, and its
	// discovery names no token endpoint: what is documented to stay is the
	// login dialog and the Graph API. Without a version in the path the oldest
	// that is served answers.
	Facebook: {
		name: "Facebook", issuer: "https://www.facebook.com", scopes: []string{"public_profile", "email"}, secret: true,
		authorize: "https://www.facebook.com/dialog/oauth", token: "https://graph.facebook.com/oauth/access_token", api: "https://graph.facebook.com/me",
	},
}

// Kinds returns every kind of provider.
func Kinds() []Kind { return []Kind{OIDC, Google, Microsoft, Facebook, Apple, GitHub, LDAP} }

// Interactive reports whether people are sent to the provider; a directory
// checks the password that they type here.
func (p *Provider) Interactive() bool { return p.Kind != LDAP }

// FormPost reports whether the provider answers with a POST from its own site.
func (p *Provider) FormPost() bool {
	return p.Settings.Params["response_mode"] == "form_post" || p.Kind == Apple && p.Settings.Params["response_mode"] == ""
}

func (p *Provider) issuer() string { return or(p.Settings.Issuer, presets[p.Kind].issuer) }

func (p *Provider) scopes() []string {
	if len(p.Settings.Scopes) > 0 {
		return p.Settings.Scopes
	}
	return slices.Clone(presets[p.Kind].scopes)
}

func or(s, standard string) string {
	if s == "" {
		return standard
	}
	return s
}
