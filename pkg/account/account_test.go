package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/account"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

// rooms are the pages of the account; those that are sensitive ask for a
// fresh sign-in.
var rooms = map[string]struct{ fresh, takes bool }{
	"/account": {false, true}, "/account/profile": {false, true}, "/account/email": {true, true},
	"/account/password": {false, true}, "/account/sessions": {false, true}, "/account/applications": {false, true},
	"/account/history": {false, false}, "/account/data": {true, true}, "/account/delete": {true, true},
}

func TestEveryRoomIsForPeopleWhoSignedIn(t *testing.T) {
	r := newRig(t)
	ours := r.signIn(t, ann)
	for path, room := range rooms {
		t.Run(path, func(t *testing.T) {
			if at := stage.Follow(t, r.Browser().Get(path)); !stage.IsPage(at, "/login") {
				t.Errorf("a stranger is sent to %q", at)
			}
			if a := r.Browser().Post(path, url.Values{"form_token": {"x"}}); room.takes && !stage.IsPage(a.Location, "/login") {
				t.Errorf("a stranger's form leads to %q", a.Location)
			}
			a := ours.Get(path)
			if a.Status != http.StatusOK {
				t.Fatalf("status %d: %.300s", a.Status, a.Body)
			}
			if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self'") || a.Header.Get("Cross-Origin-Opener-Policy") != "same-origin" {
				t.Errorf("policy %q, opener %q", csp, a.Header.Get("Cross-Origin-Opener-Policy"))
			}
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Error("the page may be kept")
			}
			for _, method := range []string{http.MethodPut, http.MethodDelete, "BREW"} {
				if a := ours.Do(method, path, nil, nil); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") == "" {
					t.Errorf("%s: status %d, Allow %q", method, a.Status, a.Header.Get("Allow"))
				}
			}
		})
	}
}

func TestBrokenSessionsAreNobody(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	whole := b.Cookie(stage.SessionCookie)
	for _, cookie := range []string{"", "x", whole + "x", whole[:len(whole)-1], "pts_" + strings.Repeat("A", 49), strings.Repeat("A", 4000)} {
		b.SetCookie(stage.SessionCookie, cookie)
		if at := stage.Follow(t, b.Get("/account/profile")); !stage.IsPage(at, "/login") {
			t.Errorf("the cookie %.10q leads to %q", cookie, at)
		}
	}
}

func TestSensitiveRoomsAskAgain(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	stale := map[string]url.Values{}
	for path := range rooms {
		stale[path] = form(b, path)
	}
	later(t, 299*time.Second)
	for path := range rooms {
		if a := b.Get(path); a.Status != http.StatusOK {
			t.Errorf("%s after 299 seconds: status %d, to %q", path, a.Status, a.Location)
		}
	}
	later(t, time.Second)
	for path, room := range rooms {
		a := b.Get(path)
		if room.fresh != stage.IsPage(a.Location, "/login") {
			t.Errorf("%s after 300 seconds: status %d, to %q", path, a.Status, a.Location)
		}
		if !room.fresh {
			continue
		}
		f := stale[path]
		for name, value := range map[string]string{"decision": "change", "email": "new@example.test", "sure": "on"} {
			f.Set(name, value)
		}
		at := stage.Follow(t, b.Post(path, f))
		if !stage.IsPage(at, "/login") {
			t.Fatalf("the form of %s leads to %q", path, at)
		}
		if len(r.Letters.All()) != 0 || len(r.Audit.Named(audit.UserExported)) != 0 || !r.person(t).DeleteAt.IsZero() {
			t.Errorf("the form of %s changed something", path)
		}
		if back := stage.Follow(t, b.Submit(at, "username", ann, "password", stage.Password)); back != path {
			t.Errorf("the sign-in led back to %q, want %s", back, path)
		}
		if a := b.Get(path); a.Status != http.StatusOK {
			t.Errorf("%s after the sign-in: status %d", path, a.Status)
		}
		later(t, 301*time.Second)
	}
}

