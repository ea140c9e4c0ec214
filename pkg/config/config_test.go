package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/config"
)

const key = "cG9ydGljbyFwb3J0aWNvIXBvcnRpY28hcG9ydGljbyE="

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterSourcesWin(t *testing.T) {
	file := write(t, "portico.yaml", "issuer: https://file.example\nlisten: :1111\naccess_token_ttl: 5m\ntrusted_proxies: [10.0.0.0/8, 192.0.2.1]\n")
	c, err := config.Load(config.Sources{
		Env:   []string{"PORTICO_CONFIG=" + file, "PORTICO_LISTEN=:2222", "PORTICO_OUTBOUND_ALLOW=127.0.0.0/8, ::1/128", "HOME=/"},
		Flags: map[string]string{"listen": ":3333"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "https://file.example" || c.Listen != ":3333" || c.AccessTokenTTL != 5*time.Minute {
		t.Errorf("issuer %q, listen %q, ttl %s", c.Issuer, c.Listen, c.AccessTokenTTL)
	}
	if c.RefreshIdleTTL != 168*time.Hour || c.Registration != "off" || c.Signup != "closed" || c.LimitFactor != 1 {
		t.Errorf("defaults: %+v", c)
	}
	if got := c.Proxies(); len(got) != 2 || got[1].String() != "192.0.2.1/32" {
		t.Errorf("proxies %v", got)
	}
	if got := c.Outbound(); len(got) != 2 || got[1].String() != "::1/128" {
		t.Errorf("outbound %v", got)
	}
}

func TestSecretsAreReadFromFiles(t *testing.T) {
	path := write(t, "keys", key+"\n")
	c, err := config.Load(config.Sources{Env: []string{"PORTICO_ENCRYPTION_KEYS_FILE=" + path}})
	if err != nil || c.EncryptionKeys != key {
		t.Fatalf("got %q, %v", c.EncryptionKeys, err)
	}
}

// Every mistake is refused with its place and what to do instead.
func TestMistakes(t *testing.T) {
	tests := map[string]struct {
		yaml string
		env  []string
		want []string
	}{
		"unknown key":            {yaml: "issuer: https://a.example\n\nlistne: :80\n", want: []string{"portico.yaml:3:", `unknown key "listne"`, `did you mean "listen"?`}},
		"unknown key, far off":   {yaml: "realm: x\n", want: []string{":1:", "docs/config.md"}},
		"key twice":              {yaml: "listen: :80\nlisten: :81\n", want: []string{"portico.yaml", "listen"}},
		"not YAML":               {yaml: "issuer: [\n", want: []string{"portico.yaml: is not YAML"}},
		"a list":                 {yaml: "- issuer\n", want: []string{":1:", "want a mapping"}},
		"nested":                 {yaml: "listen:\n  port: 80\n", want: []string{":2:", "plain value"}},
		"bad duration":           {yaml: "issuer: https://a.example\naccess_token_ttl: soon\n", want: []string{":2: access_token_ttl:", "a duration such as 15m"}},
		"duration out of bounds": {yaml: "access_token_ttl: 48h\n", want: []string{":1: access_token_ttl:", "between 10s and 24h"}},
		"bad number":             {env: []string{"PORTICO_LIMIT_FACTOR=many"}, want: []string{"PORTICO_LIMIT_FACTOR:", "a whole number"}},
		"bad choice":             {env: []string{"PORTICO_SIGNUP=everyone"}, want: []string{"PORTICO_SIGNUP:", "open, invite, closed"}},
		"unknown variable":       {env: []string{"PORTICO_DATABSE_URL=x"}, want: []string{"PORTICO_DATABSE_URL: unknown setting", `"database_url"`}},
		"file of no secret":      {env: []string{"PORTICO_LISTEN_FILE=/x"}, want: []string{"only secrets"}},
		"unreadable secret":      {env: []string{"PORTICO_REDIS_URL_FILE=/does/not/exist"}, want: []string{"PORTICO_REDIS_URL_FILE", "cannot be read"}},
		"variable twice":         {env: []string{"PORTICO_LISTEN=:1", "PORTICO_LISTEN=:2"}, want: []string{"PORTICO_LISTEN is set twice"}},
		"value and file":         {env: []string{"PORTICO_REDIS_URL=redis://h", "PORTICO_REDIS_URL_FILE=/dev/null"}, want: []string{"PORTICO_REDIS_URL and PORTICO_REDIS_URL_FILE are both set"}},
		"bad proxy":              {env: []string{"PORTICO_TRUSTED_PROXIES=everywhere"}, want: []string{`"everywhere"`, "CIDR"}},
		"bad database":           {env: []string{"PORTICO_DATABASE_URL=mysql://x"}, want: []string{"postgres://"}},
		"short key":              {env: []string{"PORTICO_ENCRYPTION_KEYS=c2hvcnQ="}, want: []string{"encryption key 1 has 5 bytes, want 32", "openssl rand"}},
		"missing file":           {env: []string{"PORTICO_CONFIG=/does/not/exist.yaml"}, want: []string{"/does/not/exist.yaml", "PORTICO_CONFIG"}},
		"short initial token":    {env: []string{"PORTICO_REGISTRATION_TOKENS=abc"}, want: []string{"token 1 is shorter"}},
		"issuer with a slash":    {env: []string{"PORTICO_ISSUER=https://a.example/"}, want: []string{"write https://a.example"}},
		"issuer with a query":    {env: []string{"PORTICO_ISSUER=https://a.example?x=1"}, want: []string{"no query"}},
		"issuer over http":       {env: []string{"PORTICO_ISSUER=http://a.example"}, want: []string{"https://"}},
		"issuer with a person":   {env: []string{"PORTICO_ISSUER=https://u:p@a.example"}, want: []string{"no user name"}},
		"everybody an admin":     {env: []string{"PORTICO_SIGNUP_ROLES=shopper,portico:admin"}, want: []string{"PORTICO_SIGNUP_ROLES:", `"portico:admin"`}},
		"no role":                {env: []string{"PORTICO_SIGNUP_ROLES=a role"}, want: []string{"PORTICO_SIGNUP_ROLES:"}},
		"no domain":              {env: []string{"PORTICO_SIGNUP_DOMAINS=@example.com"}, want: []string{"PORTICO_SIGNUP_DOMAINS:", "such as example.com"}},
		"texts over http":        {env: []string{"PORTICO_SMS_WEBHOOK_URL=http://sms.example/", "PORTICO_SMS_WEBHOOK_KEY=" + key}, want: []string{"PORTICO_SMS_WEBHOOK_URL: want an https URL"}},
		"texts to nowhere":       {env: []string{"PORTICO_SMS_WEBHOOK_URL=https:///x", "PORTICO_SMS_WEBHOOK_KEY=" + key}, want: []string{"PORTICO_SMS_WEBHOOK_URL: want an https URL"}},
		"texts with a person":    {env: []string{"PORTICO_SMS_WEBHOOK_URL=https://u:c2hvcnQ@sms.example/", "PORTICO_SMS_WEBHOOK_KEY=" + key}, want: []string{"PORTICO_SMS_WEBHOOK_URL: want an https URL"}},
		"texts without a key":    {env: []string{"PORTICO_SMS_WEBHOOK_URL=https://sms.example/"}, want: []string{"sms_webhook_key", "shorter than 32", "openssl rand"}},
		"texts with a short key": {env: []string{"PORTICO_SMS_WEBHOOK_URL=https://sms.example/", "PORTICO_SMS_WEBHOOK_KEY=c2hvcnQ"}, want: []string{"PORTICO_SMS_WEBHOOK_KEY", "shorter than 32"}},
		"issuer in capitals":     {env: []string{"PORTICO_ISSUER=https://A.example"}, want: []string{"lower case: a.example"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			src := config.Sources{Env: tt.env}
			if tt.yaml != "" {
				src.File = write(t, "portico.yaml", tt.yaml)
			}
			c, err := config.Load(src)
			if err == nil {
				t.Fatalf("accepted: %+v", c)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "c2hvcnQ") {
				t.Error("the error shows a secret")
			}
		})
	}
}

func TestServeRefusesUnsafeSettings(t *testing.T) {
	good := []string{"PORTICO_ISSUER=https://id.example", "PORTICO_DATABASE_URL=postgres://h/d", "PORTICO_ENCRYPTION_KEYS=" + key}
	check := func(env ...string) error {
		t.Helper()
		c, err := config.Load(config.Sources{Env: env})
		if err != nil {
			t.Fatal(err)
		}
		return c.CheckServe()
	}
	if err := check(good...); err != nil {
		t.Errorf("good settings: %v", err)
	}
	for _, hook := range []string{"https://sms.example/portico?x=1", "http://127.0.0.1:9/"} {
		if err := check(append(good[:3:3], "PORTICO_MFA_METHODS=totp,sms", "PORTICO_SMS_WEBHOOK_URL="+hook, "PORTICO_SMS_WEBHOOK_KEY="+key)...); err != nil {
			t.Errorf("texts through %s: %v", hook, err)
		}
	}
	tests := map[string]struct {
		env  []string
		want string
	}{
		"no issuer":             {good[1:], "PORTICO_ISSUER"},
		"no database":           {[]string{good[0], good[2]}, "PORTICO_DATABASE_URL"},
		"no key":                {good[:2], "PORTICO_ENCRYPTION_KEYS"},
		"proofs without mail":   {append(good[:3:3], "PORTICO_SIGNUP=open"), "PORTICO_SMTP_URL"},
		"invited without mail":  {append(good[:3:3], "PORTICO_SIGNUP=invite"), "PORTICO_SIGNUP_VERIFICATION=off"},
		"terms nobody can read": {append(good[:3:3], "PORTICO_TERMS_VERSION=1"), "PORTICO_TERMS_URL"},
		"terms of no version":   {append(good[:3:3], "PORTICO_TERMS_URL=https://id.example/terms"), "PORTICO_TERMS_VERSION"},
		"half a certificate":    {append(good[:3:3], "PORTICO_TLS_CERT_FILE=x"), "tls_key_file"},
		"tokens without any":    {append(good[:3:3], "PORTICO_REGISTRATION=token"), "PORTICO_REGISTRATION_TOKENS"},
		"texts by nobody":       {append(good[:3:3], "PORTICO_MFA_METHODS=totp,sms"), "PORTICO_SMS_WEBHOOK_URL"},
		"codes without mail":    {append(good[:3:3], "PORTICO_MFA_METHODS=email"), "PORTICO_SMTP_URL"},
		"idle beyond its end":   {append(good[:3:3], "PORTICO_REFRESH_IDLE_TTL=1000h"), "refresh_idle_ttl"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := check(tt.env...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a sentence with %s", err, tt.want)
			}
		})
	}
}

func FuzzFile(f *testing.F) {
	f.Add("issuer: https://a.example\n")
	f.Add("listen: {a: b}\n? x\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := write(t, "f.yaml", text)
		if c, err := config.Load(config.Sources{File: path}); err == nil && c == nil {
			t.Error("neither settings nor an error")
		}
	})
}
