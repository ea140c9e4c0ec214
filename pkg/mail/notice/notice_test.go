package notice_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/mail/notice"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

func TestCircumstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01
		at := templates.Fact{Key: "time", Value: "2000-01-01 00:00 UTC"}
		address := templates.Fact{Key: "address", Value: "192.0.2.1"}
		remote := netip.MustParseAddr("192.0.2.1")
		firefox := "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		for name, tt := range map[string]struct {
			trail *trail.Trail
			want  []templates.Fact
		}{
			"no request":            {nil, []templates.Fact{at}},
			"nothing known":         {&trail.Trail{}, []templates.Fact{at}},
			"a browser":             {&trail.Trail{Remote: remote, UserAgent: firefox}, []templates.Fact{{Key: "device", Value: "Firefox, Linux"}, address, at}},
			"words of a stranger":   {&trail.Trail{Remote: remote, UserAgent: "Call +1 555 0100 at once"}, []templates.Fact{address, at}},
			"a megabyte of letters": {&trail.Trail{UserAgent: strings.Repeat("A", 1<<20)}, []templates.Fact{at}},
		} {
			ctx := context.Background()
			if tt.trail != nil {
				ctx = trail.With(ctx, tt.trail)
			}
			if got := notice.Circumstances(ctx); !slices.Equal(got, tt.want) {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
		}
		time.Sleep(90 * time.Minute)
		if got := notice.Circumstances(context.Background()); got[0].Value != "2000-01-01 01:30 UTC" {
			t.Errorf("an hour and a half later: %v", got)
		}
	})
}

func TestOwner(t *testing.T) {
	got := notice.Owner(&user.User{ID: "u", Email: "ann@example.test", Name: "Ann", Locale: "de"}, "fr", "en")
	if got.UserID != "u" || got.Email != "ann@example.test" || got.Name != "Ann" || !slices.Equal(got.Locales, []string{"de", "fr", "en"}) {
		t.Errorf("the owner is %+v", got)
	}
	if got := notice.Owner(&user.User{}, "fr"); !slices.Equal(got.Locales, []string{"fr"}) {
		t.Errorf("without a language of their own: %v", got.Locales)
	}
}
