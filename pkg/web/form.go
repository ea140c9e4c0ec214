package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/portico-id/portico/pkg/fault"
)

// Bounds of a page form.
const (
	maxFields     = 64
	maxFieldBytes = 8 << 10
)

// Fields are the fields of a page form, each at most once.
type Fields map[string]string

// Form reads the body of a page form, of at most limit bytes. The query is not
// looked at. A body of another type, a field sent twice, a NUL byte, invalid
// UTF-8, a field above 8 KiB and more than 64 fields are refused; values are
// otherwise as they came, because a password may hold anything. A field whose
// name is among long may have twice that: what a machine writes.
func Form(r *http.Request, limit int64, long ...string) (Fields, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, WithStatus(http.StatusUnsupportedMediaType,
			fault.New(fault.Invalid, "unsupported_media_type", "Send this as a form."))
	}
	if r.Body == nil {
		return Fields{}, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return nil, BodyFault(err)
	}
	fields := make(Fields)
	for pair := range strings.SplitSeq(string(body), "&") {
		if pair == "" {
			continue
		}
		name, value, err := readPair(pair, long)
		if err != nil {
			return nil, err
		}
		if _, twice := fields[name]; twice || len(fields) >= maxFields {
			return nil, badForm("a field was sent twice, or too many were sent")
		}
		fields[name] = value
	}
	return fields, nil
}

func readPair(pair string, long []string) (name, value string, err error) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, errName := url.QueryUnescape(rawName)
	value, errValue := url.QueryUnescape(rawValue)
	most := maxFieldBytes
	if slices.Contains(long, name) {
		most = 2 * maxFieldBytes
	}
	switch {
	case errName != nil || errValue != nil:
		return "", "", badForm("a field is not encoded as a form")
	case len(name) > maxFieldBytes || len(value) > most:
		return "", "", fault.New(fault.TooLarge, "too_large", "A field of this form is too long.")
	case strings.ContainsRune(name+value, 0):
		return "", "", badForm("a field holds a NUL byte")
	case !utf8.ValidString(name) || !utf8.ValidString(value):
		return "", "", badForm("a field is not UTF-8")
	}
	return name, value, nil
}

func badForm(why string) error {
	return fault.New(fault.Invalid, "invalid_form", "This form cannot be read.").
		Under("a form has each field once, in UTF-8").Because(errors.New(why))
}

// BodyFault says why a body could not be read: TooLarge above the bound that
// Limit put on it, else Invalid.
func BodyFault(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Hide(tooLarge, fault.TooLarge, "too_large", "This is more than we can take.")
	}
	return fault.Hide(err, fault.Invalid, "invalid_body", "The request ended before its body did.")
}
