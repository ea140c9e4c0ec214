package templates

import "errors"

// Letter is one mail: every value it shows. Its words stand in the catalogue
// under mail.<Key>.: subject, lead, and, where the letter has them, action
// (the words of the button of URL), code (before Code) and after (a last
// paragraph). Values fill the placeholders of all of them.
type Letter struct {
	// Key names the letter: "verify".
	Key string
	// Name greets the person; empty: a greeting without a name.
	Name string
	// URL is where the button leads: absolute, from the configured issuer.
	URL string
	// Code is what may be typed instead of following the link.
	Code string
	// Values are the placeholders of the words: strangers' text is bounded.
	Values map[string]string
	// Facts tell the circumstances, such as device and address.
	Facts []Fact
}

// Fact is one circumstance; its label is the message mail.fact.<Key>.
type Fact struct{ Key, Value string }

// Drawn is a letter in one language.
type Drawn struct {
	Subject string // one line
	Text    string
	HTML    string
	Lang    string // BCP 47
}

// WriteLetter draws the letter.
func WriteLetter(frame Frame, l Letter) (Drawn, error) {
	return Drawn{}, errors.New("templates: letters are not drawn yet: " + l.Key)
}
