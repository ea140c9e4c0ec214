package outside_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// decode returns header and claims of a JWT, unverified.
func decode(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func subOf(t *testing.T, token string) string {
	t.Helper()
	_, c := decode(t, token)
	sub, _ := c["sub"].(string)
	return sub
}

// inAMinute is a time to expire at.
func inAMinute() int64 { return time.Now().Add(time.Minute).Unix() }
