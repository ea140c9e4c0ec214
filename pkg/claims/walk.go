package claims

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// walk reads raw once, token by token, before anything is built from it: it
// refuses what is too deep, members named twice (readers disagree which one
// counts), and anything after the first value.
func walk(raw string) error {
	d := json.NewDecoder(strings.NewReader(raw))
	if err := walkValue(d, 0); err != nil {
		return malformed("JSON of at most 8 levels, each member named once").Because(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed("one JSON object and nothing behind it")
	}
	return nil
}

var (
	errDeep  = errors.New("claims: nested too deeply")
	errTwice = errors.New("claims: a member is named twice")
)

func walkValue(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return walkObject(d, depth)
	case json.Delim('['):
		for d.More() {
			if err := walkValue(d, depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	}
	return nil
}

func walkObject(d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok || seen[name] {
			return errTwice
		}
		seen[name] = true
		if err := walkValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
