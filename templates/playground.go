package templates

import "github.com/portico-id/portico/pkg/protocol"

// Playground walks a developer through every flow, with the demo data of
// portico dev. Requests are sent by its script; without scripts it shows the
// same steps as curl lines. Everything it shows is published.
type Playground struct {
	// Issuer is the issuer; every address of the page is below it.
	Issuer string
	// People are the sign-in names of the demo people, Password is theirs.
	People   []string
	Password string
	// Web and SPA sign people in, Service is a machine that also introspects.
	Web, SPA, Service DemoClient
	// API is the audience of the demo API, Scopes are its scopes.
	API    string
	Scopes []string
	// Mailbox is the path below the issuer of the mail that was kept; empty
	// hides.
	Mailbox string
}

// DemoClient is a client of the demo data; a public one has no secret.
type DemoClient struct{ ID, Secret string }

// Template implements Page.
func (Playground) Template() string { return "playground/playground.html" }

// URL returns the address of a path below the issuer.
func (p Playground) URL(path string) string { return p.Issuer + path }

// Redirect returns where the answers of the playground's sign-in go.
func (p Playground) Redirect() string { return p.Issuer + protocol.PathPlayground + "/callback" }

// Scope is what the sign-in asks for at first.
func (p Playground) Scope() string {
	scope := "openid profile email offline_access"
	for _, s := range p.Scopes {
		scope += " " + s
	}
	return scope
}

// Verifier and Challenge are the pair of RFC 7636 appendix B, for trying the
// flow by hand. The script makes a fresh one for every sign-in.
func (Playground) Verifier() string { return "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" }

// Challenge is the S256 challenge of Verifier.
func (Playground) Challenge() string { return "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" }
