package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/secret"
)

var base64url = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func TestSecretsAreRecognisedAndNeverRepeat(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		s := secret.New(secret.RefreshToken)
		if !strings.HasPrefix(s, "ptrt_") || !base64url.MatchString(s) || len(s) != len("ptrt_")+43+6 {
			t.Fatalf("%q is not a prefix, 256 bits and a checksum in base64url", s)
		}
		if seen[s] {
			t.Fatalf("%q came twice", s)
		}
		seen[s] = true
		payload, ok := secret.Unwrap(secret.RefreshToken, s)
		if !ok || len(payload) != 32 {
			t.Fatalf("%q unwraps to %d bytes, %v", s, len(payload), ok)
		}
	}
}

func TestUnwrapRefuses(t *testing.T) {
	good := secret.New(secret.AuthorizationCode)
	flip := func(i int) string {
		b := []byte(good)
		if b[i] == 'x' {
			b[i] = 'y'
		} else {
			b[i] = 'x'
		}
		return string(b)
	}
	for name, s := range map[string]string{
		"empty":            "",
		"another kind":     secret.New(secret.RefreshToken),
		"another letter":   flip(10),
		"another checksum": flip(len(good) - 2),
		"cut":              good[:len(good)-1],
		"longer":           good + "A",
		"no payload":       "ptac_",
		"blanks":           " " + good,
		"endless":          "ptac_" + strings.Repeat("A", 1<<20),
		"padding":          good + "=",
	} {
		if _, ok := secret.Unwrap(secret.AuthorizationCode, s); ok {
			t.Errorf("%s: %.60q unwraps", name, s)
		}
	}
}

func TestFingerprints(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	a, b := secret.NewFingerprinter(key), secret.NewFingerprinter(bytes.Repeat([]byte{2}, 32))
	s := secret.New(secret.ClientSecret)
	if a.Of(secret.ClientSecret, s) != secret.NewFingerprinter(key).Of(secret.ClientSecret, s) {
		t.Error("the same key gives another fingerprint")
	}
	if a.Of(secret.ClientSecret, s) == b.Of(secret.ClientSecret, s) {
		t.Error("another key gives the same fingerprint")
	}
	if a.Of(secret.ClientSecret, s) == a.Of(secret.RefreshToken, s) {
		t.Error("another kind gives the same fingerprint")
	}
	if got := a.Of(secret.ClientSecret, s); strings.Contains(got, s[5:20]) || len(got) != 43 {
		t.Errorf("fingerprint %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a short key is taken")
		}
	}()
	secret.NewFingerprinter(key[:31])
}

func sealer(t *testing.T, keys ...byte) *secret.Sealer {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, secret.KeySize))
	}
	s, err := secret.NewSealer(all...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedValuesOpenInTheirPlaceOnly(t *testing.T) {
	s := sealer(t, 1)
	box := s.Seal("keyring/a", []byte("private"))
	if bytes.Contains(box, []byte("private")) || bytes.Equal(box, s.Seal("keyring/a", []byte("private"))) {
		t.Error("the sealed value shows its plain text, or repeats")
	}
	if got, err := s.Open("keyring/a", box); err != nil || string(got) != "private" {
		t.Fatalf("Open: %q, %v", got, err)
	}
	altered := bytes.Clone(box)
	altered[len(altered)-1] ^= 1
	otherKey := bytes.Clone(box)
	otherKey[0] ^= 1
	for name, tt := range map[string]struct {
		where string
		box   []byte
	}{
		"another place":  {"keyring/b", box},
		"altered":        {"keyring/a", altered},
		"unknown key id": {"keyring/a", otherKey},
		"cut":            {"keyring/a", box[:20]},
		"empty":          {"keyring/a", nil},
	} {
		if got, err := s.Open(tt.where, tt.box); !errors.Is(err, secret.ErrUnsealable) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestEncryptionKeysRotate(t *testing.T) {
	old := sealer(t, 1)
	box := old.Seal("x", []byte("v"))
	both := sealer(t, 2, 1)
	if got, err := both.Open("x", box); err != nil || string(got) != "v" {
		t.Fatalf("the older key does not open: %q, %v", got, err)
	}
	if !both.Stale(box) || both.Stale(both.Seal("x", nil)) || old.Stale(box) {
		t.Error("Stale does not tell old keys from the newest")
	}
	if _, err := sealer(t, 2).Open("x", box); !errors.Is(err, secret.ErrUnsealable) {
		t.Errorf("a key that is gone opens: %v", err)
	}
}

func TestParseKeys(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb}, 32) // + and / in the standard alphabet
	for name, text := range map[string]string{
		"standard": base64.StdEncoding.EncodeToString(raw),
		"raw":      base64.RawStdEncoding.EncodeToString(raw),
		"URL":      base64.RawURLEncoding.EncodeToString(raw),
		"blanks":   " " + base64.StdEncoding.EncodeToString(raw) + " ",
	} {
		if keys, err := secret.ParseKeys(text); err != nil || len(keys) != 1 || !bytes.Equal(keys[0], raw) {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "not base64": "!!", "short": "c2hvcnQ", "second empty": base64.StdEncoding.EncodeToString(raw) + ",",
	} {
		if _, err := secret.ParseKeys(text); err == nil || strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := secret.NewSealer(); err == nil {
		t.Error("a sealer without keys")
	}
}

func TestIDsDoNotLookLikeFlags(t *testing.T) {
	for range 2000 {
		if id := secret.ID(); len(id) != 22 || id[0] == '-' || id[0] == '_' {
			t.Fatalf("id %q", id)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add(secret.New(secret.RefreshToken))
	f.Add("ptrt_")
	f.Fuzz(func(t *testing.T, s string) {
		payload, ok := secret.Unwrap(secret.RefreshToken, s)
		if ok && secret.Wrap(secret.RefreshToken, payload) != s {
			t.Errorf("%q unwraps but is not what Wrap writes", s)
		}
		if !ok && payload != nil {
			t.Errorf("a refused secret has a payload")
		}
	})
}
