package templates

// Profile edits what the person says about themselves. Fields sent: those of
// profileFields, and locale.
type Profile struct {
	Desk
	Form
	// Values and Problems are by the name of the field.
	Values   map[string]string
	Problems map[string]Problem
	// Username shows the field of the username.
	Username bool
	// Choices are the languages to choose from; the first is the browser's.
	Choices []Choice
	Problem Problem
}

// Choice is one option of a list.
type Choice struct {
	Value, Words string
	Chosen       bool
}

// Entry is one field of a form.
type Entry struct {
	Name    string // of the field, and its id
	Label   string // key
	Hint    string // key; empty: none
	Type    string // of the input; "lines": several lines
	Auto    string // what browsers fill in
	Max     int    // characters
	Value   string
	Problem Problem
	Focus   bool
}

// Group is a part of a form.
type Group struct {
	Key     string // of its name
	Entries []Entry
}

var profileFields = []Group{
	{"account.group_name", []Entry{
		{Name: "name", Label: "account.field_name", Type: "text", Auto: "name", Max: 200},
		{Name: "given_name", Label: "account.field_given_name", Type: "text", Auto: "given-name", Max: 200},
		{Name: "middle_name", Label: "account.field_middle_name", Type: "text", Auto: "additional-name", Max: 200},
		{Name: "family_name", Label: "account.field_family_name", Type: "text", Auto: "family-name", Max: 200},
		{Name: "nickname", Label: "account.field_nickname", Type: "text", Auto: "nickname", Max: 200},
		{Name: "username", Label: "account.field_username", Hint: "account.hint_username", Type: "text", Auto: "username", Max: 64},
	}},
	{"account.group_about", []Entry{
		{Name: "birthdate", Label: "account.field_birthdate", Hint: "account.hint_birthdate", Type: "text", Auto: "bday", Max: 10},
		{Name: "website", Label: "account.field_website", Type: "url", Auto: "url", Max: 2048},
		{Name: "picture", Label: "account.field_picture", Hint: "account.hint_picture", Type: "url", Auto: "photo", Max: 2048},
		{Name: "zoneinfo", Label: "account.field_zoneinfo", Hint: "account.hint_zoneinfo", Type: "text", Auto: "off", Max: 64},
		{Name: "phone_number", Label: "account.field_phone", Type: "tel", Auto: "tel", Max: 40},
	}},
	{"account.group_address", []Entry{
		{Name: "street_address", Label: "account.field_street", Type: "lines", Auto: "street-address", Max: 500},
		{Name: "postal_code", Label: "account.field_postal_code", Type: "text", Auto: "postal-code", Max: 40},
		{Name: "locality", Label: "account.field_locality", Type: "text", Auto: "address-level2", Max: 200},
		{Name: "region", Label: "account.field_region", Type: "text", Auto: "address-level1", Max: 200},
		{Name: "country", Label: "account.field_country", Type: "text", Auto: "country-name", Max: 200},
	}},
}

// ProfileFields returns the names of the fields with their bounds in
// characters.
func ProfileFields() map[string]int {
	bounds := map[string]int{}
	for _, g := range profileFields {
		for _, e := range g.Entries {
			bounds[e.Name] = e.Max
		}
	}
	return bounds
}

// Template implements Page.
func (Profile) Template() string { return "account/profile.html" }

// Groups returns the form. The first wrong field has the focus.
func (p Profile) Groups() []Group {
	var all []Group
	focused := false
	for _, g := range profileFields {
		filled := Group{Key: g.Key}
		for _, e := range g.Entries {
			if e.Name == "username" && !p.Username {
				continue
			}
			e.Value, e.Problem = p.Values[e.Name], p.Problems[e.Name]
			if e.Problem.Is() && !focused {
				e.Focus, focused = true, true
			}
			filled.Entries = append(filled.Entries, e)
		}
		all = append(all, filled)
	}
	return all
}

// Failed reports whether anything entered did not count.
func (p Profile) Failed() bool { return p.Problem.Is() || len(p.Problems) > 0 }

// Problems of the account.
var (
	FieldRefused    = Problem{key: "problem.field"}
	FieldTooLong    = Problem{key: "problem.field_too_long"}
	URLMalformed    = Problem{key: "problem.url"}
	BirthdateWrong  = Problem{key: "problem.birthdate"}
	ZoneWrong       = Problem{key: "problem.zone"}
	LanguageWrong   = Problem{key: "problem.language"}
	UsernameTaken   = Problem{key: "problem.username_taken"}
	UsernameMissing = Problem{key: "problem.username_missing"}
	EmailSame       = Problem{key: "problem.email_same"}
	CodeWrong       = Problem{key: "problem.account_code"}
	LinkOver        = Problem{key: "problem.account_over"}
	CurrentWrong    = Problem{key: "problem.current_wrong"}
	CurrentMissing  = Problem{key: "problem.current_missing"}
	NotSure         = Problem{key: "problem.not_sure"}
	LastAdmin       = Problem{key: "problem.last_admin"}
)
