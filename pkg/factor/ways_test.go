package factor_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

func TestASecondFactorSignsIn(t *testing.T) {
	r := newRig(t, app)
	b := r.Browser()
	at := r.pending(t, b, "")
	shown := b.Get(at)
	for _, want := range []string{
		"Ann Example", "ann@example.test", "Type the code that your authenticator app shows now.", `inputmode="numeric"`,
		`autocomplete="one-time-code"`, "autofocus", `name="form_token"`, `id="factor-cancel"`, `name="trust"`,
	} {
		if !strings.Contains(shown.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := shown.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	r.nobody(t, b)

	answer := b.Submit(at, "code", "000000")
	if answer.Status != http.StatusOK || !strings.Contains(answer.Body, `aria-invalid="true" aria-describedby="problem"`) || !strings.Contains(answer.Body, `id="problem"`) {
		t.Errorf("a wrong code: status %d, want the page with what was wrong", answer.Status)
	}
	r.nobody(t, b)
	r.refused(t, "code_wrong")
	failed := r.Audit.Named(audit.FactorFailed)
	if len(failed) != 1 || failed[0].UserID != r.ann.ID || failed[0].ClientID != r.App.ID || failed[0].Data["factor"] != "totp" || failed[0].Data["reason"] != "reason for the operator" {
		t.Errorf("recorded %+v", failed)
	}
	if strings.Contains(answer.Body, "reason for the operator") {
		t.Error("the person reads what is for the operator")
	}

	at = stage.Follow(t, b.Submit(at, "code", right))
	if !stage.IsPage(at, "/consent") {
		t.Fatalf("the right code leads to %q", at)
	}
	if at = stage.Follow(t, b.Submit(at, "decision", "allow")); at != stage.Granted {
		t.Fatalf("then %q", at)
	}
	s := r.session(t, b)
	if s.ACR != "2" || !slices.Equal(s.AMR, []string{"pwd", "otp", "mfa"}) || s.UserID != r.ann.ID {
		t.Errorf("the session is of %s by %v, acr %s", s.UserID, s.AMR, s.ACR)
	}
	if got := r.Limits.Count("second-factor"); len(got) != 1 || got["user:"+r.ann.ID] != 1 {
		t.Errorf("counted %v, want the wrong one alone", got)
	}
	for _, hidden := range []string{right, "000000", stage.Password} {
		if strings.Contains(r.Log.String(), hidden) {
			t.Errorf("the log holds %q", hidden)
		}
	}
}

func TestLookingAtThePageChangesNothing(t *testing.T) {
	r := newRig(t, []assurance.Factor{assurance.TOTP, assurance.SMS})
	b := r.Browser()
	at := r.pending(t, b, "")
	before := len(r.Audit.Events())
	for _, path := range []string{at, at + "&with=sms", at + "&code=" + right, at + "&decision=send&with=sms", at + "&decision=deny", at + "&with=nothing", at + "&with=totp&with=sms"} {
		if a := b.Get(path); a.Status != http.StatusOK {
			t.Errorf("GET %s: status %d", path, a.Status)
		}
	}
	if a := b.Do(http.MethodPut, at, nil, nil); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("PUT: status %d, Allow %q", a.Status, a.Header.Get("Allow"))
	}
	r.nobody(t, b)
	if r.app.count() != 0 || r.sms.sent != 0 || len(r.Audit.Events()) != before || len(r.Limits.Count("second-factor")) != 0 {
		t.Errorf("%d answers looked at, %d codes sent", r.app.count(), r.sms.sent)
	}
}

func TestWaysAreOffered(t *testing.T) {
	r := newRig(t, []assurance.Factor{assurance.Email, assurance.TOTP, assurance.SMS, assurance.Passkey})
	r.codes.left = 3
	b := r.Browser()
	at := r.pending(t, b, "")
	t.Run("the best first, and each other one", func(t *testing.T) {
		body := b.Get(at).Body
		order := []string{`id="passkey-form"`, `id="factor-with-totp"`, `id="factor-with-sms"`, `id="factor-with-email"`, `id="factor-with-recovery_code"`}
		last := -1
		for _, want := range order {
			i := strings.Index(body, want)
			if i <= last {
				t.Errorf("%q is at %d, after what should follow it", want, i)
			}
			last = i
		}
		if strings.Contains(body, `id="factor-with-passkey"`) {
			t.Error("what is shown is offered once more")
		}
	})
	t.Run("each says in one sentence what will happen", func(t *testing.T) {
		for kind, want := range map[string]string{
			"passkey": "your device asks for your finger, face or PIN", "totp": "authenticator app shows now", "sms": "by text message to",
			"email": "by email to", "recovery_code": "one of your recovery codes",
		} {
			if body := b.Get(at + "&with=" + kind).Body; !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", kind, want)
			}
		}
	})
	t.Run("a passkey's form carries what its script needs", func(t *testing.T) {
		body := b.Get(at).Body
		for _, want := range []string{
			`id="passkey-form"`, `data-passkey="get"`, `second=1`, `name="ceremony"`, `name="credential"`, "<noscript>", "needs JavaScript",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
	})
	t.Run("a passkey's form without an answer is no try", func(t *testing.T) {
		for range 10 {
			if a := b.Submit(at); a.Status != http.StatusOK || !strings.Contains(a.Body, "This passkey did not work") {
				t.Fatalf("status %d", a.Status)
			}
		}
		if r.passkey.count() != 0 || len(r.Limits.Count("second-factor")) != 0 {
			t.Errorf("counted %v", r.Limits.Count("second-factor"))
		}
	})
	t.Run("recovery codes only while some are left", func(t *testing.T) {
		r.codes.left = 0
		if body := b.Get(at + "&with=recovery_code").Body; strings.Contains(body, `autocomplete="off"`) || strings.Contains(body, "factor-with-recovery_code") {
			t.Error("they are offered to who has none")
		}
		r.codes.left = 3
	})
	t.Run("a kind that the server does not take is none", func(t *testing.T) {
		r.Opener.Policy.Taken = []assurance.Factor{assurance.TOTP}
		defer func() { r.Opener.Policy.Taken = assurance.Factors() }()
		if body := b.Get(at + "&with=sms").Body; !strings.Contains(body, `inputmode="numeric"`) || strings.Contains(body, "factor-with-sms") || strings.Contains(body, "passkey-form") {
			t.Error("more than the app is offered")
		}
	})
	t.Run("a passkey and a recovery code sign in", func(t *testing.T) {
		for kind, tt := range map[string]struct{ field, acr string }{"passkey": {"credential", "phr"}, "recovery_code": {"code", "2"}} {
			b := r.Browser()
			at := r.pending(t, b, "") + "&with=" + kind
			if got := stage.Follow(t, b.Submit(at, tt.field, right)); !stage.IsPage(got, "/consent") {
				t.Fatalf("%s leads to %q", kind, got)
			}
			if s := r.session(t, b); s.ACR != tt.acr {
				t.Errorf("%s: acr %s, want %s", kind, s.ACR, tt.acr)
			}
		}
	})
}

func TestCodesAreSent(t *testing.T) {
	r := newRig(t, []assurance.Factor{assurance.SMS, assurance.Email})
	b := r.Browser()
	at := r.pending(t, b, "")
	if body := b.Get(at).Body; strings.Contains(body, `name="code"`) || !strings.Contains(body, `value="send"`) || !strings.Contains(body, "+49 … 42") {
		t.Fatal("want a button that sends a code, and where it goes")
	}
	sent := stage.Follow(t, b.Submit(at, "decision", "send"))
	if body := b.Get(sent).Body; r.sms.sent != 1 || !strings.Contains(body, `name="code"`) || !strings.Contains(body, "We sent a code to") || !strings.Contains(body, `id="factor-again"`) {
		t.Errorf("%d sent; want a field for it, and a way to another one", r.sms.sent)
	}
	t.Run("a code by text message is none by email", func(t *testing.T) {
		if body := b.Get(at + "&with=email").Body; strings.Contains(body, "We sent a code") || strings.Contains(body, `name="code"`) {
			t.Error("the page of codes by email says that one was sent")
		}
	})
	t.Run("one that is too old is told so, and counted", func(t *testing.T) {
		r.sms.fail(fault.New(fault.Gone, "code_over", "This code is over.").Under("confirmations expire").Compare("code", "open", "expired"))
		if body := b.Submit(sent, "code", right).Body; !strings.Contains(body, "too old or was used") {
			t.Error("the page does not say that another one is needed")
		}
		r.sms.fail(nil)
		if got := r.Limits.Count("second-factor"); got["user:"+r.ann.ID] != 1 {
			t.Errorf("counted %v", got)
		}
	})
	t.Run("too many are refused", func(t *testing.T) {
		r.sms.fail(fault.New(fault.Limited, "rate_limited", "Too many.").Under("messages per number").After(time.Minute))
		if a := b.Submit(sent, "decision", "send"); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "60" {
			t.Errorf("status %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
		}
		r.sms.fail(nil)
	})
	t.Run("when it cannot be sent the other ways are offered", func(t *testing.T) {
		r.sms.fail(down())
		defer r.sms.fail(nil)
		a := b.Submit(at, "decision", "send")
		if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "does not work at the moment") || !strings.Contains(a.Body, `id="factor-with-email"`) {
			t.Errorf("status %d; want one sentence, and the other way", a.Status)
		}
		r.refused(t, "sms_down")
		if a := b.Get(at); a.Status != http.StatusOK {
			t.Errorf("the page itself: status %d", a.Status)
		}
	})
	if at := stage.Follow(t, b.Submit(sent, "code", right)); !stage.IsPage(at, "/consent") {
		t.Errorf("the right code leads to %q", at)
	}
}

func TestAPersonMayStop(t *testing.T) {
	for name, tt := range map[string]struct{ query, want string }{
		"RFC 6749 §4.1.2.1 cancel":                          {"", "access_denied"},
		"RFC 9470 §5 cancel what acr_values asks for":       {"acr_values=2", "unmet_authentication_requirements"},
		"acr_values that the password reaches ask for none": {"acr_values=1", "access_denied"},
		"acr_values of others ask for none":                 {"acr_values=urn:x", "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, app)
			b := r.Browser()
			at := r.pending(t, b, tt.query)
			if got := stage.Follow(t, b.Submit(at, "decision", "deny")); got != stage.Redirect+"?error="+tt.want+"&state=st%26te" {
				t.Errorf("cancel leads to %q", got)
			}
			r.nobody(t, b)
			if last := r.Finisher.Refused(); len(last) != 1 || last[0].Rule == "" {
				t.Errorf("refused %v", last)
			}
			if a := b.Get(at); a.Status != http.StatusGone {
				t.Errorf("the page of what is over: status %d", a.Status)
			}
		})
	}
	t.Run("and sign in as somebody else", func(t *testing.T) {
		r := newRig(t, app)
		b := r.Browser()
		at := r.pending(t, b, "")
		if got := stage.Follow(t, b.Submit(at, "decision", "restart")); !stage.IsPage(got, "/login") {
			t.Errorf("leads to %q", got)
		}
		if got := stage.Follow(t, b.Get(at)); !stage.IsPage(got, "/login") {
			t.Errorf("the page from before leads to %q", got)
		}
	})
}
