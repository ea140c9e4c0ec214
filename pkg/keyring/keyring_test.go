package keyring_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
)

func TestFreshRingSignsWithEveryLine(t *testing.T) {
	r := open(t, &memory{}, keyring.Config{})
	want := map[keyring.Purpose][]string{
		keyring.IDTokens:     {"RS256", "ES256", "PS256", "EdDSA"},
		keyring.AccessTokens: {"ES256"},
		keyring.Answers:      {"RS256", "ES256"},
	}
	kids := map[string]bool{}
	for p, algs := range want {
		if got := r.Algs(p); !slices.Equal(got, algs) {
			t.Errorf("Algs(%s) = %v, want %v", p, got, algs)
		}
		for _, alg := range algs {
			token, kid := sign(t, r, p, alg)
			if kids[kid] {
				t.Errorf("%s %s shares key %s with another line", p, alg, kid)
			}
			kids[kid] = true
			payload, h, err := r.Verify(p, token)
			if err != nil || string(payload) != `{"sub":"alice"}` || h != (keyring.Header{KeyID: kid, Alg: alg, Typ: "JWT"}) {
				t.Errorf("Verify(%s %s) = %s, %+v, %v", p, alg, payload, h, err)
			}
		}
	}
}

func TestTokenHeaderHoldsAlgKidTypOnly(t *testing.T) {
	r := open(t, stocked(), keyring.Config{})
	s, err := r.Signer(keyring.AccessTokens, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	for typ, want := range map[string]string{
		"at+jwt": `{"alg":"ES256","kid":"` + s.KeyID() + `","typ":"at+jwt"}`,
		"":       `{"alg":"ES256","kid":"` + s.KeyID() + `"}`,
	} {
		token, err := s.Sign(typ, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(token, ".")
		if got, _ := base64.RawURLEncoding.DecodeString(head); string(got) != want {
			t.Errorf("header with typ %q = %s, want %s", typ, got, want)
		}
	}
}

func TestSignerOfAnUnknownLineIsNotFound(t *testing.T) {
	r := open(t, stocked(), keyring.Config{})
	for _, alg := range []string{"none", "HS256", "RS256", "", "ES256K"} {
		if _, err := r.Signer(keyring.AccessTokens, alg); !fault.Is(err, fault.NotFound) {
			t.Errorf("Signer(access, %q) = %v, want not found", alg, err)
		}
	}
}

func TestJWKSIsPublicCompleteAndStable(t *testing.T) {
	store := stocked()
	r := open(t, store, keyring.Config{})
	body, etag, maxAge := r.JWKS()
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 7 {
		t.Errorf("%d keys published, want 7", len(set.Keys))
	}
	for _, k := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
			if _, found := k[private]; found {
				t.Errorf("key %v publishes the private member %q", k["kid"], private)
			}
		}
		if k["use"] != "sig" || k["alg"] == nil || k["kid"] == nil {
			t.Errorf("key %v lacks use, alg or kid", k)
		}
		raw, _ := json.Marshal(k)
		var jwk jose.JSONWebKey
		if err := jwk.UnmarshalJSON(raw); err != nil || !jwk.Valid() {
			t.Errorf("key %s: %v", raw, err)
		}
	}
	if maxAge <= 0 || maxAge >= 24*time.Hour {
		t.Errorf("max-age %s, want less than the publication time", maxAge)
	}
	again, sameTag, _ := open(t, store, keyring.Config{}).JWKS()
	if !bytes.Equal(body, again) || etag != sameTag {
		t.Error("a second instance publishes other bytes for the same keys")
	}
	if err := r.Rotate(t.Context(), keyring.IDTokens, "RS256", false); err != nil {
		t.Fatal(err)
	}
	if _, changed, _ := r.JWKS(); changed == etag {
		t.Error("the ETag did not change with the keys")
	}
}

func TestInstancesThatOpenAtOnceShareTheirKeys(t *testing.T) {
	store, kids := &memory{}, sync.Map{}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			r, err := keyring.Open(t.Context(), store, sealer(t, oldKey), keyring.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			s, err := r.Signer(keyring.IDTokens, "RS256")
			if err != nil {
				t.Error(err)
				return
			}
			kids.Store(s.KeyID(), true)
		})
	}
	wg.Wait()
	count := 0
	kids.Range(func(any, any) bool { count++; return true })
	if count != 1 || len(store.keys) != 7 {
		t.Errorf("%d signing keys and %d stored, want 1 and 7", count, len(store.keys))
	}
}

