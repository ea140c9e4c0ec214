package oauth

import (
	"encoding/json"
	"strconv"
)

// object writes a JSON object member by member. A token is encoded for every
// request, and reflection over a map costs as much as a third of the
// signature. Members without a value are left out.
type object struct{ b []byte }

func newObject(size int) *object { return &object{b: append(make([]byte, 0, size), '{')} }

func (o *object) name(name string) {
	if len(o.b) > 1 {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(name, value string) {
	if value == "" {
		return
	}
	o.name(name)
	o.b = appendText(o.b, value)
}

func (o *object) number(name string, value int64) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

func (o *object) texts(name string, values []string) {
	if len(values) == 0 {
		return
	}
	o.name(name)
	o.b = append(o.b, '[')
	for i, v := range values {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendText(o.b, v)
	}
	o.b = append(o.b, ']')
}

// oneOrMore writes a single value as a string and several as an array
// (RFC 7519 §4.1.3).
func (o *object) oneOrMore(name string, values []string) {
	if len(values) == 1 {
		o.text(name, values[0])
		return
	}
	o.texts(name, values)
}

// value writes anything else; name comes from our own catalogue of claims.
func (o *object) value(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	o.name(name)
	o.b = append(o.b, raw...)
	return nil
}

func (o *object) bytes() []byte { return append(o.b, '}') }

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			raw, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // strings always encode
			}
			return append(b, raw...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
