package templates

// Letter is one mail: every value it shows. Its words stand in the catalogue
// under mail.<Key>.: subject, lead, and, where the letter has them, action
// (the words of the button of URL), code (before Code) and after (a last
// paragraph). Values fill the placeholders of all of them; {{.Brand}} is there
// by itself.
//
// To add a letter, write its words into messages/<language>/mail_<topic>.json,
// name it by a literal Key in the code that sends it, and make its goldens:
// go test ./templates -run Letters -update.
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

// Fact is one circumstance; its label is the message mail.fact.<Key>. One
// without a value is not shown.
type Fact struct{ Key, Value string }

// The usual facts.
const (
	FactEmail   = "email"   // the address that it is about
	FactDevice  = "device"  // browser and system
	FactAddress = "address" // IP address
	FactTime    = "time"    // written out, with its zone
)

// Drawn is a letter in one language.
type Drawn struct {
	Subject string // one line
	Text    string
	HTML    string
	Lang    string // BCP 47
}
