// Package playground shows portico dev's page that walks a newcomer through
// every flow. The page sends its requests from the browser, like any client;
// this package holds nothing but the demo data that it shows. It is never
// mounted by portico serve.
package playground

import (
	"net/http"

	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Pages draws pages; web.Kit does.
type Pages interface {
	Render(w http.ResponseWriter, r *http.Request, status int, page templates.Page) error
}

// Client is a client of the demo data; a public one has no secret.
type Client struct{ ID, Secret string }

// Config names the demo data. Everything is required and shown.
type Config struct {
	Pages  Pages
	Issuer string
	// People are the sign-in names of the demo people, Password is theirs.
	People   []string
	Password string
	// Web and SPA sign people in, Service is a machine that also introspects.
	Web, SPA, Service Client
	// API is the audience of the demo API, Scopes are its scopes.
	API    string
	Scopes []string
	// Mailbox is the path of the mails that were kept; empty hides.
	Mailbox string
}

// Handler serves the page. It is safe for concurrent use.
type Handler struct {
	pages Pages
	page  templates.Playground
}

// New returns the page.
func New(cfg Config) *Handler {
	return &Handler{pages: cfg.Pages, page: templates.Playground{
		Issuer: cfg.Issuer, People: cfg.People, Password: cfg.Password,
		Web: templates.DemoClient(cfg.Web), SPA: templates.DemoClient(cfg.SPA), Service: templates.DemoClient(cfg.Service),
		API: cfg.API, Scopes: cfg.Scopes, Mailbox: cfg.Mailbox,
	}}
}

// Page answers GET at the playground and at its redirect URI below: the
// answer in the address is for the script, the server does not look at it.
func (h *Handler) Page(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	web.Policy{Connect: true}.Set(w.Header())
	return h.pages.Render(w, r, http.StatusOK, h.page)
}
