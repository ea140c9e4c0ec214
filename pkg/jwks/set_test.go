package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaJWK(n *big.Int, e int64, more string) string {
	return fmt.Sprintf(`{"kty":"RSA","n":"%s","e":"%s"%s}`, b64(n.Bytes()), b64(big.NewInt(e).Bytes()), more)
}

func keys(list ...string) string { return `{"keys":[` + strings.Join(list, ",") + `]}` }

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestParseSet(t *testing.T) {
	n := rsaKey().N
	good := rsaJWK(n, 65537, `,"kid":"r"`)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	for name, tt := range map[string]struct {
		raw  string
		want int // keys; 0: refused
	}{
		"RSA":                                   {keys(good), 1},
		"every type in use":                     {keys(good, marshal(t, jwk("e")), marshal(t, jose.JSONWebKey{Key: p384.Public()}), marshal(t, jose.JSONWebKey{Key: ed})), 4},
		"exponent 3":                            {keys(rsaJWK(n, 3, "")), 1},
		"RFC 7517 §5 unknown type is left out":  {keys(good, `{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}`), 1},
		"RFC 7517 §5 unknown curve is left out": {keys(good, `{"kty":"OKP","crv":"X25519","x":"AA"}`, `{"kty":"OKP","crv":"Ed448","x":"AA"}`), 1},
		"RFC 7517 §4 unknown member is ignored": {keys(rsaJWK(n, 65537, `,"x5c":["not a certificate"],"zzz":{"a":1}`)), 1},
		"only unknown types":                    {keys(`{"kty":"AKP","pub":"AA"}`), 0},
		"empty":                                 {``, 0},
		"not JSON":                              {`<html>`, 0},
		"an array":                              {`[]`, 0},
		"null":                                  {`null`, 0},
		"no keys":                               {`{}`, 0},
		"no key":                                {`{"keys":[]}`, 0},
		"keys null":                             {`{"keys":null}`, 0},
		"keys in capitals":                      {strings.Replace(keys(good), "keys", "KEYS", 1), 0},
		"key null":                              {keys("null"), 0},
		"key a string":                          {keys(`"RSA"`), 0},
		"no type":                               {keys(`{"kid":"x"}`), 0},
		"type a number":                         {keys(`{"kty":1}`), 0},
		"21 keys":                               {keys(append(make([]string, 0), strings.Split(strings.Repeat(good+"\n", 20)+good, "\n")...)...), 0},
		"security §9.5 private RSA":             {keys(marshal(t, jose.JSONWebKey{Key: rsaKey()})), 0},
		"security §9.5 private EC":              {keys(marshal(t, jose.JSONWebKey{Key: ecKey()})), 0},
		"security §9.5 private of an unknown type": {keys(good, `{"kty":"AKP","pub":"AA","d":"AA"}`), 0},
		"security §9.5 symmetric":                  {keys(good, `{"kty":"oct","k":"AAAA"}`), 0},
		"security §9.5 symmetric without k":        {keys(`{"kty":"oct"}`), 0},
		"security §9.5 RSA 1024":                   {keys(rsaJWK(new(big.Int).SetBit(big.NewInt(1), 1023, 1), 65537, "")), 0},
		"security §9.5 RSA 16384":                  {keys(rsaJWK(new(big.Int).SetBit(big.NewInt(1), 16383, 1), 65537, "")), 0},
		"security §9.5 exponent 1":                 {keys(rsaJWK(n, 1, "")), 0},
		"security §9.5 exponent 2":                 {keys(rsaJWK(n, 2, "")), 0},
		"security §9.5 exponent even":              {keys(rsaJWK(n, 65538, "")), 0},
		"security §9.5 exponent huge":              {keys(rsaJWK(n, 1<<40+1, "")), 0},
		"security §9.5 exponent missing":           {keys(fmt.Sprintf(`{"kty":"RSA","n":"%s"}`, b64(n.Bytes()))), 0},
		"security §9.5 modulus even":               {keys(rsaJWK(new(big.Int).Lsh(n, 1), 65537, "")), 0},
		"security §9.5 point off the curve":        {keys(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}`, b64(make([]byte, 32)), b64(make([]byte, 32)))), 0},
		"security §9.5 point cut short":            {keys(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`), 0},
		"security §9.5 Ed25519 cut short":          {keys(`{"kty":"OKP","crv":"Ed25519","x":"AA"}`), 0},
		"kid too long":                             {keys(rsaJWK(n, 65537, `,"kid":"`+strings.Repeat("k", 257)+`"`)), 0},
		"kid a number":                             {keys(rsaJWK(n, 65537, `,"kid":7`)), 0},
		"trailing data":                            {keys(good) + "x", 0},
		"too large":                                {keys(good) + strings.Repeat(" ", maxSet), 0},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := ParseSet([]byte(tt.raw))
			switch {
			case tt.want == 0 && (err == nil || set != nil):
				t.Errorf("ParseSet = %+v, %v; want a refusal", set, err)
			case tt.want > 0 && (err != nil || len(set.Keys) != tt.want):
				t.Errorf("ParseSet = %+v, %v; want %d keys", set, err, tt.want)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	r := jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "r"}
	rs := jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "rs", Algorithm: "RS256"}
	enc := jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "enc", Use: "enc"}
	e := jwk("e")
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{r, rs, enc, e}}
	for name, tt := range map[string]struct{ kid, alg, want string }{
		"by kid":                               {"rs", "RS256", "rs"},
		"without kid":                          {"", "ES256", "e"},
		"without kid, several":                 {"", "RS256", "r rs"},
		"RFC 7517 §4.4 alg of the key":         {"rs", "PS256", ""},
		"key without alg serves all of RSA":    {"r", "PS512", "r"},
		"RFC 7517 §4.2 use enc":                {"enc", "RS256", ""},
		"RFC 8725 §3.1 type of the key":        {"e", "RS256", ""},
		"RFC 7518 §3.4 curve":                  {"e", "ES384", ""},
		"unknown kid":                          {"x", "RS256", ""},
		"RFC 8725 §3.2 none":                   {"", "none", ""},
		"RFC 8725 §2.1 HMAC with a public key": {"r", "HS256", ""},
		"empty alg":                            {"r", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, k := range Select(set, tt.kid, tt.alg) {
				got = append(got, k.KeyID)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("Select(%q, %q) = %v, want %q", tt.kid, tt.alg, got, tt.want)
			}
		})
	}
	if Select(nil, "", "RS256") != nil {
		t.Error("keys of no set")
	}
}

func FuzzParseSet(f *testing.F) {
	good := rsaJWK(rsaKey().N, 65537, `,"kid":"r"`)
	for _, seed := range []string{
		keys(good), keys(good, `{"kty":"oct","k":"AA"}`), `{"keys":[{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":""}]}`, `{}`, `{"keys":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := ParseSet(raw)
		if err != nil {
			if set != nil {
				t.Fatal("a refused set came back")
			}
			return
		}
		if len(set.Keys) == 0 || len(set.Keys) > maxKeys {
			t.Fatalf("%d keys", len(set.Keys))
		}
		for _, k := range set.Keys {
			if !k.IsPublic() || !k.Valid() {
				t.Fatalf("key %q is not a valid public one", k.KeyID)
			}
		}
	})
}
