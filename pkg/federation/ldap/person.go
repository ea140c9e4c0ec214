package ldap

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/protocol"
)

// maxValue bounds a value that is taken over, in bytes.
const maxValue = 1024

// field is a claim and the attributes that may hold it: the first that has a
// value counts.
type field struct {
	claim      string
	attributes []string
}

// fieldsOf are the claims that are read, those of the settings before the
// usual ones.
func fieldsOf(mapped map[string]string, activeDirectory bool) []field {
	usual := map[string][]string{
		"email": {"mail"}, "name": {"displayName", "cn"}, "given_name": {"givenName"}, "family_name": {"sn"},
		"phone_number": {"telephoneNumber"}, "locale": {"preferredLanguage"}, "preferred_username": {"uid"},
	}
	if activeDirectory {
		usual["preferred_username"] = []string{"sAMAccountName"}
	}
	for claim, attribute := range mapped {
		usual[claim] = []string{attribute}
	}
	var fields []field
	for _, claim := range slices.Sorted(maps.Keys(usual)) {
		fields = append(fields, field{claim, usual[claim]})
	}
	return fields
}

// person says who the entry is. Its groups are read as the operator's account.
func (d *Directory) person(c *conn, entry *goldap.Entry) (*federation.Person, error) {
	subject := d.subjectOf(entry)
	if subject == "" {
		return nil, d.unavailable(errors.New("ldap: an entry without "+d.subject)).
			WithHint("let the bind_dn of the provider read the attribute %s, or name another that never changes", d.subject)
	}
	roles, err := d.groups.roles(c, entry)
	if err != nil {
		return nil, d.unavailable(err).WithHint("search with group_base and group_filter of the provider by hand; groups that give no role need not be found")
	}
	claims := map[string]any{}
	for _, f := range d.fields {
		if v := first(entry, f.attributes); v != "" {
			claims[f.claim] = v
		}
	}
	for _, attribute := range d.mapped { // the settings speak of them by these names
		if v := first(entry, []string{attribute}); v != "" && claims[attribute] == nil {
			claims[attribute] = v
		}
	}
	if tag, ok := claims["locale"].(string); ok {
		// preferredLanguage is written like Accept-Language (RFC 2798 §2.7).
		claims["locale"] = strings.TrimSpace(strings.FieldsFunc(tag+",", func(r rune) bool { return r == ',' || r == ';' })[0])
	}
	p := &federation.Person{
		Issuer: Issuer(d.id), Subject: subject, Claims: claims, Roles: roles, AMR: []string{protocol.AMRPassword},
	}
	p.Email, _ = claims["email"].(string)
	// The directory is the operator's own, and so are its addresses.
	p.EmailVerified = p.Email != ""
	p.Label = p.Email
	for _, claim := range []string{"preferred_username", "name"} {
		if v, ok := claims[claim].(string); ok && p.Label == "" {
			p.Label = v
		}
	}
	return p, nil
}

// Issuer is that of the people of a provider.
func Issuer(provider string) string { return "ldap:" + provider }

// first returns the first value of the first attribute that has one.
func first(entry *goldap.Entry, attributes []string) string {
	for _, name := range attributes {
		for _, v := range entry.GetEqualFoldAttributeValues(name) {
			if v = clean(v); v != "" {
				return v
			}
		}
	}
	return ""
}

// clean returns a value that may be shown and kept, else "".
func clean(v string) string {
	v = strings.TrimSpace(v)
	if len(v) > maxValue || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
		return ""
	}
	return v
}
