package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/login"
	"github.com/portico-id/portico/pkg/onetime"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/recoverycode"
	"github.com/portico-id/portico/pkg/safehttp"
	"github.com/portico-id/portico/pkg/sms"
	"github.com/portico-id/portico/pkg/web"
	"github.com/portico-id/portico/storage"
)

// openRecoveryCodes builds the codes for who lost their other factors.
func (s *Server) openRecoveryCodes() {
	s.RecoveryCodes = recoverycode.NewService(recoverycode.Deps{
		Store: s.durable.RecoveryCodes, Users: s.Users, Tx: s.durable, Fingerprint: s.fingerprint, Letters: s.Mail, Audit: s.audit,
		URL: func(path string) string { return s.cfg.Issuer + path },
	})
}

// openOneTime builds the factors that are sent.
func (s *Server) openOneTime() {
	s.OneTime = onetime.NewService(onetime.Deps{
		Store: s.durable.Contacts, Users: s.Users, Proofs: s.Confirmations, Keeper: s.Factors, Letters: s.Mail, SMS: s.texts(),
		Words: s.brand.Templates, Host: s.cfg.IssuerURL().Hostname(), Tx: s.durable, Gate: s.gate(), Rules: s.limitRules(),
		Fingerprint: s.fingerprint, Audit: s.audit,
	})
}

// texts sends text messages: through the operator's webhook, else into the log
// of a development server. The settings see to it that portico serve takes no
// codes by text message without a webhook.
func (s *Server) texts() sms.Sender {
	if s.cfg.SMSWebhookURL == "" {
		return sms.Log{Log: s.log}
	}
	allow := s.cfg.Outbound()
	if s.cfg.Dev {
		allow = slices.Concat(allow, thisMachine)
	}
	return sms.NewWebhook(s.cfg.SMSWebhookURL, s.cfg.SMSWebhookKey, safehttp.Config{Allow: allow})
}

// sentKind is a kind of factor that is sent.
type sentKind interface {
	factor.Sender
	factor.Lister
}

// sentKinds are those that the server takes.
func (s *Server) sentKinds() []sentKind {
	all := []sentKind{onetime.SMS{Service: s.OneTime}, onetime.Email{Service: s.OneTime}}
	return slices.DeleteFunc(all, func(k sentKind) bool { return !slices.Contains(s.policy().Taken, k.Kind()) })
}

// codes are the account's pages of codes on paper, and of those that are sent.
type codes struct {
	paper *recoverycode.Handler
	sent  *onetime.Handler
}

func (s *Server) openCodePages(signIn *login.Handler, rooms *room.Keeper, onward *factor.Onward) codes {
	return codes{
		paper: &recoverycode.Handler{Rooms: rooms, Codes: s.RecoveryCodes},
		sent:  &onetime.Handler{Rooms: rooms, Codes: s.OneTime, Raise: signIn, Onward: onward},
	}
}

// routes lists the pages. Those of kinds that are not taken are not there.
func (c codes) routes(page func(web.Handler) http.Handler, taken []assurance.Factor) []route {
	list := []route{{protocol.PathAccountCodes, page(c.paper.Account)}}
	if slices.Contains(taken, assurance.Email) {
		list = append(list, route{protocol.PathAccountEmailCode, page(c.sent.Email)})
	}
	if slices.Contains(taken, assurance.SMS) {
		list = append(list, route{protocol.PathAccountSMS, page(c.sent.SMS)})
	}
	return list
}

// lateText is how far back doctor looks for text messages that were not sent.
const lateText = time.Hour

// examineTexts says how text messages leave, and whether they do.
func (s *Server) examineTexts(ctx context.Context) storage.Finding {
	f := storage.Finding{Check: "text messages", Status: storage.OK}
	taken := slices.Contains(s.policy().Taken, assurance.SMS)
	switch {
	case !taken:
		f.Detail = "none are sent: mfa_methods has no sms"
		return f
	case s.cfg.SMSWebhookURL == "":
		f.Detail = "they stand in the log of the development server"
		return f
	}
	host := s.cfg.SMSWebhookURL
	if u, err := url.Parse(host); err == nil {
		host = u.Host
	}
	failed, err := s.failedTexts(ctx)
	switch {
	case err != nil:
		f.Status, f.Detail = storage.Warn, "the audit cannot be asked: "+err.Error()
	case failed:
		f.Status, f.Detail = storage.Warn, host+" did not take one within the last hour"
		f.Hint = "the audit events sms.failed say what it answered; check sms_webhook_url and sms_webhook_key"
	default:
		f.Detail = host + " is asked to send them, and took all of the last hour"
	}
	return f
}

// mostEvents bounds how many events doctor looks at.
const mostEvents = 1000

func (s *Server) failedTexts(ctx context.Context) (bool, error) {
	events, err := s.durable.Audit.Recent(ctx, "", mostEvents)
	return slices.ContainsFunc(events, func(e audit.Event) bool {
		return e.Name == audit.SMSFailed && clock.Since(e.At) < lateText
	}), err
}
