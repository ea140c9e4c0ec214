package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/secret"
)

// checkValues looks at each value by itself.
func (c *Config) checkValues(at func(key string) string) []error {
	var problems []error
	add := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", at(key), fmt.Sprintf(format, args...)))
	}
	if c.Issuer != "" {
		if err := checkIssuer(c.Issuer); err != nil {
			add("issuer", "%v", err)
		}
	}
	for key, addr := range map[string]string{"listen": c.Listen, "metrics_listen": c.MetricsListen} {
		if _, _, err := net.SplitHostPort(addr); addr != "" && err != nil {
			add(key, "want host:port or :port, such as :8080")
		}
	}
	oneOf := func(key, got string, want ...string) {
		if !slices.Contains(want, got) {
			add(key, "is %q; want one of %s", got, strings.Join(want, ", "))
		}
	}
	oneOf("registration", string(c.Registration), "off", "token", "open")
	oneOf("signup", string(c.Signup), "open", "invite", "closed")
	oneOf("pkce", string(c.PKCE), "recommended", "required")
	oneOf("legacy_flows", c.LegacyFlows, "off")
	oneOf("log_level", c.LogLevel, "debug", "info", "warn", "error")
	oneOf("log_format", c.LogFormat, "json", "text")
	oneOf("tracing", c.Tracing, "off", "otlp")
	oneOf("signup_verification", string(c.SignupVerification), "required", "off")
	oneOf("signup_username", string(c.SignupUsername), "off", "optional", "required")
	oneOf("recovery_four_eyes", string(c.RecoveryFourEyes), "off", "on")
	oneOf("passkey_attestation", c.PasskeyAttestation, "off", "required")
	oneOf("mfa_everyone", c.MFAEveryone, "", "2", "phr")
	for _, method := range c.MFAMethods {
		oneOf("mfa_methods", method, "passkey", "totp", "email", "sms")
	}
	for _, one := range c.MFARoles {
		role, class, _ := strings.Cut(one, "=")
		if role == "" || class != "2" && class != "phr" {
			add("mfa_roles", "%q is no demand such as portico:admin=phr; classes are 2 and phr", one)
		}
	}
	if c.MFABrowsers < 1 || c.MFABrowsers > 100 {
		add("mfa_browsers", "is %d; want between 1 and 100", c.MFABrowsers)
	}
	for key, list := range map[string][]string{"trusted_proxies": c.TrustedProxies, "outbound_allow": c.OutboundAllow} {
		for _, s := range list {
			if _, err := parsePrefix(s); err != nil {
				add(key, "%q is no address or CIDR such as 10.0.0.0/8", s)
			}
		}
	}
	between := func(key string, d, low, high time.Duration) {
		if d < low || d > high {
			add(key, "is %s; want between %s and %s", d, low, high)
		}
	}
	between("access_token_ttl", c.AccessTokenTTL, 10*time.Second, 24*time.Hour)
	between("id_token_ttl", c.IDTokenTTL, 10*time.Second, 24*time.Hour)
	between("refresh_idle_ttl", c.RefreshIdleTTL, time.Minute, 10*365*24*time.Hour)
	between("refresh_absolute_ttl", c.RefreshAbsoluteTTL, time.Minute, 10*365*24*time.Hour)
	between("session_idle_ttl", c.SessionIdleTTL, time.Minute, 365*24*time.Hour)
	between("session_absolute_ttl", c.SessionAbsoluteTTL, time.Minute, 365*24*time.Hour)
	between("session_remember_idle_ttl", c.SessionRememberIdleTTL, time.Minute, 365*24*time.Hour)
	between("invitation_ttl", c.InvitationTTL, time.Minute, 90*24*time.Hour)
	between("mfa_grace", c.MFAGrace, 0, 365*24*time.Hour)
	between("mfa_remember", c.MFARemember, 0, 365*24*time.Hour)
	between("recovery_link_ttl", c.RecoveryLinkTTL, time.Minute, 30*24*time.Hour)
	between("deletion_grace", c.DeletionGrace, 0, 365*24*time.Hour)
	for key, r := range map[string]Rate{
		"limit_login_account": c.LimitLoginAccount, "limit_login_address": c.LimitLoginAddress,
		"limit_signup_address": c.LimitSignupAddress, "limit_recovery_address": c.LimitRecoveryAddress,
		"limit_account_address": c.LimitAccountAddress, "limit_mail_address": c.LimitMailAddress,
		"limit_mail_recipient": c.LimitMailRecipient, "limit_code": c.LimitCode,
		"limit_flow_address": c.LimitFlowAddress, "limit_register_address": c.LimitRegisterAddress,
		"limit_second_factor": c.LimitSecondFactor, "limit_sms_recipient": c.LimitSMSRecipient, "limit_sms_address": c.LimitSMSAddress,
		"limit_client_failures": c.LimitClientFailures, "limit_login_spread": c.LimitLoginSpread,
	} {
		if _, _, err := r.Parse(); err != nil {
			add(key, "is %q; %v", r, err)
		}
	}
	for _, role := range c.SignupRoles {
		if !signupRole.MatchString(role) || strings.HasPrefix(role, "portico:") {
			add("signup_roles", "%q is no role for everybody: up to 64 letters, digits and : . _ - /, and not one of Portico's own, such as portico:admin", role)
		}
	}
	for _, domain := range c.SignupDomains {
		if !signupDomain.MatchString(domain) {
			add("signup_domains", "%q is no domain such as example.com", domain)
		}
	}
	for _, kind := range c.PasswordRequire {
		oneOf("password_require", kind, "digit", "upper", "lower", "symbol")
	}
	for key, s := range map[string]string{"terms_url": c.TermsURL, "privacy_url": c.PrivacyURL, "password_range_url": c.PasswordRangeURL} {
		if u, err := url.Parse(s); s != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && IsLoopback(u.Hostname()))) {
			add(key, "want an https URL")
		}
	}
	between("key_rotate_every", c.KeyRotateEvery, 48*time.Hour, 10*365*24*time.Hour)
	between("shutdown_timeout", c.ShutdownTimeout, time.Second, 10*time.Minute)
	between("drain_delay", c.DrainDelay, 0, 5*time.Minute)
	between("refusals_keep", c.RefusalsKeep, time.Hour, 366*24*time.Hour)
	between("audit_keep", c.AuditKeep, 24*time.Hour, 100*366*24*time.Hour)
	number := func(key string, n, low, high int) {
		if n < low || n > high {
			add(key, "is %d; want between %d and %d", n, low, high)
		}
	}
	number("limit_factor", c.LimitFactor, 1, 1_000_000)
	number("database_max_connections", c.DatabaseMaxConnections, 2, 1000)
	number("password_min_length", c.PasswordMinLength, 8, 64)
	number("argon2_memory", c.ArgonMemory, 7168, 4*1024*1024)
	number("argon2_time", c.ArgonTime, 1, 100)
	number("argon2_parallelism", c.ArgonParallelism, 1, 64)
	if c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "sqlite:///") &&
		!strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://") {
		add("database_url", "want sqlite:///path/portico.db or postgres://user@host/database")
	}
	if c.RedisURL != "" && !strings.HasPrefix(c.RedisURL, "redis://") && !strings.HasPrefix(c.RedisURL, "rediss://") {
		add("redis_url", "want redis://host:6379 or rediss://host:6379")
	}
	c.checkMail(add)
	c.checkPasskeys(add)
	c.checkSMS(add)
	if c.EncryptionKeys != "" {
		if _, err := secret.ParseKeys(c.EncryptionKeys); err != nil {
			add("encryption_keys", "%v; make one with: openssl rand -base64 32", err)
		}
	}
	for i, t := range c.RegistrationTokens {
		if len(t) < 32 {
			add("registration_tokens", "token %d is shorter than 32 characters; make one with: openssl rand -hex 32", i+1)
		}
	}
	return problems
}

