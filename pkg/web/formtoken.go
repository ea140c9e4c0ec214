package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
)

// FormToken returns the anti-forgery token of a form. purpose names the form
// ("login"); bound are what it belongs to, such as the browser's token and the
// flow id. The token is worthless for another purpose, browser or flow, and
// holds none of them.
func (k *Kit) FormToken(purpose string, bound ...string) string {
	h := hmac.New(sha256.New, k.formKey)
	for _, part := range append([]string{purpose}, bound...) {
		var size [8]byte // in front of each part, so that no two lists look alike
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// CheckFormToken proves that token was made for the same purpose and bound
// values. It returns a Denied fault "form_expired" when not, and always when
// nothing or an empty first value is bound: a browser without a cookie has
// not been given a form.
func (k *Kit) CheckFormToken(token, purpose string, bound ...string) error {
	if len(bound) == 0 || bound[0] == "" || !secret.Equal(token, k.FormToken(purpose, bound...)) {
		return fault.New(fault.Denied, "form_expired", "This form was open for too long, or in another browser.").
			Under("OWASP ASVS 3.5.1 the form token belongs to this browser, flow and form")
	}
	return nil
}
