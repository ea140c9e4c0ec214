package keyring_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/storage"
)

// durable returns a real, empty database and the folder of its files.
func durable(t *testing.T) (keyring.Store, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := storage.OpenDurable(t.Context(), "sqlite://"+filepath.Join(dir, "portico.db"), storage.DurableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.Keys, dir
}

func TestInstancesOnOneDatabase(t *testing.T) {
	store, dir := durable(t)
	rings := make([]*keyring.Ring, 3)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			var err error
			if rings[i], err = keyring.Open(t.Context(), store, sealer(t, oldKey), keyring.Config{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	a, b := rings[0], rings[1]
	first, firstKid := sign(t, a, keyring.AccessTokens, "ES256")

	var won sync.Map
	for i, r := range rings {
		wg.Go(func() {
			switch err := r.Rotate(t.Context(), keyring.AccessTokens, "ES256", false); {
			case err == nil:
				won.Store(i, true)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("Rotate = %v", err)
			}
		})
	}
	wg.Wait()
	winners := 0
	won.Range(func(any, any) bool { winners++; return true })
	if winners != 1 {
		t.Errorf("%d rotations succeeded, want 1", winners)
	}
	if err := a.Rotate(t.Context(), keyring.AccessTokens, "ES256", true); err != nil {
		t.Fatal(err)
	}
	token, kid := sign(t, a, keyring.AccessTokens, "ES256")
	if kid == firstKid {
		t.Error("the emergency key does not sign")
	}
	if _, _, err := b.Verify(keyring.AccessTokens, token); err != nil {
		t.Errorf("the other instance refuses the emergency key: %v", err)
	}
	if err := b.Revoke(t.Context(), firstKid); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Verify(keyring.AccessTokens, first); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a token of the revoked key: %v", err)
	}
	if _, err := keyring.Open(t.Context(), store, sealer(t, newKey, oldKey), keyring.Config{}); err != nil {
		t.Fatalf("with a newer encryption key: %v", err)
	}
	r, err := keyring.Open(t.Context(), store, sealer(t, newKey), keyring.Config{})
	if err != nil {
		t.Fatalf("without the older encryption key: %v", err)
	}
	if _, got := sign(t, r, keyring.AccessTokens, "ES256"); got != kid {
		t.Errorf("%s signs after the change of encryption keys, want %s", got, kid)
	}
	wantNoPrivateKey(t, store, dir)
}

// wantNoPrivateKey looks for private halves in the files of the database.
func wantNoPrivateKey(t *testing.T, store keyring.Store, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var dump []byte
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		dump = append(dump, content...)
	}
	keys, err := store.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, k := range keys {
		if !bytes.Contains(dump, []byte(k.ID)) {
			t.Errorf("the dump does not even hold the kid %s", k.ID)
		}
		plain, err := sealer(t, newKey, oldKey).Open("keyring/"+k.ID, k.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		var private struct {
			D string `json:"d"`
		}
		if err := json.Unmarshal(plain, &private); err != nil || private.D == "" {
			t.Fatalf("no private value in key %s: %v", k.ID, err)
		}
		raw, _ := base64.RawURLEncoding.DecodeString(private.D)
		if bytes.Contains(dump, raw) || bytes.Contains(dump, []byte(private.D)) {
			t.Errorf("the private half of %s is in the database files", k.ID)
		}
		looked++
	}
	if looked < 7 {
		t.Errorf("looked for %d private values, want at least 7", looked)
	}
}
