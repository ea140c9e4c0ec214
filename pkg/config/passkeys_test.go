package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/config"
)

// root returns a file with a certificate.
func root(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "roots.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func TestPasskeySettings(t *testing.T) {
	const model = "d548826e-79b4-db40-a3d8-11116f7e8349"
	pem, broken := root(t), write(t, "broken.pem", "nonsense")
	for name, tt := range map[string]struct {
		set  map[string]string
		want string // part of the mistake; empty: none
	}{
		"nothing":                                    {nil, ""},
		"WebAuthn §5.1.3 the host itself":            {map[string]string{"passkey_rp_id": "id.example.com"}, ""},
		"WebAuthn §5.1.3 a domain above":             {map[string]string{"passkey_rp_id": "example.com"}, ""},
		"WebAuthn §5.1.3 a public suffix":            {map[string]string{"passkey_rp_id": "com"}, "neither the host of the issuer nor a registrable domain above it"},
		"WebAuthn §5.1.3 a longer public suffix":     {map[string]string{"issuer": "https://id.example.co.uk", "passkey_rp_id": "co.uk"}, "registrable"},
		"WebAuthn §5.1.3 a domain below":             {map[string]string{"passkey_rp_id": "login.id.example.com"}, "registrable"},
		"WebAuthn §5.1.3 another domain":             {map[string]string{"passkey_rp_id": "example.org"}, "registrable"},
		"WebAuthn §5.1.3 the end of a label":         {map[string]string{"passkey_rp_id": "ample.com"}, "registrable"},
		"WebAuthn §5.1.3 a URL":                      {map[string]string{"passkey_rp_id": "https://id.example.com"}, "no host name"},
		"WebAuthn §5.1.3 a port":                     {map[string]string{"passkey_rp_id": "id.example.com:443"}, "no host name"},
		"WebAuthn §5.1.3 capitals":                   {map[string]string{"passkey_rp_id": "ID.example.com"}, "no host name"},
		"WebAuthn §5.1.3 an IP address":              {map[string]string{"issuer": "http://127.0.0.1:8080", "passkey_rp_id": "127.0.0.1"}, "no host name"},
		"localhost":                                  {map[string]string{"issuer": "http://localhost:8080"}, ""},
		"localhost, said":                            {map[string]string{"issuer": "http://localhost:8080", "passkey_rp_id": "localhost"}, ""},
		"an origin of the domain":                    {map[string]string{"passkey_rp_id": "example.com", "passkey_origins": "https://login.example.com"}, ""},
		"an origin beside the host":                  {map[string]string{"passkey_origins": "https://login.example.com"}, "does not belong to passkey_rp_id id.example.com"},
		"an origin with a path":                      {map[string]string{"passkey_origins": "https://id.example.com/x"}, "no origin"},
		"an origin with its default port":            {map[string]string{"passkey_origins": "https://id.example.com:443"}, "no origin"},
		"an origin without TLS":                      {map[string]string{"passkey_origins": "http://id.example.com"}, "no origin"},
		"an origin in capitals":                      {map[string]string{"passkey_origins": "https://ID.example.com"}, "no origin"},
		"a host for an origin":                       {map[string]string{"passkey_origins": "id.example.com"}, "no origin"},
		"attestation by nobody":                      {map[string]string{"passkey_attestation": "required"}, "nothing would vouch"},
		"attestation by a file that is not there":    {map[string]string{"passkey_attestation": "required", "passkey_attestation_roots": pem + "x"}, "cannot be read"},
		"attestation by a file without certificates": {map[string]string{"passkey_attestation_roots": broken}, "holds no certificate"},
		"attestation":                                {map[string]string{"passkey_attestation": "required", "passkey_attestation_roots": pem}, ""},
		"models":                                     {map[string]string{"passkey_attestation": "required", "passkey_attestation_roots": pem, "passkey_aaguids": model}, ""},
		"models that are only claimed":               {map[string]string{"passkey_aaguids": model}, "only claimed"},
		"no model":                                   {map[string]string{"passkey_attestation": "required", "passkey_attestation_roots": pem, "passkey_aaguids": "YubiKey"}, "no AAGUID"},
	} {
		t.Run(name, func(t *testing.T) {
			set := map[string]string{"issuer": "https://id.example.com"}
			for key, value := range tt.set {
				set[key] = value
			}
			_, err := config.Load(config.Sources{Defaults: set})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v = %v, want %q", tt.set, err, tt.want)
			}
		})
	}
}

func TestRelyingParty(t *testing.T) {
	for name, tt := range map[string]struct {
		set     map[string]string
		id      string
		origins []string
	}{
		"the host of the issuer":       {map[string]string{"issuer": "https://id.example.com/auth"}, "id.example.com", []string{"https://id.example.com"}},
		"with a port":                  {map[string]string{"issuer": "http://localhost:8080"}, "localhost", []string{"http://localhost:8080"}},
		"with its default port":        {map[string]string{"issuer": "https://id.example.com:443"}, "id.example.com", []string{"https://id.example.com"}},
		"a domain, and another origin": {map[string]string{"issuer": "https://id.example.com", "passkey_rp_id": "example.com", "passkey_origins": "https://login.example.com,https://id.example.com"}, "example.com", []string{"https://id.example.com", "https://login.example.com"}},
		"an IP address":                {map[string]string{"issuer": "http://127.0.0.1:8080"}, "", nil},
		"an IPv6 address":              {map[string]string{"issuer": "http://[::1]:8080"}, "", nil},
		"no issuer":                    {nil, "", nil},
	} {
		c, err := config.Load(config.Sources{Defaults: tt.set})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if id, origins := c.PasskeyRP(); id != tt.id || !slices.Equal(origins, tt.origins) {
			t.Errorf("%s: %q %v, want %q %v", name, id, origins, tt.id, tt.origins)
		}
	}
}
