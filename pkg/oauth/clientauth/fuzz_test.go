package clientauth

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzBasic(f *testing.F) {
	for _, s := range []string{"", "Basic", "Basic Og==", "Basic YTpi", "basic YSUzQWI6Yw==", "Bearer x", "Basic %%%", "Basic /////w=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		id, secret, err := parseBasic(value)
		if err != nil {
			return
		}
		if id == "" || !utf8.ValidString(id) || !utf8.ValidString(secret) {
			t.Fatalf("%q gives %q, %q", value, id, secret)
		}
	})
}

func FuzzAssertion(f *testing.F) {
	for _, s := range []string{
		"", "..", "a.b.c", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJqd3QifQ.AAAA", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqd3QifQ.",
		"eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJqd3QiLCJleHAiOjFlOTk5fQ.AAAA",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if h, err := readHeader(token); err == nil && (h.Alg == "" || h.Alg == "none" || len(h.KeyID) > maxKID) {
			t.Fatalf("%q has the header %+v", token, h)
		}
		if sub, err := subjectOf(token); err == nil && sub == "" {
			t.Fatalf("%q has no subject", token)
		}
	})
}

func FuzzClaims(f *testing.F) {
	for _, s := range []string{`{}`, `{"exp":1}`, `{"exp":1e3}`, `{"exp":1.5}`, `{"exp":-1}`, `{"aud":["a",1]}`, `{"a":1,"a":2}`, `[]`, `{"exp":1}x`, `{"exp":1e-5}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := readClaims(raw)
		if err != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q is no JSON and passes", raw)
		}
		if !k.Expires.IsZero() && (k.Expires.Unix() <= 0 || k.Expires.Year() > 9999) {
			t.Fatalf("%q expires at %v", raw, k.Expires)
		}
	})
}
