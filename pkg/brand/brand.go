// Package brand reads how an operator wants Portico to look: brand.yaml with
// name, pictures and colours, templates and words in place of ours, and
// stylesheets. It refuses what would leave people before a page that is broken
// or hard to read. It draws nothing; docs/branding.md is its contract.
package brand

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/portico-id/portico/static"
	"github.com/portico-id/portico/templates"
)

// Brand is a look that is ready to be served. It never changes: a new one
// needs a restart.
type Brand struct {
	// Name is the operator's name for this server; empty: Portico.
	Name string
	// Templates draw pages and letters.
	Templates *templates.Set
	// Files are served beside our own static files.
	Files []static.File
	// Icon is served at /favicon.ico; nil: ours.
	Icon *static.File
}

// Names are what people may call this service.
func (b *Brand) Names() []string {
	if b.Name == "" {
		return nil
	}
	return []string{b.Name}
}

// Settings is the file that says most of it.
const Settings = "brand.yaml"

// Portico returns the look that Portico ships.
func Portico() *Brand { return &Brand{Templates: templates.Standard()} }

// Load reads a directory; an empty name gives Portico's own look. The error is
// a sentence that names file and line where it can.
func Load(dir string) (*Brand, error) {
	if dir == "" {
		return Portico(), nil
	}
	files, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	return load(files)
}

func load(files map[string][]byte) (*Brand, error) {
	doc, err := readSettings(files[Settings])
	if err != nil {
		return nil, fmt.Errorf("%s%w", Settings, err)
	}
	b := &builder{files: files, used: map[string]bool{Settings: true}, served: map[string]static.File{}}
	own := templates.Own{Looks: map[string]templates.Look{}, Files: map[string][]byte{}}
	if own.Look, err = b.look(doc.server, nil); err != nil {
		return nil, fmt.Errorf("%s%w", Settings, err)
	}
	for _, id := range slices.Sorted(maps.Keys(doc.clients)) {
		if own.Looks[id], err = b.look(doc.clients[id], &doc.server); err != nil {
			return nil, fmt.Errorf("%s%w", Settings, err)
		}
	}
	if err := b.assets(); err != nil {
		return nil, err
	}
	own.Assets = b.asset
	for name, body := range files {
		if strings.HasPrefix(name, "templates/") || strings.HasPrefix(name, "messages/") && path.Ext(name) == ".json" {
			own.Files[name], b.used[name] = body, true
		}
	}
	if err := b.unused(); err != nil {
		return nil, err
	}
	set, err := templates.New(own)
	if err != nil {
		return nil, err
	}
	brand := &Brand{Name: own.Look.Name, Templates: set, Icon: b.icon}
	for _, name := range slices.Sorted(maps.Keys(b.served)) {
		brand.Files = append(brand.Files, b.served[name])
	}
	return brand, nil
}

// builder turns settings into looks, and keeps what they need served.
type builder struct {
	files  map[string][]byte
	used   map[string]bool
	served map[string]static.File // by name
	icon   *static.File
}

// look builds what pages wear. What an application does not say it has from
// the server.
func (b *builder) look(s settings, server *settings) (templates.Look, error) {
	if server != nil {
		s = s.over(*server)
	}
	look := templates.Look{Name: s.name, Home: s.home, Support: s.support}
	for _, p := range []struct {
		from value
		to   *string
	}{{s.logo, &look.Logo}, {s.logoDark, &look.LogoDark}} {
		f, err := b.picture(p.from)
		if err != nil {
			return look, err
		} else if f != nil {
			*p.to = f.Path()
		}
	}
	icon, err := b.picture(s.icon())
	if err != nil {
		return look, err
	}
	if icon != nil {
		look.Icon, look.IconType = icon.Path(), icon.Type()
		if server == nil {
			b.icon = icon
		}
	}
	p, err := paletteOf(s)
	if err != nil {
		return look, err
	}
	look.Light, look.Dark = p.light.letter(), p.dark.letter()
	look.Style = b.serve("brand.css", []byte(p.css(s.radius.text))).Path()
	return look, nil
}

// serve keeps a file under its hashed path, so that two looks may share it.
func (b *builder) serve(name string, body []byte) static.File {
	f := static.NewFile(name, body)
	b.served[f.Path()] = f
	return f
}

// picture reads a picture that settings name; nil: they name none.
func (b *builder) picture(v value) (*static.File, error) {
	if v.text == "" {
		return nil, nil
	}
	body, ok := b.files[v.text]
	if !ok || strings.Contains(v.text, "/") {
		return nil, fmt.Errorf(":%d: there is no file %q beside brand.yaml", v.line, v.text)
	}
	if err := soundPicture(v.text, body); err != nil {
		return nil, fmt.Errorf(":%d: %s %w", v.line, v.text, err)
	}
	b.used[v.text] = true
	f := b.serve(v.text, body)
	return &f, nil
}

// assetName is what a file of static/ may be called: it becomes part of an
// address.
var assetName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}\.(css|svg|png|webp)$`)

// assets serves what stands in static/.
func (b *builder) assets() error {
	for name, body := range b.files {
		short, ok := strings.CutPrefix(name, "static/")
		if !ok {
			continue
		}
		if !assetName.MatchString(short) {
			return fmt.Errorf("%s: a static file is called like header.css, with the ending css, svg, png or webp", name)
		}
		if path.Ext(short) == ".css" {
			if err := soundStyle(body); err != nil {
				return fmt.Errorf("%s%w", name, err)
			}
		} else if err := soundPicture(short, body); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
		b.used[name] = true
		b.serve(short, body)
	}
	return nil
}

// asset finds a file of static/ for the templates.
func (b *builder) asset(name string) (string, bool) {
	body, ok := b.files["static/"+name]
	if !ok {
		return "", false
	}
	return static.NewFile(name, body).Path(), true
}

// unused refuses files that nothing reads: a name with a slip in it would
// change nothing, and nobody would know why.
func (b *builder) unused() error {
	var left []string
	for name := range b.files {
		if !b.used[name] && !strings.HasPrefix(strings.ToUpper(name), "README") {
			left = append(left, name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	slices.Sort(left)
	return errors.New(strings.Join(left, ", ") + ": nothing reads this; there are brand.yaml, the pictures it names, templates/, messages/ and static/")
}
