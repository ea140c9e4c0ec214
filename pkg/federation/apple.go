package federation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/clock"
)

// appleSecretFor is how long a client secret of Apple lives: it takes those of
// up to six months, and a short one is worth little to a thief.
const appleSecretFor = time.Hour

// appleSecret makes what Apple takes for a client secret: a JWT about the
// client that the key of the team signs. One is used for a while. It is safe
// for concurrent use.
type appleSecret struct {
	p      *Provider
	signer jose.Signer

	mu   sync.Mutex
	last string
	at   time.Time
}

func newAppleSecret(p *Provider, key string) (*appleSecret, error) {
	private, err := applePrivateKey(key)
	if err != nil {
		return nil, silent(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{}).WithHeader("kid", p.Settings.KeyID))
	if err != nil {
		return nil, silent(err)
	}
	return &appleSecret{p: p, signer: signer}, nil
}

// applePrivateKey reads the key that Apple gave out: P-256, PKCS #8 in PEM.
func applePrivateKey(text string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the private key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the private key is not PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the private key is not on P-256")
	}
	return key, nil
}

// get returns a client secret that lives for at least half its time.
func (a *appleSecret) get() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := clock.Now()
	if age := now.Sub(a.at); a.last != "" && age >= 0 && age < appleSecretFor/2 {
		return a.last, nil
	}
	claims, err := json.Marshal(map[string]any{
		"iss": a.p.Settings.TeamID, "sub": a.p.Settings.ClientID, "aud": a.p.issuer(),
		"iat": now.Unix(), "exp": now.Add(appleSecretFor).Unix(),
	})
	if err != nil {
		return "", silent(err)
	}
	signed, err := a.signer.Sign(claims)
	if err != nil {
		return "", silent(err)
	}
	if a.last, err = signed.CompactSerialize(); err != nil {
		return "", silent(err)
	}
	a.at = now
	return a.last, nil
}

// appleUser adds the name that Apple tells by way of the browser, at the first
// sign-in alone. Nobody signed it, so it is good for a name and nothing else.
func appleUser(raw string, claims map[string]any) {
	var told struct {
		Name struct {
			First string `json:"firstName"`
			Last  string `json:"lastName"`
		} `json:"name"`
	}
	if raw == "" || len(raw) > 4096 || json.Unmarshal([]byte(raw), &told) != nil {
		return
	}
	for name, value := range map[string]string{
		"given_name": told.Name.First, "family_name": told.Name.Last, "name": strings.TrimSpace(told.Name.First + " " + told.Name.Last),
	} {
		if _, there := claims[name]; !there && value != "" {
			claims[name] = value
		}
	}
}
