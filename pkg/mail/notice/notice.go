// Package notice says what every letter about an account has in common: to
// whom it goes, and under which circumstances it was caused. It sends none
// (mail does), and whoever makes a change decides what its letter says.
package notice

import (
	"context"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/mail"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
	"github.com/portico-id/portico/templates"
)

// Owner returns the owner of an account as a recipient. locales are those of
// the request, for whoever never chose a language.
func Owner(u *user.User, locales ...string) mail.Recipient {
	to := mail.Recipient{UserID: u.ID, Email: u.Email, Name: u.Name}
	if u.Locale != "" {
		to.Locales = append(to.Locales, u.Locale)
	}
	to.Locales = append(to.Locales, locales...)
	return to
}

// Circumstances tell from where and when the request of ctx came. What a
// browser calls itself comes in our words only.
func Circumstances(ctx context.Context) []templates.Fact {
	facts := []templates.Fact{{Key: templates.FactTime, Value: clock.Now().UTC().Format("2006-01-02 15:04 ") + time.UTC.String()}}
	t := trail.From(ctx)
	if t == nil {
		return facts
	}
	if t.Remote.IsValid() {
		facts = append([]templates.Fact{{Key: templates.FactAddress, Value: t.Remote.String()}}, facts...)
	}
	if device := deviceName(session.DeviceOf(t.UserAgent)); device != "" {
		facts = append([]templates.Fact{{Key: templates.FactDevice, Value: device}}, facts...)
	}
	return facts
}

// deviceName returns "Firefox, Windows", or what of it is known.
func deviceName(d session.Device) string {
	return strings.Join(strings.FieldsFunc(d.Browser+"\n"+d.OS, func(r rune) bool { return r == '\n' }), ", ")
}
