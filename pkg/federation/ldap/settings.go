package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/federation"
)

// attributeName is the name or the number of an attribute (RFC 4512 §1.4).
var attributeName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]{0,63}|[0-9]+(\.[0-9]+){1,20})$`)

// invalid is a setting that makes no sense.
func invalid(setting, reason string) error {
	return fault.New(fault.Invalid, "invalid_provider", "The directory's settings make no sense: "+setting+" "+reason+".").
		Under("security §11.10 a directory is asked safely").About("directory."+setting, reason)
}

func (d *Directory) configure(s federation.Settings) error {
	if s.Directory == nil {
		return invalid("url", "is missing")
	}
	d.dir = *s.Directory
	for _, check := range []func() error{
		d.readURL, d.readRoots, d.readBind,
		func() error { return d.readFilters(s) },
		func() error { return d.readAttributes(s) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// readURL finds where the directory is, and what protects the way there.
func (d *Directory) readURL() error {
	u, err := url.Parse(d.dir.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return invalid("url", "is not ldaps://host or ldap://host")
	}
	port := u.Port()
	switch u.Scheme {
	case "ldaps":
		d.encrypt = fromStart
		if port == "" {
			port = goldap.DefaultLdapsPort
		}
	case "ldap":
		d.encrypt = upgraded
		if port == "" {
			port = goldap.DefaultLdapPort
		}
	default:
		return invalid("url", "is not ldaps://host or ldap://host")
	}
	if d.dir.PlainText {
		addr, err := netip.ParseAddr(u.Hostname())
		if u.Scheme != "ldap" || u.Hostname() != "localhost" && (err != nil || !addr.IsLoopback()) {
			return invalid("plain_text", "is for ldap:// to loopback only")
		}
		d.encrypt = loopback
	}
	d.address = net.JoinHostPort(u.Hostname(), port)
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	return nil
}

func (d *Directory) readRoots() error {
	if d.dir.RootsFile == "" {
		return nil
	}
	raw, err := os.ReadFile(d.dir.RootsFile)
	if err != nil {
		return fault.As(invalid("roots_file", "cannot be read")).Because(err)
	}
	d.tls.RootCAs = x509.NewCertPool()
	if !d.tls.RootCAs.AppendCertsFromPEM(raw) {
		return invalid("roots_file", "holds no certificate in PEM")
	}
	return nil
}

// readBind refuses a name without a password: the bind would succeed as
// nobody's (RFC 4513 §5.1.2).
func (d *Directory) readBind() error {
	if d.dir.BindDN != "" && d.secret == "" {
		return invalid("bind_dn", "needs the password as the provider's secret")
	}
	if dn, err := goldap.ParseDN(d.dir.BaseDN); err != nil || len(dn.RDNs) == 0 {
		return invalid("base_dn", "is no distinguished name")
	}
	return nil
}

func (d *Directory) readFilters(s federation.Settings) error {
	if !fillable(d.dir.Filter) {
		return invalid("filter", "is no filter with %s where a value stands, such as (uid=%s)")
	}
	d.groups = &groups{base: d.dir.GroupBase, filter: d.dir.GroupFilter, attribute: "memberOf", by: grantsOf(s.Roles)}
	if s.RolesClaim != "" {
		d.groups.attribute, d.groups.base = s.RolesClaim, ""
	} else if d.dir.ActiveDirectory && d.groups.base == "" {
		d.groups.base = domainOf(d.dir.BaseDN)
	}
	if d.groups.filter == "" {
		d.groups.filter = "(member=%s)"
		if d.dir.ActiveDirectory {
			d.groups.filter = nested
		}
	}
	if !fillable(d.groups.filter) {
		return invalid("group_filter", "is no filter with %s where the name of the person stands, such as (member=%s)")
	}
	if dn, err := goldap.ParseDN(d.groups.base); d.groups.base != "" && (err != nil || len(dn.RDNs) == 0) {
		return invalid("group_base", "is no distinguished name")
	}
	return nil
}

// fillable reports whether a filter has a place for a value, and no other.
func fillable(filter string) bool {
	parts := strings.Split(filter, "%s")
	if len(parts) < 2 {
		return false
	}
	before := ""
	for _, part := range parts[:len(parts)-1] {
		before += part
		if strings.LastIndexByte(before, '=') < strings.LastIndexAny(before, "()") {
			return false // would be the name of an attribute, or a filter
		}
		before += "x"
	}
	_, err := goldap.CompileFilter(fill(filter, "x"))
	return err == nil
}

// domainOf returns the part of a DN that names the domain: the groups of a
// person may be anywhere in it.
func domainOf(dn string) string {
	parsed, err := goldap.ParseDN(dn)
	if err != nil {
		return ""
	}
	for len(parsed.RDNs) > 0 && !allDC(parsed.RDNs) {
		parsed.RDNs = parsed.RDNs[1:]
	}
	return parsed.String()
}

func allDC(rdns []*goldap.RelativeDN) bool {
	for _, rdn := range rdns {
		for _, a := range rdn.Attributes {
			if !strings.EqualFold(a.Type, "dc") {
				return false
			}
		}
	}
	return true
}

// readAttributes finds what is asked of an entry.
func (d *Directory) readAttributes(s federation.Settings) error {
	d.subject = d.dir.Subject
	if d.subject == "" {
		d.subject = "entryUUID"
		if d.dir.ActiveDirectory {
			d.subject = "objectGUID"
		}
	}
	d.subjectOf = func(e *goldap.Entry) string { return only(e, d.subject) }
	if strings.EqualFold(d.subject, "objectGUID") {
		d.subjectOf = func(e *goldap.Entry) string { return guidText(e.GetEqualFoldRawAttributeValue(d.subject)) }
	}
	d.fields, d.mapped = fieldsOf(s.Claims, d.dir.ActiveDirectory), slices.Sorted(maps.Values(s.Claims))
	d.wanted = []string{d.subject, d.groups.attribute}
	for _, f := range d.fields {
		d.wanted = append(d.wanted, f.attributes...)
	}
	slices.Sort(d.wanted)
	d.wanted = slices.Compact(d.wanted)
	for _, name := range d.wanted {
		if !attributeName.MatchString(name) {
			return invalid("claims", "names "+fault.Clip(name)+", which is no attribute")
		}
	}
	return nil
}

// only returns the value of an attribute that has one.
func only(e *goldap.Entry, attribute string) string {
	values := e.GetEqualFoldAttributeValues(attribute)
	if len(values) != 1 || len(values[0]) > 255 {
		return ""
	}
	return clean(values[0])
}