func TestNoPrivateKeyIsStoredInTheClear(t *testing.T) {
	store := &memory{}
	r := open(t, store, keyring.Config{})
	secretKey, err := keyring.ServerSecret(t.Context(), store, sealer(t, oldKey), "fingerprint")
	if err != nil {
		t.Fatal(err)
	}
	body, _, _ := r.JWKS()
	dump, err := json.Marshal(struct {
		Keys    []keyring.Key
		Secrets map[string][]byte
		JWKS    string
	}{store.keys, store.secrets, string(body)})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range store.keys {
		dump = append(dump, k.Sealed...)
	}
	needles := [][]byte{secretKey}
	for _, k := range store.keys {
		plain, err := sealer(t, oldKey).Open("keyring/"+k.ID, k.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		var private map[string]string
		if err := json.Unmarshal(plain, &private); err != nil {
			t.Fatal(err)
		}
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			raw, _ := base64.RawURLEncoding.DecodeString(private[member])
			if len(raw) > 0 {
				needles = append(needles, raw)
			}
		}
	}
	if len(needles) < 7 {
		t.Fatalf("%d private values to look for, want at least one of each key", len(needles))
	}
	for _, raw := range needles {
		for _, spelled := range [][]byte{raw, []byte(base64.RawURLEncoding.EncodeToString(raw)), []byte(base64.RawStdEncoding.EncodeToString(raw))} {
			if bytes.Contains(dump, spelled) {
				t.Fatal("a private value is in the dump")
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	down := fault.New(fault.Unavailable, "temporarily_unavailable", "The database cannot be reached.")
	full := &memory{}
	open(t, full, keyring.Config{})
	swapped := &memory{keys: slices.Clone(full.keys)}
	swapped.keys[0].Sealed, swapped.keys[1].Sealed = swapped.keys[1].Sealed, swapped.keys[0].Sealed
	renamed := &memory{keys: slices.Clone(full.keys)}
	for i := range renamed.keys {
		if renamed.keys[i].Alg == "RS256" {
			renamed.keys[i].Alg = "PS256"
		}
	}
	tests := map[string]struct {
		store *memory
		key   []byte
		cfg   keyring.Config
	}{
		"a store that is down":                   {store: &memory{down: down}, key: oldKey},
		"keys sealed under a lost key":           {store: full, key: newKey},
		"sealed keys that changed rows":          {store: swapped, key: oldKey},
		"a row that gives a key another alg":     {store: renamed, key: oldKey},
		"publishing longer than signing":         {store: full, key: oldKey, cfg: keyring.Config{RotateEvery: time.Hour, PublishBefore: time.Hour}},
		"reading more rarely than publishing":    {store: full, key: oldKey, cfg: keyring.Config{Refresh: 48 * time.Hour}},
		"a negative duration":                    {store: full, key: oldKey, cfg: keyring.Config{MaxTokenLife: -1}},
		"a negative duration of retired storage": {store: full, key: oldKey, cfg: keyring.Config{KeepRetired: -time.Hour}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := len(tt.store.keys)
			if r, err := keyring.Open(t.Context(), tt.store, sealer(t, tt.key), tt.cfg); err == nil {
				t.Errorf("opened with %d keys", len(r.List()))
			}
			if len(tt.store.keys) != before {
				t.Errorf("%d keys stored after a refusal, want %d", len(tt.store.keys), before)
			}
		})
	}
}

func TestEncryptionKeysRotate(t *testing.T) {
	store := stocked()
	r := open(t, store, keyring.Config{})
	token, kid := sign(t, r, keyring.AccessTokens, "ES256")
	first, err := keyring.ServerSecret(t.Context(), store, sealer(t, oldKey), "fingerprint")
	if err != nil {
		t.Fatal(err)
	}
	both := sealer(t, newKey, oldKey)
	if _, err := keyring.Open(t.Context(), store, both, keyring.Config{}); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.ServerSecret(t.Context(), store, both, "fingerprint"); err != nil {
		t.Fatal(err)
	}
	only := sealer(t, newKey)
	r, err = keyring.Open(t.Context(), store, only, keyring.Config{})
	if err != nil {
		t.Fatalf("the old encryption key is still needed: %v", err)
	}
	if _, _, err := r.Verify(keyring.AccessTokens, token); err != nil {
		t.Errorf("token from before: %v", err)
	}
	if _, got := sign(t, r, keyring.AccessTokens, "ES256"); got != kid {
		t.Errorf("signing key %s became %s", kid, got)
	}
	again, err := keyring.ServerSecret(t.Context(), store, only, "fingerprint")
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the server secret changed or cannot be opened: %v", err)
	}
}

func TestServerSecretIsOnePerName(t *testing.T) {
	store, got := &memory{}, sync.Map{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			s, err := keyring.ServerSecret(t.Context(), store, sealer(t, oldKey), "form")
			if err != nil || len(s) != 32 {
				t.Errorf("%d bytes, %v", len(s), err)
			}
			got.Store(string(s), true)
		})
	}
	wg.Wait()
	other, err := keyring.ServerSecret(t.Context(), store, sealer(t, oldKey), "fingerprint")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	got.Range(func(s, _ any) bool {
		if s == string(other) {
			t.Error("two names share a secret")
		}
		count++
		return true
	})
	if count != 1 {
		t.Errorf("%d secrets of one name, want 1", count)
	}
	if _, err := keyring.ServerSecret(t.Context(), store, sealer(t, newKey), "form"); err == nil {
		t.Error("opened under a key it was not sealed with")
	}
	store.set(errors.New("down"))
	if _, err := keyring.ServerSecret(t.Context(), store, sealer(t, oldKey), "form"); err == nil {
		t.Error("a store that is down gave a secret")
	}
}

func BenchmarkOpenFresh(b *testing.B) {
	for b.Loop() {
		seal := sealerOf(b)
		if _, err := keyring.Open(b.Context(), &memory{}, seal, keyring.Config{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	r, err := keyring.Open(b.Context(), &memory{}, sealerOf(b), keyring.Config{})
	if err != nil {
		b.Fatal(err)
	}
	claims := []byte(`{"iss":"https://id.example.com","sub":"demo-service","aud":"https://orders.example.test","exp":1800000000}`)
	b.ReportAllocs()
	for b.Loop() {
		s, err := r.Signer(keyring.AccessTokens, "ES256")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Sign("at+jwt", claims); err != nil {
			b.Fatal(err)
		}
	}
}
