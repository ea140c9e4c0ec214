package keyring_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
)

// private returns the stored private key of a line, as a thief of the
// database and the encryption key would hold it.
func private(t *testing.T, store *memory, p keyring.Purpose, alg string) jose.JSONWebKey {
	t.Helper()
	for _, k := range store.keys {
		if k.Purpose == p && k.Alg == alg {
			plain, err := sealer(t, oldKey).Open("keyring/"+k.ID, k.Sealed)
			if err != nil {
				t.Fatal(err)
			}
			var jwk jose.JSONWebKey
			if err := jwk.UnmarshalJSON(plain); err != nil {
				t.Fatal(err)
			}
			return jwk
		}
	}
	t.Fatalf("no key for %s %s", p, alg)
	return jose.JSONWebKey{}
}

// forge signs a header of the test's choice with an ES256 key.
func forge(t *testing.T, key any, header, payload string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	h := crypto.SHA256.New()
	h.Write([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64.EncodeToString(sig)
}

// respell changes the bits past the last byte of the last segment: the same
// bytes in another, not canonical, spelling.
func respell(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

func TestVerifyRefuses(t *testing.T) {
	store := stocked()
	r := open(t, store, keyring.Config{})
	good, kid := sign(t, r, keyring.AccessTokens, "ES256")
	if _, _, err := r.Verify(keyring.AccessTokens, good); err != nil {
		t.Fatal(err)
	}
	ours := private(t, store, keyring.AccessTokens, "ES256")
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strange, _ := (&jose.JSONWebKey{Key: &stranger.PublicKey}).MarshalJSON()
	idToken, _ := sign(t, r, keyring.IDTokens, "ES256")
	idKid := private(t, store, keyring.IDTokens, "RS256").KeyID
	part := strings.Split(good, ".")
	head := func(extra string) string {
		return forge(t, ours.Key, `{"alg":"ES256","kid":"`+kid+`"`+extra+`}`, `{}`)
	}
	hmacHeader := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"` + kid + `"}`))
	noneHeader := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"` + kid + `"}`))
	asJSON, _ := json.Marshal(map[string]string{"protected": part[0], "payload": part[1], "signature": part[2]})
	if _, _, err := r.Verify(keyring.AccessTokens, head("")); err != nil {
		t.Fatalf("the forging key is ours, so a plain header must pass: %v", err)
	}

	for name, token := range map[string]string{
		"empty":                              "",
		"dots":                               "..",
		"one segment":                        part[0],
		"two segments":                       part[0] + "." + part[1],
		"four segments":                      good + "." + part[2],
		"no signature":                       part[0] + "." + part[1] + ".",
		"empty payload":                      part[0] + ".." + part[2],
		"JSON serialization":                 string(asJSON),
		"a line break":                       part[0] + ".\n" + part[1] + "." + part[2],
		"a line break at the end":            good + "\n",
		"a blank":                            " " + good,
		"padding":                            good + "=",
		"the standard alphabet":              part[0] + "." + part[1] + "+/." + part[2],
		"a NUL byte":                         part[0] + ".\x00" + part[1] + "." + part[2],
		"another spelling of the signature":  respell(good),
		"too long":                           part[0] + "." + strings.Repeat("A", 16<<10) + "." + part[2],
		"another payload":                    part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"bob"}`)) + "." + part[2],
		"RFC 8725 §2.1 none":                 noneHeader + "." + part[1] + ".",
		"RFC 8725 §2.1 none and a signature": noneHeader + "." + part[1] + "." + part[2],
		"RFC 8725 §2.1 HMAC by public key":   hmacHeader + "." + part[1] + "." + part[2],
		"a stranger's key under our kid":     forge(t, stranger, `{"alg":"ES256","kid":"`+kid+`"}`, `{}`),
		"an unknown kid":                     forge(t, stranger, `{"alg":"ES256","kid":"`+strings.Repeat("A", 43)+`"}`, `{}`),
		"a long kid":                         forge(t, stranger, `{"alg":"ES256","kid":"`+strings.Repeat("x", 9000)+`"}`, `{}`),
		"a kid that is a path":               forge(t, stranger, `{"alg":"ES256","kid":"../../dev/null"}`, `{}`),
		"no kid":                             forge(t, ours.Key, `{"alg":"ES256"}`, `{}`),
		"a kid of another algorithm":         forge(t, ours.Key, `{"alg":"ES256","kid":"`+idKid+`"}`, `{}`),
		"an embedded key":                    forge(t, stranger, `{"alg":"ES256","kid":"`+kid+`","jwk":`+string(strange)+`}`, `{}`),
		"RFC 7515 §4.1.11 unknown crit":      head(`,"crit":["exp"],"exp":1`),
		"RFC 7515 §4.1.11 empty crit":        head(`,"crit":[]`),
		"RFC 7797 §6 b64 false":              head(`,"b64":false,"crit":["b64"]`),
		"RFC 7797 §3 b64 true":               head(`,"b64":true,"crit":["b64"]`),
		"b64 without crit":                   head(`,"b64":false`),
		"jku":                                head(`,"jku":"https://evil.example/jwks"`),
		"x5u":                                head(`,"x5u":"https://evil.example/cert"`),
		"cty":                                head(`,"cty":"JWT"`),
		"zip":                                head(`,"zip":"DEF"`),
		"nonce":                              head(`,"nonce":"1"`),
		"typ that is no text":                head(`,"typ":["at+jwt"]`),
		"a member twice":                     head(`,"alg":"ES256"`),
		"a header that is no object":         forge(t, ours.Key, `["ES256"]`, `{}`),
		"a header that is no JSON":           forge(t, ours.Key, `{`, `{}`),
		"an ID token":                        idToken,
	} {
		t.Run(name, func(t *testing.T) {
			payload, _, err := r.Verify(keyring.AccessTokens, token)
			if !fault.Is(err, fault.Unauthenticated) || payload != nil {
				t.Fatalf("Verify(%.80q) = %s, %v; want unauthenticated", token, payload, err)
			}
			if f := fault.As(err); f.Rule == "" || f.Code != "invalid_token" || strings.Contains(f.Say, "jose") {
				t.Errorf("refusal %+v does not say which rule, or says too much", f)
			}
		})
	}
}

func TestEveryPurposeRefusesTheOthers(t *testing.T) {
	r := open(t, stocked(), keyring.Config{})
	purposes := []keyring.Purpose{keyring.AccessTokens, keyring.IDTokens, keyring.Answers}
	for _, made := range purposes {
		token, _ := sign(t, r, made, "ES256")
		for _, asked := range purposes {
			_, _, err := r.Verify(asked, token)
			if (err == nil) != (made == asked) {
				t.Errorf("a token of %s verified as %s: %v", made, asked, err)
			}
		}
	}
}

func TestUnknownKidsReadTheStoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stocked()
		r := open(t, store, calm)
		time.Sleep(time.Minute)
		stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		token := forge(t, stranger, `{"alg":"ES256","kid":"`+strings.Repeat("B", 42)+`A"}`, `{}`)
		before := store.reads()
		for range 50 {
			if _, _, err := r.Verify(keyring.AccessTokens, token); err == nil {
				t.Fatal("verified")
			}
		}
		if got := store.reads() - before; got != 1 {
			t.Errorf("50 unknown kids read the store %d times, want once", got)
		}
	})
}

func FuzzVerify(f *testing.F) {
	store := stocked()
	seal, _ := newSealer()
	r, err := keyring.Open(f.Context(), store, seal, keyring.Config{})
	if err != nil {
		f.Fatal(err)
	}
	s, err := r.Signer(keyring.AccessTokens, "ES256")
	if err != nil {
		f.Fatal(err)
	}
	good, err := s.Sign("at+jwt", []byte(`{"sub":"alice"}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(respell(good))
	f.Add("e30.e30.AA")
	f.Add(`{"payload":"e30","protected":"e30","signature":"AA"}`)
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := r.Verify(keyring.AccessTokens, token); err == nil && token != good {
			t.Errorf("%q verifies and was never signed", token)
		}
	})
}
