package brand

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// value is a setting with the line it stands in.
type value struct {
	text string
	line int
}

// settings are brand.yaml, or the part of one application.
type settings struct {
	name, home, support     string
	logo, logoDark, favicon value
	accent, accentDark      value
	radius                  value
}

type document struct {
	server  settings
	clients map[string]settings
}

// over takes from the server what an application does not say. A picture or
// a colour for dark pages belongs to its light one: a pair is not torn apart.
func (s settings) over(server settings) settings {
	if s.name == "" {
		s.name = server.name
	}
	if s.logo.text == "" {
		s.logo, s.logoDark = server.logo, server.logoDark
	}
	if s.accent.text == "" {
		s.accent, s.accentDark = server.accent, server.accentDark
	}
	s.home, s.support, s.favicon, s.radius = server.home, server.support, server.favicon, server.radius
	return s
}

// icon is the favicon, or the logo where there is none: a browser draws both.
func (s settings) icon() value {
	if s.favicon.text == "" && !strings.HasSuffix(s.logo.text, ".webp") {
		return s.logo
	}
	return s.favicon
}

// setting reads the value of one key.
type setting struct {
	key    string
	shared bool // of the server alone
	take   func(s *settings, v value) error
}

var known = []setting{
	{"name", false, func(s *settings, v value) error { s.name = v.text; return soundName(v.text) }},
	{"logo", false, func(s *settings, v value) error { s.logo = v; return ending(v.text, "svg", "png", "webp") }},
	{"logo_dark", false, func(s *settings, v value) error { s.logoDark = v; return ending(v.text, "svg", "png", "webp") }},
	{"accent", false, func(s *settings, v value) error { s.accent = v; return soundColour(v.text) }},
	{"accent_dark", false, func(s *settings, v value) error { s.accentDark = v; return soundColour(v.text) }},
	{"favicon", true, func(s *settings, v value) error { s.favicon = v; return ending(v.text, "svg", "png", "ico") }},
	{"home", true, func(s *settings, v value) error { s.home = v.text; return soundLink(v.text) }},
	{"support", true, func(s *settings, v value) error { s.support = v.text; return soundLink(v.text) }},
	{"radius", true, func(s *settings, v value) error { s.radius = v; return soundRadius(v.text) }},
}

// readSettings reads brand.yaml. Errors begin with the line: ":3: …".
func readSettings(raw []byte) (*document, error) {
	doc := &document{clients: map[string]settings{}}
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	if len(root.Content) == 0 {
		return doc, nil // nothing to say: templates and words alone
	}
	top, clients := root.Content[0], (*yaml.Node)(nil)
	if err := each(top, func(key, v *yaml.Node) error {
		if key.Value == "clients" {
			clients = v
			return nil
		}
		return doc.server.take(key, v, true)
	}); err != nil {
		return nil, err
	}
	if err := doc.server.paired(); err != nil || clients == nil {
		return doc, err
	}
	return doc, each(clients, func(id, v *yaml.Node) error {
		var s settings
		if err := each(v, func(key, v *yaml.Node) error { return s.take(key, v, false) }); err != nil {
			return err
		}
		doc.clients[id.Value] = s
		return s.paired()
	})
}

// each visits the pairs of a mapping, each key once.
func each(m *yaml.Node, visit func(key, v *yaml.Node) error) error {
	if m.Kind != yaml.MappingNode {
		return fmt.Errorf(":%d: want keys with values", m.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, v := m.Content[i], m.Content[i+1]
		if seen[key.Value] {
			return fmt.Errorf(":%d: %q stands here a second time", key.Line, key.Value)
		}
		seen[key.Value] = true
		if err := visit(key, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) take(key, v *yaml.Node, server bool) error {
	var names []string
	for _, k := range known {
		if k.shared && !server {
			continue
		}
		if names = append(names, k.key); k.key != key.Value {
			continue
		}
		if v.Kind != yaml.ScalarNode || v.Value == "" || v.Tag == "!!null" {
			return fmt.Errorf(":%d: %s wants one value", key.Line, key.Value)
		}
		if err := k.take(s, value{v.Value, v.Line}); err != nil {
			return fmt.Errorf(":%d: %s %w", v.Line, key.Value, err)
		}
		return nil
	}
	if server {
		names = append(names, "clients")
	}
	slices.Sort(names)
	return fmt.Errorf(":%d: there is no key %q here; there are %s", key.Line, key.Value, strings.Join(names, ", "))
}

// paired refuses the dark half of a pair without the light one.
func (s *settings) paired() error {
	switch {
	case s.logoDark.text != "" && s.logo.text == "":
		return fmt.Errorf(":%d: logo_dark needs a logo", s.logoDark.line)
	case s.accentDark.text != "" && s.accent.text == "":
		return fmt.Errorf(":%d: accent_dark needs an accent", s.accentDark.line)
	}
	return nil
}

// maxName bounds a name, in characters: the pages show no more.
const maxName = 64

func soundName(s string) error {
	switch {
	case utf8.RuneCountInString(s) > maxName:
		return fmt.Errorf("has more than %d characters", maxName)
	case strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("holds characters that nobody sees, or blanks around it")
	}
	return nil
}

func ending(name string, endings ...string) error {
	for _, e := range endings {
		if strings.HasSuffix(name, "."+e) && len(name) > len(e)+1 {
			return nil
		}
	}
	return fmt.Errorf("must name a file that ends in %s", strings.Join(endings, ", "))
}

var hex = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

func soundColour(s string) error {
	if !hex.MatchString(s) {
		return fmt.Errorf("must be a colour such as \"#0b5b4c\", in quotes, and not %q", s)
	}
	return nil
}

func soundLink(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(s) > 2048 {
		return errors.New("must be an address that begins with https://")
	}
	return nil
}

// maxRadius keeps a button of 48 pixels a button.
const maxRadius = 24

func soundRadius(s string) error {
	if n, err := strconv.Atoi(s); err != nil || n < 0 || n > maxRadius || strconv.Itoa(n) != s {
		return fmt.Errorf("must be a number of pixels from 0 to %d", maxRadius)
	}
	return nil
}
