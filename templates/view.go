package templates

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

// Frame is what surrounds every page.
type Frame struct {
	Lang Lang
	// Base is the path of the issuer without a slash at the end; "" for an
	// issuer at the root. Every local path of a page is put behind it.
	Base string
	// Client is the id of the application that the page is about; empty: none.
	// It may have a look of its own.
	Client string
}

// view is what a template sees: the frame, the page as .P, the look, and the
// words.
type view struct {
	Frame
	P    Page
	Look *Look
}

// T says a message of the catalogue. The arguments are pairs of placeholder
// name and value.
func (v *view) T(key string, pairs ...any) (string, error) {
	data, err := dataOf(pairs)
	if err != nil {
		return "", err
	}
	return v.Lang.get().say(key, data, 0)
}

// N says a message that counts.
func (v *view) N(key string, count int) (string, error) {
	return v.Lang.get().say(key, nil, count)
}

// Problem says why an entry does not count.
func (v *view) Problem(p Problem) (string, error) {
	if len(p.list) > 0 {
		list, err := v.list(p.list)
		if err != nil {
			return "", err
		}
		return v.T(p.key, "List", list)
	}
	return v.Lang.get().say(p.key, p.data, p.count)
}

// list says several messages, one behind the other.
func (v *view) list(keys []string) (string, error) {
	said := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if said[i], err = v.T(key); err != nil {
			return "", err
		}
	}
	comma, err := v.T("strength.comma")
	return strings.Join(said, comma), err
}

// Marks around a value inside a message, while it is still text. They are
// control characters, which bounded removes from every value.
const markOpen, markClose = "\x01", "\x02"

// Rich says a message whose values stand out. Each value is bounded, escaped
// and isolated (bdi), so that its direction changes nothing around it.
func (v *view) Rich(key string, pairs ...any) (template.HTML, error) {
	marked := make([]any, len(pairs))
	for i, p := range pairs {
		marked[i] = p
		if i%2 == 1 {
			marked[i] = markOpen + bounded(fmt.Sprint(p), sentenceBound) + markClose
		}
	}
	text, err := v.T(key, marked...)
	if err != nil {
		return "", err
	}
	return template.HTML(emphasis.Replace(html.EscapeString(text))), nil //nolint:gosec // escaped, then only our own tags
}

var emphasis = strings.NewReplacer(markOpen, "<strong><bdi>", markClose, "</bdi></strong>")

func dataOf(pairs []any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("templates: %d arguments are no pairs", len(pairs))
	}
	data := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("templates: placeholder %v is no name", pairs[i])
		}
		data[name] = pairs[i+1]
	}
	return data, nil
}

// At puts a local path behind the base of the issuer. An absolute URL that
// the caller checked is left as it is.
func (v *view) At(path string) string {
	if strings.HasPrefix(path, "/") {
		return v.Base + "/" + strings.TrimLeft(path, `/\`) // "//host" would be another server
	}
	return path
}

// BrandName returns the name of this server.
func (v *view) BrandName() string {
	if v.Look != nil {
		if name := bounded(v.Look.Name, nameBound); name != "" {
			return name
		}
	}
	return "Portico"
}

// ClientName returns the bounded name of an application; c is a Client or a
// pointer to one.
func (v *view) ClientName(c any) (string, error) {
	var name string
	switch c := c.(type) {
	case Client:
		name = c.Name
	case *Client:
		if c != nil {
			name = c.Name
		}
	}
	if name = bounded(name, nameBound); name != "" {
		return name, nil
	}
	return v.T("client.unnamed")
}

// Name bounds a stranger's name, Sentence a stranger's sentence.
func (v *view) Name(s string) string { return bounded(s, nameBound) }

// Sentence bounds a sentence.
func (v *view) Sentence(s string) string { return bounded(s, sentenceBound) }

// Destination tells where the answer goes.
func (v *view) Destination(redirectURI string) destination { return destinationOf(redirectURI) }

// ScopeWords says a scope of Portico, or its name when the catalogue has none.
func (v *view) ScopeWords(scope string) (string, error) {
	if key := "scope." + scope; v.Lang.get().keys[key] {
		return v.T(key)
	}
	return bounded(scope, nameBound), nil
}

// ErrorWords says why we cannot continue: by the code when it is known, else
// by the status.
func (v *view) ErrorWords(p Error) (string, error) {
	if p.Over {
		return v.T("error.over")
	}
	if key, ok := errorByCode[p.Code]; ok {
		return v.T(key)
	}
	if key, ok := errorByStatus[p.Status]; ok {
		return v.T(key)
	}
	return v.T("error.internal")
}

// funcs are the functions of every template.
var funcs = template.FuncMap{"entered": entered, "appURI": appURI}
