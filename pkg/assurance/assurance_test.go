package assurance_test

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/session"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func seconds(n int) *int { return &n }

// signedIn is alice, who proved who she is so long ago.
func signedIn(ago time.Duration) *session.Session {
	return &session.Session{
		ID: "sid", UserID: "alice", AuthTime: now.Add(-ago), ACR: "1",
		IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(24 * time.Hour),
	}
}

func ended(s *session.Session) *session.Session { s.EndedAt = now.Add(-time.Second); return s }

func prompt(values ...string) flow.Request { return flow.Request{Prompt: values} }

func TestMissing(t *testing.T) {
	const hour = time.Hour
	alice := func(f flow.Flow) flow.Flow { f.UserID = "alice"; return f }
	tests := map[string]struct {
		flow    flow.Flow
		session *session.Session
		client  client.Client
		covered bool
		leaving bool
		terms   bool
		want    assurance.Step
	}{
		"asked for deletion":                    {session: signedIn(hour), covered: true, leaving: true, want: assurance.Keep},
		"asked for deletion, and terms are new": {session: signedIn(hour), covered: true, leaving: true, terms: true, want: assurance.Keep},
		"asked for deletion, nobody signed in":  {covered: true, leaving: true, want: assurance.Login},
		"terms are new":                         {session: signedIn(hour), covered: true, terms: true, want: assurance.Terms},
		"terms come before consent":             {session: signedIn(hour), terms: true, want: assurance.Terms},
		"terms are new, the login is old":       {flow: flow.Flow{Request: prompt("login")}, session: signedIn(hour), covered: true, terms: true, want: assurance.Login},
		"a page of Portico needs no consent":    {flow: flow.Flow{Request: flow.Request{Return: "/account"}}, session: signedIn(hour), want: assurance.None},
		"a page of Portico needs a login":       {flow: flow.Flow{Request: flow.Request{Return: "/account"}}, want: assurance.Login},
		"a page of Portico needs a fresh login": {flow: flow.Flow{Request: flow.Request{Return: "/account", MaxAge: seconds(300)}}, session: signedIn(hour), want: assurance.Login},
		"a client with a path is no own page":   {flow: flow.Flow{Request: flow.Request{ClientID: "c", Return: "/account"}}, session: signedIn(hour), want: assurance.Consent},

		"signed in and allowed before":            {session: signedIn(hour), covered: true, want: assurance.None},
		"nobody signed in":                        {covered: true, want: assurance.Login},
		"session ended":                           {session: ended(signedIn(hour)), covered: true, want: assurance.Login},
		"session idle too long":                   {session: &session.Session{UserID: "alice", AuthTime: now, IdleExpiresAt: now, ExpiresAt: now.Add(hour)}, covered: true, want: assurance.Login},
		"session above its absolute limit":        {session: &session.Session{UserID: "alice", AuthTime: now, IdleExpiresAt: now.Add(hour), ExpiresAt: now}, covered: true, want: assurance.Login},
		"never allowed":                           {session: signedIn(hour), want: assurance.Consent},
		"never allowed, the operator's own":       {session: signedIn(hour), client: client.Client{SkipConsent: true}, want: assurance.None},
		"never allowed, allowed within this flow": {session: signedIn(hour), flow: alice(flow.Flow{Consented: true}), want: assurance.None},
		"public, on the device, allowed before":   {flow: flow.Flow{Request: flow.Request{RedirectURI: "http://127.0.0.1:5/cb"}}, client: client.Client{AuthMethod: "none"}, session: signedIn(hour), covered: true, want: assurance.Consent},
		"public, on the device, operator's own":   {flow: flow.Flow{Request: flow.Request{RedirectURI: "com.example.app:/cb"}}, client: client.Client{AuthMethod: "none", SkipConsent: true}, session: signedIn(hour), want: assurance.Consent},
		"public, on the device, allowed just now": {flow: alice(flow.Flow{Consented: true, Request: flow.Request{RedirectURI: "http://127.0.0.1:5/cb"}}), client: client.Client{AuthMethod: "none"}, session: signedIn(hour), want: assurance.None},
		"public, on its web site, allowed before": {flow: flow.Flow{Request: flow.Request{RedirectURI: "https://spa.test/cb"}}, client: client.Client{AuthMethod: "none"}, session: signedIn(hour), covered: true, want: assurance.None},
		"login comes before consent":              {want: assurance.Login},

		"prompt=none asks for the same":        {flow: flow.Flow{Request: prompt("none")}, session: signedIn(hour), want: assurance.Consent},
		"prompt=none, nobody signed in":        {flow: flow.Flow{Request: prompt("none")}, covered: true, want: assurance.Login},
		"prompt=none, all there":               {flow: flow.Flow{Request: prompt("none")}, session: signedIn(hour), covered: true, want: assurance.None},
		"prompt=login, signed in just now":     {flow: flow.Flow{Request: prompt("login")}, session: signedIn(0), covered: true, want: assurance.Login},
		"prompt=login, fresh":                  {flow: alice(flow.Flow{Request: prompt("login"), FreshLogin: true}), session: signedIn(0), covered: true, want: assurance.None},
		"prompt=login, fresh by somebody else": {flow: flow.Flow{Request: prompt("login"), FreshLogin: true, UserID: "bob"}, session: signedIn(0), covered: true, want: assurance.Login},
		"prompt=login, fresh by nobody":        {flow: flow.Flow{Request: prompt("login"), FreshLogin: true}, session: signedIn(0), covered: true, want: assurance.Login},
		"prompt=login, a choice is no login":   {flow: alice(flow.Flow{Request: prompt("login"), AccountChosen: true}), session: signedIn(0), covered: true, want: assurance.Login},
		"prompt=login, consent is no login":    {flow: alice(flow.Flow{Request: prompt("login"), Consented: true}), session: signedIn(0), covered: true, want: assurance.Login},

		"prompt=consent, allowed before":           {flow: flow.Flow{Request: prompt("consent")}, session: signedIn(hour), covered: true, want: assurance.Consent},
		"prompt=consent, the operator's own":       {flow: flow.Flow{Request: prompt("consent")}, session: signedIn(hour), client: client.Client{SkipConsent: true}, want: assurance.Consent},
		"prompt=consent, allowed in this flow":     {flow: alice(flow.Flow{Request: prompt("consent"), Consented: true}), session: signedIn(hour), want: assurance.None},
		"prompt=consent, allowed by somebody else": {flow: flow.Flow{Request: prompt("consent"), Consented: true, UserID: "bob"}, session: signedIn(hour), covered: true, want: assurance.Consent},
		"allowed in this flow by somebody else":    {flow: flow.Flow{Consented: true, UserID: "bob"}, session: signedIn(hour), want: assurance.Consent},

		"prompt=select_account":                       {flow: flow.Flow{Request: prompt("select_account")}, session: signedIn(hour), covered: true, want: assurance.Select},
		"prompt=select_account, nobody":               {flow: flow.Flow{Request: prompt("select_account")}, covered: true, want: assurance.Login},
		"prompt=select_account, chosen":               {flow: alice(flow.Flow{Request: prompt("select_account"), AccountChosen: true}), session: signedIn(hour), covered: true, want: assurance.None},
		"prompt=select_account, a login is a choice":  {flow: alice(flow.Flow{Request: prompt("select_account"), FreshLogin: true}), session: signedIn(0), covered: true, want: assurance.None},
		"prompt=select_account, chosen by another":    {flow: flow.Flow{Request: prompt("select_account"), AccountChosen: true, UserID: "bob"}, session: signedIn(hour), covered: true, want: assurance.Select},
		"prompt=select_account login":                 {flow: alice(flow.Flow{Request: prompt("select_account", "login"), AccountChosen: true}), session: signedIn(hour), covered: true, want: assurance.Login},
		"prompt=login consent, fresh":                 {flow: alice(flow.Flow{Request: prompt("login", "consent"), FreshLogin: true}), session: signedIn(0), covered: true, want: assurance.Consent},
		"prompt=create":                               {flow: flow.Flow{Request: prompt("create")}, session: signedIn(hour), covered: true, want: assurance.Create},
		"prompt=create, nobody":                       {flow: flow.Flow{Request: prompt("create")}, want: assurance.Create},
		"prompt=create, made and signed in":           {flow: alice(flow.Flow{Request: prompt("create"), FreshLogin: true}), session: signedIn(0), covered: true, want: assurance.None},
		"prompt=create, made, and consent is missing": {flow: alice(flow.Flow{Request: prompt("create"), FreshLogin: true}), session: signedIn(0), want: assurance.Consent},

		"max_age not reached":                {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(3600)}}, session: signedIn(hour), covered: true, want: assurance.None},
		"max_age passed by a second":         {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(3600)}}, session: signedIn(hour + time.Second), covered: true, want: assurance.Login},
		"max_age passed, fresh":              {flow: alice(flow.Flow{Request: flow.Request{MaxAge: seconds(1)}, FreshLogin: true}), session: signedIn(time.Minute), covered: true, want: assurance.None},
		"max_age passed, chosen only":        {flow: alice(flow.Flow{Request: flow.Request{MaxAge: seconds(1)}, AccountChosen: true}), session: signedIn(time.Minute), covered: true, want: assurance.Login},
		"max_age=0 counts":                   {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(0)}}, session: signedIn(0), covered: true, want: assurance.Login},
		"max_age=0, fresh":                   {flow: alice(flow.Flow{Request: flow.Request{MaxAge: seconds(0)}, FreshLogin: true}), session: signedIn(time.Minute), covered: true, want: assurance.None},
		"max_age huge":                       {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(315360000)}}, session: signedIn(9 * 365 * 24 * hour), covered: true, want: assurance.None},
		"max_age and prompt=none":            {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(60), Prompt: []string{"none"}}}, session: signedIn(hour), covered: true, want: assurance.Login},
		"default_max_age of the client":      {session: signedIn(hour), client: client.Client{DefaultMaxAge: seconds(60)}, covered: true, want: assurance.Login},
		"max_age wins over the default":      {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(7200)}}, session: signedIn(hour), client: client.Client{DefaultMaxAge: seconds(60)}, covered: true, want: assurance.None},
		"clock jumped back an hour":          {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(60)}}, session: signedIn(-hour), covered: true, want: assurance.Login},
		"clocks of two instances differ":     {flow: flow.Flow{Request: flow.Request{MaxAge: seconds(60)}}, session: signedIn(-time.Second), covered: true, want: assurance.None},
		"clock jumped back, nobody asks age": {session: signedIn(-hour), covered: true, want: assurance.None},

		"id_token_hint names this person":               {flow: flow.Flow{Request: flow.Request{HintSubject: "alice"}}, session: signedIn(hour), covered: true, want: assurance.None},
		"id_token_hint names another":                   {flow: flow.Flow{Request: flow.Request{HintSubject: "bob"}}, session: signedIn(hour), covered: true, want: assurance.Login},
		"id_token_hint names another than who signs in": {flow: alice(flow.Flow{Request: flow.Request{HintSubject: "bob"}, FreshLogin: true}), session: signedIn(0), covered: true, want: assurance.Login},

		"another account was asked for":             {flow: alice(flow.Flow{OtherAccount: true}), session: signedIn(hour), covered: true, want: assurance.Login},
		"another account was asked for, and signed": {flow: alice(flow.Flow{OtherAccount: true, FreshLogin: true}), session: signedIn(0), covered: true, want: assurance.None},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := assurance.Input{Flow: &tt.flow, Client: &tt.client, Session: tt.session, Covered: tt.covered, Leaving: tt.leaving, TermsDue: tt.terms, Now: now}
			if got := assurance.Missing(in); got != tt.want {
				t.Errorf("Missing = %v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever the facts of a flow say, who is not signed in gets nothing.
func TestNothingReplacesASession(t *testing.T) {
	facts := []bool{false, true}
	for _, fresh := range facts {
		for _, chosen := range facts {
			for _, consented := range facts {
				f := flow.Flow{UserID: "alice", SessionID: "sid", FreshLogin: fresh, AccountChosen: chosen, Consented: consented}
				in := assurance.Input{Flow: &f, Client: &client.Client{SkipConsent: true}, Covered: true, Now: now}
				if got := assurance.Missing(in); got != assurance.Login {
					t.Errorf("Missing of %+v without a session = %v, want login", f, got)
				}
			}
		}
	}
}

func TestRefusal(t *testing.T) {
	want := map[assurance.Step]string{
		assurance.Login:   "login_required",
		assurance.Select:  "account_selection_required",
		assurance.Create:  "interaction_required",
		assurance.Consent: "consent_required",
	}
	for step, code := range want {
		if got := assurance.Refusal(step); got == nil || got.Code != code || got.Rule == "" {
			t.Errorf("Refusal(%v) = %v, want code %s under a rule", step, got, code)
		}
	}
	if got := assurance.Refusal(assurance.None); got != nil {
		t.Errorf("Refusal(None) = %v, want nil", got)
	}
}
