package porticotest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage"
)

// look writes a branding directory; more stands behind the name.
func look(t *testing.T, more string) porticotest.Option {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string]string{
		"brand.yaml": "name: Lighthouse\nlogo: logo.svg\naccent: \"#1b4f9c\"\n" + more,
		"logo.svg":   `<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z"/></svg>`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return porticotest.With(func(c *config.Config) { c.BrandingDir = dir })
}

// An operator's look is worn by every page: the server's own, those of an
// application that has another, the error page of its request, and by letters.
func TestPagesAndLettersWearTheOperatorsLook(t *testing.T) {
	s := porticotest.New(t, porticotest.Path("/auth"), look(t, "clients:\n  demo-web: {name: Harbour, accent: \"#8a2b12\"}\n"))
	b := s.NewBrowser()
	style := regexp.MustCompile(`href="(/auth/static/brand\.[0-9a-f]{12}\.css)"`)
	accents := map[string]string{"Lighthouse": "#1b4f9c", "Harbour": "#8a2b12"}
	for name, tt := range map[string]struct{ address, brand string }{
		"login of the application":       {s.AuthorizeURL(porticotest.Web, "openid"), "Harbour"},
		"login of another":               {s.AuthorizeURL(porticotest.SPA, "openid"), "Lighthouse"},
		"its error page":                 {s.AuthorizeURL(porticotest.Web, "openid", "redirect_uri", "https://evil.example/"), "Harbour"},
		"the error page of an unknown":   {s.AuthorizeURL(porticotest.App{ID: "unknown"}, "openid"), "Lighthouse"},
		"a page of nobody":               {s.URL + "/signed-out", "Lighthouse"},
		"a flow that is not there":       {s.URL + "/login?flow=x", "Lighthouse"},
		"signing out of the application": {s.URL + "/oauth2/logout?client_id=demo-web&post_logout_redirect_uri=https://evil.example/", "Harbour"},
	} {
		page := b.Get(s.URL + strings.TrimPrefix(tt.address, s.URL)).Body
		found := style.FindStringSubmatch(page)
		if !strings.Contains(page, "· "+tt.brand+"</title>") || !strings.Contains(page, `<img src="/auth/static/logo.`) || found == nil {
			t.Errorf("%s does not wear the look of %s: %.900s", name, tt.brand, page)
			continue
		}
		if css := b.Get(strings.TrimSuffix(s.URL, "/auth") + found[1]).Body; !strings.Contains(css, "--accent: "+accents[tt.brand]) {
			t.Errorf("%s has not the colours of %s: %.300s", name, tt.brand, css)
		}
	}
	if err := s.Mail.Test(t.Context(), "ann@example.test"); err != nil {
		t.Fatal(err)
	}
	if letter := s.Letter("ann@example.test"); !strings.Contains(letter.HTML, "<bdi>Lighthouse</bdi>") || !strings.Contains(letter.Text, "Lighthouse") {
		t.Errorf("the letter is not the operator's: %s", letter.Text)
	}
	if found := branding(t, s.Server); found.Status != storage.OK || !strings.Contains(found.Detail, "is sound") {
		t.Errorf("doctor says %+v", found)
	}
}

// A look that would leave people before a broken page stops the server, and a
// shell only says so.
func TestABrokenLookStopsTheStart(t *testing.T) {
	const want = "brand.yaml:4: there is no key \"colour\" here"
	broken := look(t, "colour: red\n")
	if s, err := porticotest.Start(t, broken); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "PORTICO_BRANDING_DIR ") {
		t.Fatalf("started with %v, %v", s, err)
	}
}

func branding(t *testing.T, s *server.Server) storage.Finding {
	t.Helper()
	found := s.Doctor(t.Context())
	i := slices.IndexFunc(found, func(f storage.Finding) bool { return f.Check == "branding" })
	if i < 0 {
		t.Fatal("doctor does not look at the branding")
	}
	return found[i]
}
