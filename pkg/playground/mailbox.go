package playground

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/templates"
)

// Letters are the mails that were kept; mail.Service has them.
type Letters interface {
	Kept(ctx context.Context) ([]mail.Kept, error)
	KeptByID(ctx context.Context, id string) (mail.Kept, error)
}

// Mailbox serves the mails that portico dev kept instead of sending them, to
// people as pages and to programs as JSON. It is safe for concurrent use.
type Mailbox struct {
	pages   Pages
	letters Letters
}

// NewMailbox returns the mailbox.
func NewMailbox(pages Pages, letters Letters) *Mailbox { return &Mailbox{pages, letters} }

// keptMail is a mail in the JSON of the mailbox.
type keptMail struct {
	ID      string    `json:"id"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	Link    string    `json:"link"`
	Code    string    `json:"code"`
	SentAt  time.Time `json:"sentAt"`
	Letter  string    `json:"letter"`
}

// List answers GET at the mailbox: every mail, newest first.
func (m *Mailbox) List(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	all, err := m.letters.Kept(r.Context())
	if err != nil {
		return err
	}
	w.Header().Add("Vary", "Accept")
	if wantsJSON(r) {
		out := make([]keptMail, len(all)) // [] when there is none
		for i, k := range all {
			out[i] = keptMail{k.ID, k.To, k.Subject, k.Text, k.HTML, k.Link, k.Code, k.CreatedAt, k.Letter}
		}
		web.WriteJSON(w, http.StatusOK, out)
		return nil
	}
	page := templates.Mailbox{Self: protocol.PathMailbox, Home: protocol.PathPlayground}
	for _, k := range all {
		page.Mails = append(page.Mails, line(k))
	}
	return m.pages.Render(w, r, http.StatusOK, page)
}

func line(k mail.Kept) templates.MailLine {
	return templates.MailLine{ID: k.ID, To: k.To, Subject: k.Subject, At: k.CreatedAt}
}

// wantsJSON reports whether a program asks: it names JSON and no HTML.
func wantsJSON(r *http.Request) bool {
	accept := strings.ToLower(r.Header.Get("Accept"))
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// One answers GET below the mailbox: a mail by its id, or its HTML part.
func (m *Mailbox) One(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return web.MethodNotAllowed(w, "GET, HEAD")
	}
	_, rest, _ := strings.Cut(r.URL.Path, protocol.PathMailbox+"/")
	id, part, split := strings.Cut(rest, "/")
	if split && part != "html" {
		return fault.New(fault.NotFound, "not_found", "There is nothing at this address.")
	}
	k, err := m.letters.KeptByID(r.Context(), id)
	if err != nil {
		return err
	}
	if split {
		return showHTML(w, k)
	}
	return m.pages.Render(w, r, http.StatusOK, templates.MailboxMail{
		MailLine: line(k), Lang: k.Lang, Letter: k.Letter, Text: k.Text, Link: k.Link, Code: k.Code,
		Back: protocol.PathMailbox, HTML: protocol.PathMailbox + "/" + k.ID + "/html",
	})
}

// htmlPolicy is for a mail shown as it is. Mails style themselves inline,
// which our pages may not; so it is put into a sandbox: no script, no form, no
// origin, and nothing is fetched. Its links may be followed.
const htmlPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"sandbox allow-popups allow-popups-to-escape-sandbox"

func showHTML(w http.ResponseWriter, k mail.Kept) error {
	h := w.Header()
	h.Set("Content-Security-Policy", htmlPolicy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", k.Lang)
	_, _ = io.WriteString(w, k.HTML) // the person is gone: nothing left to do
	return nil
}