var (
	signupRole   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._/-]{0,63}$`)
	signupDomain = regexp.MustCompile(`^[\p{L}\p{N}]([\p{L}\p{N}\p{M}.-]*[\p{L}\p{N}\p{M}])?$`)
)

// checkMail looks at how mail leaves.
func (c *Config) checkMail(add func(key, format string, args ...any)) {
	if c.SMTPURL != "" {
		u, err := url.Parse(c.SMTPURL)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "smtp" && u.Scheme != "smtps":
			add("smtp_url", "want smtp://user:password@host:587 or smtps://user:password@host:465")
		case u.Path != "" && u.Path != "/":
			add("smtp_url", "has a path; nothing stands behind the host but ?tls=off")
		case u.Query().Get("tls") == "off" && !IsLoopback(u.Hostname()):
			add("smtp_url", "tls=off is for a relay on this machine; passwords and links would travel in the clear")
		case u.RawQuery != "" && u.RawQuery != "tls=off":
			add("smtp_url", "only ?tls=off may stand behind the host")
		}
	}
	for key, s := range map[string]string{"mail_from": c.MailFrom, "mail_reply_to": c.MailReplyTo} {
		if _, err := mail.ParseAddress(s); s != "" && err != nil {
			add(key, "want an address such as Example <no-reply@example.com>")
		}
	}
}

// checkSMS looks at how text messages leave.
func (c *Config) checkSMS(add func(key, format string, args ...any)) {
	if c.SMSWebhookURL == "" {
		return
	}
	if u, err := url.Parse(c.SMSWebhookURL); err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && IsLoopback(u.Hostname())) {
		add("sms_webhook_url", "want an https URL")
	}
	if len(c.SMSWebhookKey) < 32 {
		add("sms_webhook_key", "is shorter than 32 characters, and signs what is sent to sms_webhook_url; make one with: openssl rand -hex 32")
	}
}

// checkIssuer refuses what OIDC Discovery §4.1 and RFC 8414 §2 do not allow:
// a query, a fragment, user info; and a trailing slash, because clients
// compare the issuer byte for byte.
func checkIssuer(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return errors.New("want a URL such as https://id.example.com")
	}
	switch {
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return errors.New("an issuer has no query and no fragment")
	case u.User != nil:
		return errors.New("an issuer has no user name or password")
	case strings.HasSuffix(s, "/"):
		return fmt.Errorf("ends with a slash, and clients compare it byte for byte; write %s", strings.TrimRight(s, "/"))
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return errors.New("must begin with https:// (http:// is for loopback hosts only)")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must begin with https://")
	case u.Host != strings.ToLower(u.Host):
		return fmt.Errorf("write the host in lower case: %s", strings.ToLower(u.Host))
	case u.Path != "" && u.EscapedPath() != u.Path:
		return errors.New("has escaped characters in its path; choose a plain path")
	}
	return nil
}

// IsLoopback reports whether the host name or literal is this machine.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// CheckServe refuses combinations that are unsafe in production. Every
// sentence says what to change.
func (c *Config) CheckServe() error {
	var problems []error
	need := func(ok bool, sentence string) {
		if !ok {
			problems = append(problems, errors.New(sentence))
		}
	}
	need(c.Issuer != "", "no issuer: set PORTICO_ISSUER to the https URL that people will use, such as https://id.example.com")
	need(c.DatabaseURL != "", "no database: set PORTICO_DATABASE_URL to postgres://… or sqlite:///var/lib/portico/portico.db")
	need(c.EncryptionKeys != "", "no encryption key: set PORTICO_ENCRYPTION_KEYS (or PORTICO_ENCRYPTION_KEYS_FILE); make one with: openssl rand -base64 32")
	need((c.TLSCertFile == "") == (c.TLSKeyFile == ""), "tls_cert_file and tls_key_file go together: set both or neither")
	need(c.Registration != RegistrationToken || len(c.RegistrationTokens) > 0, "registration is token but there is none: set PORTICO_REGISTRATION_TOKENS, or PORTICO_REGISTRATION=off")
	need(c.Signup == SignupClosed || c.SignupVerification == VerificationOff || c.SMTPURL != "", "people may sign up and their addresses are to be proven, but there is no mail server: set PORTICO_SMTP_URL, or PORTICO_SIGNUP=closed, or PORTICO_SIGNUP_VERIFICATION=off")
	need(!slices.Contains(c.MFAMethods, "email") || c.SMTPURL != "", "mfa_methods has email but there is no mail server: set PORTICO_SMTP_URL, or take email out")
	need(!slices.Contains(c.MFAMethods, "sms") || c.SMSWebhookURL != "", "mfa_methods has sms but nobody sends text messages: set PORTICO_SMS_WEBHOOK_URL and PORTICO_SMS_WEBHOOK_KEY (see docs/operate/sms.md), or take sms out")
	need(c.SMTPURL == "" || c.MailFrom != "", "smtp_url is set but not who sends: set PORTICO_MAIL_FROM")
	need(c.TermsVersion == "" || c.TermsURL != "", "terms_version is set but nobody can read them: set PORTICO_TERMS_URL")
	need(c.TermsURL == "" || c.TermsVersion != "", "terms_url is set but no version to record: set PORTICO_TERMS_VERSION, such as 2026-11")
	need(c.RefreshIdleTTL <= c.RefreshAbsoluteTTL, "refresh_idle_ttl is longer than refresh_absolute_ttl: lower the first or raise the second")
	need(c.SessionIdleTTL <= c.SessionAbsoluteTTL, "session_idle_ttl is longer than session_absolute_ttl: lower the first or raise the second")
	if u, err := url.Parse(c.Issuer); err == nil && c.TLSCertFile != "" {
		need(u.Scheme == "https", "tls_cert_file is set but the issuer begins with http: change one of them")
	}
	return errors.Join(problems...)
}
