package login

import (
	"bytes"
	"net/http"

	"github.com/portico-id/portico/pkg/secret"
)

// device is a browser and who signed in with it before. It opens nothing: it
// only keeps strangers' failures from locking people out of their own device.
type device struct {
	fp      *secret.Fingerprinter
	browser string   // its cookie
	tags    [][]byte // one for each person, latest first
}

// tagLen is the length of a tag in bytes, mostPeople how many a browser
// remembers.
const (
	tagLen     = 16
	mostPeople = 4
)

func (h *Handler) device(r *http.Request) device {
	d := device{fp: h.Fingerprint, browser: h.Kit.Cookies.KnownBrowser(r)}
	payload, ok := secret.Unwrap(secret.KnownDevice, h.Kit.Cookies.Known(r))
	if !ok || len(payload)%tagLen != 0 || len(payload) > mostPeople*tagLen {
		return d
	}
	for ; len(payload) > 0; payload = payload[tagLen:] {
		d.tags = append(d.tags, payload[:tagLen])
	}
	return d
}

// tag proves that we saw the person sign in with this very browser: it is
// keyed, and worthless beside another browser's cookie.
func (d device) tag(userID string) []byte {
	return d.fp.Tag(secret.KnownDevice, d.browser+"\x00"+userID)
}

// claims reports whether the browser says that it knows somebody. Only knows
// tells whether that is so.
func (d device) claims() bool { return d.browser != "" && len(d.tags) > 0 }

// knows reports whether the person signed in with the browser before.
func (d device) knows(userID string) bool {
	want, found := d.tag(userID), false
	for _, tag := range d.tags {
		found = secret.Equal(tag, want) || found
	}
	return found && d.browser != ""
}

// with returns the cookie value that knows the person too.
func (d device) with(userID string) string {
	tags := [][]byte{d.tag(userID)}
	for _, tag := range d.tags {
		if len(tags) < mostPeople && !bytes.Equal(tag, tags[0]) {
			tags = append(tags, tag)
		}
	}
	return secret.Wrap(secret.KnownDevice, bytes.Join(tags, nil))
}
