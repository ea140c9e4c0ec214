package visit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/porticotest/stage"
	"github.com/portico-id/portico/pkg/user"
)

// speaks gives a person a locale.
func speaks(t *testing.T, r *stage.Pages, u *user.User, locale string) {
	t.Helper()
	u.Locale = locale
	if _, err := r.Users.Update(context.Background(), *u); err != nil {
		t.Fatal(err)
	}
}

func TestPagesSpeakTheLanguageOfTheAccount(t *testing.T) {
	r := stage.NewPages(t)
	speaks(t, r, r.Person(t, "ann@example.test"), "de-AT")
	r.Person(t, "ben@example.test")
	ann := r.Browser()
	r.SignIn(t, ann, "ann@example.test")
	ben := r.Browser()
	r.SignIn(t, ben, "ben@example.test")
	over := r.Begin(t, ann, "prompt=login")
	if answer := ann.Submit(over, "decision", "deny"); answer.Status != 303 {
		t.Fatalf("refusing = %d", answer.Status)
	}
	for name, tt := range map[string]struct {
		browser *stage.Browser
		path    string
		want    string
	}{
		"nobody":                               {r.Browser(), r.Begin(t, r.Browser(), ""), "en"},
		"who is signed in":                     {ann, r.Begin(t, ann, "prompt=login"), "de"},
		"the account has none":                 {ben, r.Begin(t, ben, "prompt=login"), "en"},
		"OIDC Core §3.1.2.1 ui_locales first":  {ann, r.Begin(t, ann, "prompt=login&ui_locales=en-GB"), "en"},
		"ui_locales that nobody speaks":        {ann, r.Begin(t, ann, "prompt=login&ui_locales=zh"), "de"},
		"another page of the flow":             {ann, r.Begin(t, ann, "prompt=consent"), "de"},
		"an error page of an unknown flow":     {ann, "/login?flow=x", "de"},
		"an error page of a flow that is over": {ann, over, "de"},
		"an error page of another browser":     {ann, r.Begin(t, ben, "prompt=login"), "de"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := tt.browser.Get(tt.path)
			if !strings.Contains(answer.Body, `<html lang="`+tt.want+`"`) {
				t.Errorf("GET %s = %d %.120s, want %s", tt.path, answer.Status, answer.Body, tt.want)
			}
		})
	}
}

// The form was sent by a browser that speaks English; the page that answers
// knows who sent it.
func TestTheNextPageSpeaksTheLanguageOfWhoSignedIn(t *testing.T) {
	r := stage.NewPages(t)
	ann, ben := r.Person(t, "ann@example.test"), r.Person(t, "ben@example.test")
	speaks(t, r, ann, "de")
	speaks(t, r, ben, "en")
	b := r.Browser()
	at := stage.Follow(t, b.Submit(r.Begin(t, b, ""), "username", ann.Email, "password", stage.Password))
	if body := b.Get(at).Body; !strings.HasPrefix(at, "/consent") || !strings.Contains(body, `<html lang="de"`) {
		t.Errorf("%s after the login is not in German: %.100s", at, body)
	}
	at = stage.Follow(t, b.Submit(r.Begin(t, b, "prompt=login"), "username", ben.Email, "password", stage.Password))
	if body := b.Get(at).Body; !strings.HasPrefix(at, "/consent") || !strings.Contains(body, `<html lang="en"`) {
		t.Errorf("%s speaks the language of who was signed in before: %.100s", at, body)
	}
}
