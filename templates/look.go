package templates

// A Look is how pages and letters show whose they are. Paths are below the
// issuer; what is empty is Portico's.
type Look struct {
	// Name stands in the header, in titles and in letters; empty: Portico.
	Name string
	// Logo is the path of a picture that stands beside Name, LogoDark of one
	// for dark pages; empty: Logo. Icon is that of the favicon, with its media
	// type.
	Logo, LogoDark, Icon, IconType string
	// Style is the path of a stylesheet that sets the colours.
	Style string
	// Home is an https address that Name leads to, Support one for help in the
	// footer; empty: no link.
	Home, Support string
	// Light and Dark are the colours of letters, which have no stylesheet.
	Light, Dark Colours
}

// Colours are what an accent needs: itself, the text on it, and a faint tint
// of it; #rrggbb each.
type Colours struct{ Accent, On, Tint string }

// Portico's own, as in static/files/app.css.
var (
	lightColours = Colours{Accent: "#0b5b4c", On: "#ffffff", Tint: "#e4f0ea"}
	darkColours  = Colours{Accent: "#7cd4b8", On: "#05231b", Tint: "#1f332d"}
)

func (c Colours) or(ours Colours) Colours {
	if c.Accent == "" {
		return ours
	}
	return c
}

// lookOf returns the look of an application's pages, or the server's.
func (s *Set) lookOf(client string) *Look {
	if l, ok := s.looks[client]; ok && client != "" {
		return l
	}
	return s.look
}
