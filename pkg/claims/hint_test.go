package claims_test

import (
	"slices"
	"testing"

	"github.com/portico-id/portico/pkg/claims"
)

func TestReadHint(t *testing.T) {
	for name, tt := range map[string]struct {
		payload string
		aud     []string
		bad     bool
	}{
		"RFC 7519 §4.1.3 one audience":       {payload: `{"iss":"i","sub":"s","aud":"c","sid":"x"}`, aud: []string{"c"}},
		"RFC 7519 §4.1.3 several":            {payload: `{"iss":"i","sub":"s","aud":["c","d"],"sid":"x"}`, aud: []string{"c", "d"}},
		"no audience":                        {payload: `{"iss":"i","sub":"s","sid":"x"}`},
		"RFC 7519 §4.1.3 an audience number": {payload: `{"aud":1}`, bad: true},
		"not JSON":                           {payload: `x`, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := claims.ReadHint([]byte(tt.payload))
			if (err != nil) != tt.bad {
				t.Fatalf("err %v, want one: %v", err, tt.bad)
			}
			if err == nil && (h.Issuer != "i" || h.Subject != "s" || h.Session != "x" || !slices.Equal(h.Audience, tt.aud)) {
				t.Errorf("%+v", h)
			}
		})
	}
}
