package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/portico-id/portico/pkg/fault"
)

// FormToken returns the anti-forgery token of a form. purpose names the form
// ("login"); bound are what it belongs to, such as the browser's token and the
// flow id. The token is worthless for another purpose, browser or flow, and
// holds none of them.
func (k *Kit) FormToken(purpose string, bound ...string) string {
	return base64.RawURLEncoding.EncodeToString(k.formSum(purpose, bound))
}

// CheckFormToken proves that token was made for the same purpose and bound
// values. It returns a Denied fault "form_expired" when not, and always when
// nothing or an empty first value is bound: a browser without a cookie has
// not been given a form.
func (k *Kit) CheckFormToken(token, purpose string, bound ...string) error {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(bound) == 0 || bound[0] == "" || !hmac.Equal(sum, k.formSum(purpose, bound)) {
		return fault.New(fault.Denied, "form_expired", "This form was open for too long, or in another browser.").
			Under("OWASP ASVS 3.5.1 the form token belongs to this browser, flow and form")
	}
	return nil
}

// formSum writes each part with its length in front, so that no two lists of
// parts look alike.
func (k *Kit) formSum(purpose string, bound []string) []byte {
	h := hmac.New(sha256.New, k.formKey)
	for _, part := range append([]string{purpose}, bound...) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}
