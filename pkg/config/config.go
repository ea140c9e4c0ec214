// Package config reads the settings of Portico: defaults, then one YAML file,
// then PORTICO_* variables, then flags. Every key has one name everywhere: the
// key database_url is the variable PORTICO_DATABASE_URL and, for values that
// are secret, PORTICO_DATABASE_URL_FILE. What is wrong is refused with the
// place it stands in and what to write instead.
package config

import (
	"net/netip"
	"net/url"
	"time"
)

// Registration says who may register clients (RFC 7591).
type Registration string

// Registration modes.
const (
	RegistrationOff   Registration = "off"
	RegistrationToken Registration = "token"
	RegistrationOpen  Registration = "open"
)

// Signup says who may create an account.
type Signup string

// Signup modes.
const (
	SignupOpen   Signup = "open"
	SignupInvite Signup = "invite"
	SignupClosed Signup = "closed"
)

// PKCE says who must send a code challenge.
type PKCE string

// PKCE policies.
const (
	PKCERecommended PKCE = "recommended"
	PKCERequired    PKCE = "required"
)

// Switch turns something on or off.
type Switch string

// Switch positions.
const (
	SwitchOff Switch = "off"
	SwitchOn  Switch = "on"
)

// SignupVerification says whether an address is proven before the account
// exists.
type SignupVerification string

// Sign-up verification modes.
const (
	VerificationRequired SignupVerification = "required"
	VerificationOff      SignupVerification = "off"
)

// Presence says whether a form has a field.
type Presence string

// Presences.
const (
	PresenceOff      Presence = "off"
	PresenceOptional Presence = "optional"
	PresenceRequired Presence = "required"
)