func TestFormsBelongToTheirPageSessionAndBrowser(t *testing.T) {
	r := newRig(t)
	b, other := r.signIn(t, ann), r.signIn(t, ann)
	for path, room := range rooms {
		if !room.takes {
			continue
		}
		elsewhere := "/account"
		if path == "/account" {
			elsewhere = "/account/profile"
		}
		for name, token := range map[string]string{
			"none": "", "garbage": "x", "of another page": form(b, elsewhere).Get("form_token"),
			"of another session": form(other, path).Get("form_token"), "huge": strings.Repeat("x", 5000), "with a control character": "\x01",
		} {
			a := b.Post(path, url.Values{"form_token": {token}, "sure": {"on"}, "decision": {"change"}, "email": {"x@example.test"}, "session": {"others"}, "name": {"Eve"}})
			if a.Status != http.StatusForbidden || !strings.Contains(a.Body, "open for too long") {
				t.Errorf("%s, token %s: status %d: %.200s", path, name, a.Status, a.Body)
			}
		}
		for name, header := range map[string]http.Header{
			"of another website": {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
			"of a subdomain":     {"Sec-Fetch-Site": {"same-site"}},
		} {
			if a := b.Do(http.MethodPost, path, form(b, path, "sure", "on"), header); a.Status != http.StatusForbidden {
				t.Errorf("%s, a form %s: status %d", path, name, a.Status)
			}
		}
	}
	if u := r.person(t); u.Name != "Ann Example" || !u.DeleteAt.IsZero() || len(r.Letters.All()) != 0 || r.session(t, other) == nil {
		t.Errorf("something was changed: %+v", u)
	}
}

func TestBodiesThatAreNoForms(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	send := func(path, kind, body string) int {
		req, err := http.NewRequest(http.MethodPost, stage.Issuer+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Origin", stage.Issuer)
		return serve(r, b, req)
	}
	for path, room := range rooms {
		if !room.takes {
			continue
		}
		for name, tt := range map[string]struct {
			kind, body string
			want       int
		}{
			"JSON":        {"application/json", `{"name":"x"}`, http.StatusUnsupportedMediaType},
			"multipart":   {"multipart/form-data; boundary=x", "--x--", http.StatusUnsupportedMediaType},
			"no type":     {"", "name=x", http.StatusUnsupportedMediaType},
			"twice":       {"application/x-www-form-urlencoded", "name=x&name=y", http.StatusBadRequest},
			"NUL":         {"application/x-www-form-urlencoded", "name=%00", http.StatusBadRequest},
			"not UTF-8":   {"application/x-www-form-urlencoded", "name=%ff", http.StatusBadRequest},
			"bad escapes": {"application/x-www-form-urlencoded", "name=%zz", http.StatusBadRequest},
			"huge":        {"application/x-www-form-urlencoded", "name=" + strings.Repeat("x", 70<<10), http.StatusRequestEntityTooLarge},
			"a huge part": {"application/x-www-form-urlencoded", "name=" + strings.Repeat("x", 9<<10), http.StatusRequestEntityTooLarge},
			"many fields": {"application/x-www-form-urlencoded", manyFields(), http.StatusBadRequest},
		} {
			if got := send(path, tt.kind, tt.body); got != tt.want {
				t.Errorf("%s, %s: status %d, want %d", path, name, got, tt.want)
			}
		}
	}
}

func TestChangesAreCountedPerAddress(t *testing.T) {
	r := newRig(t, func(d *account.Deps) {
		d.Rules.AccountAddress = limit.Rule{Name: "account-address", Max: 3, Window: time.Hour}
	})
	b := r.signIn(t, ann)
	f := form(b, "/account/profile", "name", "Ann")
	for range 3 {
		if a := b.Post("/account/profile", f); a.Status != http.StatusSeeOther {
			t.Fatalf("status %d", a.Status)
		}
	}
	for path, room := range rooms {
		if a := b.Post(path, f); room.takes && (a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "") {
			t.Errorf("%s: status %d, Retry-After %q", path, a.Status, a.Header.Get("Retry-After"))
		}
	}
	if a := b.Get("/account/profile"); a.Status != http.StatusOK {
		t.Errorf("looking is counted too: status %d", a.Status)
	}
	r.Limits.SetDown(true)
	if a := b.Post("/account/profile", f); a.Status != http.StatusServiceUnavailable {
		t.Errorf("with the counters down: status %d, want 503", a.Status)
	}
}

func TestDisabledPeopleAreOutside(t *testing.T) {
	r := newRig(t)
	b := r.signIn(t, ann)
	f := form(b, "/account/profile", "name", "Eve")
	if err := r.Users.Disable(ctx, r.ann.ID); err != nil {
		t.Fatal(err)
	}
	if at := stage.Follow(t, b.Post("/account/profile", f)); !stage.IsPage(at, "/login") || r.person(t).Name == "Eve" {
		t.Errorf("the form led to %q", at)
	}
}
