package ldap

import (
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// maxGroups bounds the groups of one person that are looked at. More is an
// error: which were left out would be chance.
const maxGroups = 1000

// nested finds groups through groups, which Active Directory resolves itself
// (MS-ADTS §3.1.1.3.4.4.3).
const nested = "(member:1.2.840.113556.1.4.1941:=%s)"

// groups tells which roles of ours an entry has.
type groups struct {
	base, filter string // where to search; empty base: the attribute is read
	attribute    string
	by           []grant
}

// grant is one role and what gives it: a group, or a value of the attribute.
type grant struct {
	text string
	dn   *goldap.DN // nil: it is a name
	role string
}

// grantsOf reads the roles of the settings. A key that is written as a DN
// stands for the one group, any other for every group of the name.
func grantsOf(roles map[string]string) []grant {
	var list []grant
	for text, role := range roles {
		g := grant{text: text, role: role}
		if dn, err := goldap.ParseDN(text); err == nil && len(dn.RDNs) > 0 && strings.Contains(text, "=") {
			g.dn = dn
		}
		list = append(list, g)
	}
	return list
}

// roles returns the roles of an entry, sorted.
func (g *groups) roles(c *conn, entry *goldap.Entry) ([]string, error) {
	if len(g.by) == 0 {
		return nil, nil
	}
	values := entry.GetEqualFoldAttributeValues(g.attribute)
	if g.base != "" {
		got, err := c.Search(search(g.base, fill(g.filter, entry.DN), maxGroups, []string{"1.1"}))
		if err != nil {
			return nil, err
		}
		values = nil
		for _, e := range got.Entries {
			values = append(values, e.DN)
		}
	}
	var roles []string
	for _, v := range values {
		roles = append(roles, g.of(v)...)
	}
	slices.Sort(roles)
	return slices.Compact(roles), nil
}

// of returns the roles that a group, or another value, gives.
func (g *groups) of(value string) []string {
	dn, err := goldap.ParseDN(value)
	if err != nil {
		dn = nil
	}
	var roles []string
	for _, grant := range g.by {
		if grant.gives(value, dn) {
			roles = append(roles, grant.role)
		}
	}
	return roles
}

func (g grant) gives(value string, dn *goldap.DN) bool {
	switch {
	case g.dn != nil && dn != nil:
		return g.dn.EqualFold(dn)
	case strings.EqualFold(g.text, value):
		return true
	case dn == nil || g.dn != nil || len(dn.RDNs) == 0:
		return false
	}
	// Only the group's own name counts, not that of a folder around it.
	return slices.ContainsFunc(dn.RDNs[0].Attributes, func(a *goldap.AttributeTypeAndValue) bool {
		return strings.EqualFold(a.Type, "cn") && strings.EqualFold(a.Value, g.text)
	})
}