// Config holds every setting. The doc tags are the reference: docs/config.md
// is generated from them.
type Config struct {
	Issuer        string `koanf:"issuer" doc:"The URL people and applications know Portico by, without a trailing slash. It is the iss of every token: choose it once. https, or http on a loopback host."`
	Listen        string `koanf:"listen" default:":8080" doc:"Address of the public listener, host:port. portico dev binds loopback only."`
	MetricsListen string `koanf:"metrics_listen" doc:"Address of the listener for /metrics, /healthz and /readyz. Empty: none."`

	DatabaseURL            string        `koanf:"database_url" secret:"yes" doc:"sqlite:///path/portico.db or postgres://user:password@host/database?sslmode=verify-full."`
	DatabaseMaxConnections int           `koanf:"database_max_connections" default:"20" doc:"Connections to Postgres per instance."`
	RedisURL               string        `koanf:"redis_url" secret:"yes" doc:"redis:// or rediss://; several hosts, comma-separated, for a Cluster; ?master=name for Sentinel. Empty: the embedded store of a single node."`
	DataDir                string        `koanf:"data_dir" doc:"Directory of the embedded short-lived store, which serves one node when redis_url is empty. Empty: beside the SQLite database, or the working directory."`
	EncryptionKeys         string        `koanf:"encryption_keys" secret:"yes" doc:"Keys that seal secrets at rest: 32 bytes each, base64, comma-separated, newest first. Make one with: openssl rand -base64 32."`
	ShutdownTimeout        time.Duration `koanf:"shutdown_timeout" default:"25s" doc:"How long accepted requests may take to finish after SIGTERM."`
	DrainDelay             time.Duration `koanf:"drain_delay" default:"0s" doc:"How long /readyz says no before the listener closes, so that a load balancer notices."`

	TLSCertFile    string   `koanf:"tls_cert_file" doc:"Certificate chain in PEM, for TLS without a proxy. Read again when the file changes."`
	TLSKeyFile     string   `koanf:"tls_key_file" doc:"Private key in PEM of tls_cert_file."`
	TrustedProxies []string `koanf:"trusted_proxies" doc:"CIDRs whose X-Forwarded-For is believed. Empty: nobody's."`

	Registration           Registration       `koanf:"registration" default:"off" doc:"Who may register clients: off, token (with an initial access token), open."`
	RegistrationTokens     []string           `koanf:"registration_tokens" secret:"yes" doc:"Initial access tokens (RFC 7591 section 3) taken when registration is token. At least 32 characters each."`
	Signup                 Signup             `koanf:"signup" default:"closed" doc:"Who may create an account: open, invite, closed."`
	SignupVerification     SignupVerification `koanf:"signup_verification" default:"required" doc:"required: an account exists once the e-mail address is proven by link or code, so that sign-up tells nobody who has one. off: at once, for servers without mail; whoever signs up then learns whether the address was free."`
	SignupDomains          []string           `koanf:"signup_domains" doc:"E-mail domains whose people may sign up, such as example.com; subdomains are named for themselves. Empty: all."`
	SignupUsername         Presence           `koanf:"signup_username" default:"off" doc:"Whether the sign-up form asks for a username: off, optional, required."`
	SignupRoles            []string           `koanf:"signup_roles" doc:"Roles that everybody who signs up is given. Administrative roles are refused."`
	InvitationTTL          time.Duration      `koanf:"invitation_ttl" default:"168h" doc:"How long the link of an invitation works."`
	TermsURL               string             `koanf:"terms_url" doc:"https URL of the terms of service. Whoever signs up must accept them; the version is recorded."`
	TermsVersion           string             `koanf:"terms_version" doc:"Version of the terms, such as 2026-11. When it changes, people are asked again at their next sign-in."`
	PrivacyURL             string             `koanf:"privacy_url" doc:"https URL of the privacy policy, shown with the terms."`
	DeletionGrace          time.Duration      `koanf:"deletion_grace" default:"336h" doc:"How long an account whose owner asked for its deletion may still be kept by signing in. 0s: it is removed within a minute."`
	BrandingDir            string             `koanf:"branding_dir" doc:"Directory with brand.yaml, a logo, templates and words of your own: see docs/branding.md. Empty: Portico's look."`
	PKCE                   PKCE               `koanf:"pkce" default:"recommended" doc:"recommended: public clients and clients made by an operator must send a code challenge, self-registered confidential ones may go without. required: all."`
	LegacyFlows            string             `koanf:"legacy_flows" default:"off" doc:"Implicit and hybrid flows. This version offers off only."`
	LimitFactor            int                `koanf:"limit_factor" default:"1" doc:"Multiplies the limits per address, those whose name ends with address. Limits per account stay."`
	LimitLoginAccount      Rate               `koanf:"limit_login_account" default:"5/15m" doc:"Failed logins of one account within the time, whoever tries; a longer pause follows when they go on."`
	LimitLoginAddress      Rate               `koanf:"limit_login_address" default:"20/15m" doc:"Failed logins of one address."`
	LimitLoginSpread       Rate               `koanf:"limit_login_spread" default:"10/15m" doc:"Accounts that one address (times limit_factor) or one password may fail on before an attack is suspected; four times as many for a network. A suspected source has to make do with limit_login_address for four times as long, and a password that fails on twice as many is not tried any more. Neither stops devices that the person has used before."`
	LimitSignupAddress     Rate               `koanf:"limit_signup_address" default:"100/15m" doc:"Sign-up forms of one address."`
	LimitRecoveryAddress   Rate               `koanf:"limit_recovery_address" default:"100/15m" doc:"Recovery forms of one address."`
	LimitAccountAddress    Rate               `koanf:"limit_account_address" default:"100/15m" doc:"Changes to accounts from one address."`
	LimitMailAddress       Rate               `koanf:"limit_mail_address" default:"100/15m" doc:"Mails that one address may cause."`
	LimitMailRecipient     Rate               `koanf:"limit_mail_recipient" default:"10/1h" doc:"Mails that strangers may cause to one recipient."`
	LimitCode              Rate               `koanf:"limit_code" default:"10/15m" doc:"Wrong codes of one account, over all codes; each code bears five."`
	LimitSecondFactor      Rate               `koanf:"limit_second_factor" default:"5/15m" doc:"Second factors of one account that may fail within the time, over all sign-ins; a longer pause follows when they go on."`
	LimitSMSRecipient      Rate               `koanf:"limit_sms_recipient" default:"5/1h" doc:"Text messages to one number."`
	LimitSMSAddress        Rate               `koanf:"limit_sms_address" default:"20/1h" doc:"Text messages that one address may cause."`
	LimitFlowAddress       Rate               `koanf:"limit_flow_address" default:"600/15m" doc:"Requests of one address that lead to a page and are kept."`
	LimitRegisterAddress   Rate               `koanf:"limit_register_address" default:"30/1h" doc:"Clients that one address may register."`
	LimitClientFailures    Rate               `koanf:"limit_client_failures" default:"20/1m" doc:"Failed authentications of one client from one address."`
	OutboundAllow          []string           `koanf:"outbound_allow" doc:"CIDRs that Portico may reach besides public addresses when it fetches a client's jwks_uri, asks password_range_url or hands a text message to sms_webhook_url."`
	AccessTokenTTL         time.Duration      `koanf:"access_token_ttl" default:"15m" doc:"Life of access tokens, unless the API or client says otherwise. At most 24h."`
	IDTokenTTL             time.Duration      `koanf:"id_token_ttl" default:"1h" doc:"Life of ID tokens. At most 24h."`
	RefreshIdleTTL         time.Duration      `koanf:"refresh_idle_ttl" default:"168h" doc:"A refresh token that is not used for this long is dead."`
	RefreshAbsoluteTTL     time.Duration      `koanf:"refresh_absolute_ttl" default:"720h" doc:"A refresh family is dead after this long, used or not."`
	SessionIdleTTL         time.Duration      `koanf:"session_idle_ttl" default:"12h" doc:"A browser that is not seen for this long is signed out."`
	SessionAbsoluteTTL     time.Duration      `koanf:"session_absolute_ttl" default:"720h" doc:"A browser is signed out after this long, seen or not."`
	SessionRememberIdleTTL time.Duration      `koanf:"session_remember_idle_ttl" default:"336h" doc:"session_idle_ttl for people who chose to stay signed in."`
	KeyRotateEvery         time.Duration      `koanf:"key_rotate_every" default:"2160h" doc:"Signing keys are replaced after this long. The next key is published a day before it signs."`

	ArgonMemory      int `koanf:"argon2_memory" default:"19456" doc:"Memory of one password hash in KiB. Existing hashes are renewed at the next login."`
	ArgonTime        int `koanf:"argon2_time" default:"2" doc:"Passes of one password hash."`
	ArgonParallelism int `koanf:"argon2_parallelism" default:"1" doc:"Lanes of one password hash."`

	PasswordMinLength int      `koanf:"password_min_length" default:"15" doc:"Least number of characters of a new password. NIST SP 800-63B-4 asks for 15 where the password stands alone; 8 is the least that is taken."`
	PasswordRequire   []string `koanf:"password_require" doc:"Kinds of characters that a new password must hold: digit, upper, lower, symbol. NIST advises against it; some must."`
	PasswordRangeURL  string   `koanf:"password_range_url" doc:"k-anonymity range service of breached passwords, such as https://api.pwnedpasswords.com/range/. Only five characters of a SHA-1 leave the server; when it does not answer in time the password is taken. Empty: only the list inside Portico is asked."`

	SMTPURL     string `koanf:"smtp_url" secret:"yes" doc:"Mail server: smtp://user:password@host:587 (STARTTLS is demanded), smtps://host:465, or smtp://localhost:25?tls=off for a relay on this machine. Empty: no mail is sent; portico dev keeps it for /playground/mail."`
	MailFrom    string `koanf:"mail_from" doc:"Sender of every mail, such as Example <no-reply@example.com>."`
	MailReplyTo string `koanf:"mail_reply_to" doc:"Where answers to mails go. Empty: to the sender."`

	MFAEveryone      string        `koanf:"mfa_everyone" doc:"What everybody must reach when they sign in: 2 (a second factor) or phr (a passkey: phishing-resistant). Empty: nobody must, but whoever has a second factor is asked for it."`
	MFARoles         []string      `koanf:"mfa_roles" doc:"What holders of a role must reach, each role=class, such as portico:admin=phr."`
	MFAGrace         time.Duration `koanf:"mfa_grace" default:"0s" doc:"For how long somebody who is first asked to get a second factor may put it off. 0s: they get one before they go on."`
	MFAMethods       []string      `koanf:"mfa_methods" default:"passkey,totp" doc:"Second factors that people may use: passkey, totp (an authenticator app), email and sms (a code; weaker, because mail and numbers are taken over). Recovery codes come with each."`
	MFARemember      time.Duration `koanf:"mfa_remember" default:"720h" doc:"For how long a browser whose person wishes so is not asked for the second factor again. 0s: never offered."`
	MFABrowsers      int           `koanf:"mfa_browsers" default:"10" doc:"How many browsers of one person may be remembered; the one that was not used for longest makes room."`
	RecoveryLinkTTL  time.Duration `koanf:"recovery_link_ttl" default:"24h" doc:"How long the link works that an administrator gives to who lost every second factor."`
	RecoveryFourEyes Switch        `koanf:"recovery_four_eyes" default:"off" doc:"on: such a link works once a second administrator has approved it."`

	PasskeyRPID             string   `koanf:"passkey_rp_id" doc:"Relying party id of passkeys: the host of the issuer, or a domain above it so that other hosts share them. Choose it once: passkeys are bound to it. Empty: the host of the issuer."`
	PasskeyOrigins          []string `koanf:"passkey_origins" doc:"Origins besides the issuer's that passkeys may be used from, such as https://login.example.com."`
	PasskeyAttestation      string   `koanf:"passkey_attestation" default:"off" doc:"off: any authenticator may be used. required: only those that a certificate in passkey_attestation_roots vouches for."`
	PasskeyAttestationRoots string   `koanf:"passkey_attestation_roots" doc:"File with the certificates in PEM that vouch for authenticators."`
	PasskeyAAGUIDs          []string `koanf:"passkey_aaguids" doc:"Models of authenticators that may be added, by AAGUID. Empty: all. Needs passkey_attestation=required, because the model is otherwise only claimed."`

	SMSWebhookURL string `koanf:"sms_webhook_url" doc:"https URL that sends text messages: it is sent to and text as JSON, signed with sms_webhook_key. See docs/operate/sms.md. Empty: none are sent; portico dev logs them."`
	SMSWebhookKey string `koanf:"sms_webhook_key" secret:"yes" doc:"Key of the HMAC-SHA256 signature of such a request, at least 32 characters."`

	RefusalsKeep time.Duration `koanf:"refusals_keep" default:"168h" doc:"How long portico explain knows a refused request."`
	AuditKeep    time.Duration `koanf:"audit_keep" default:"8760h" doc:"How long audit events are kept."`

	LogLevel  string `koanf:"log_level" default:"info" doc:"debug, info, warn or error."`
	LogFormat string `koanf:"log_format" default:"json" doc:"json or text."`
	Tracing   string `koanf:"tracing" default:"off" doc:"off, or otlp: traces go where the OTEL_EXPORTER_OTLP_* variables say."`

	// Dev is set by portico dev, never read.
	Dev bool `koanf:"-"`
}

// IssuerURL returns the issuer parsed. Load has checked it.
func (c *Config) IssuerURL() *url.URL {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		panic("config: IssuerURL before Load: " + err.Error())
	}
	return u
}

// Proxies returns trusted_proxies parsed. Load has checked them.
func (c *Config) Proxies() []netip.Prefix { return prefixes(c.TrustedProxies) }

// Outbound returns outbound_allow parsed. Load has checked them.
func (c *Config) Outbound() []netip.Prefix { return prefixes(c.OutboundAllow) }

func prefixes(list []string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		if p, err := parsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
