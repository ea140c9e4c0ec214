package federation

import (
	"regexp"
	"strings"
)

// microsoft is where the issuers of Microsoft begin.
const microsoft = "https://login.microsoftonline.com/"

var (
	tenant = regexp.MustCompile(`^https://login\.microsoftonline\.com/([A-Za-z0-9.-]{1,100})/v2\.0$`)
	guid   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// anybody are the names that stand for every tenant.
var anybody = []string{"/common/", "/organizations/", "/consumers/"}

// tenantPlace stands in the issuer of discovery for the tenant of who signs in.
const tenantPlace = "{tenantid}"

// oneTenant reports whether the issuer is that of one tenant, and not of
// everybody who has one.
func oneTenant(issuer string) bool {
	for _, name := range anybody {
		if strings.Contains(issuer, name) {
			return false
		}
	}
	return true
}

// sameTenant reports whether discovery below asked may name the issuer told:
// with the id of the tenant in the place of its name, or the place itself.
func sameTenant(asked, told string) bool {
	before, rest, found := strings.Cut(asked, "/v2.0")
	i := strings.LastIndexByte(before, '/')
	if !found || rest != "" || i < 0 {
		return asked == told
	}
	id, ok := strings.CutPrefix(told, before[:i+1])
	id, right := strings.CutSuffix(id, "/v2.0")
	if !ok || !right {
		return false
	}
	if id == tenantPlace {
		return !oneTenant(asked)
	}
	return guid.MatchString(id)
}

// issuerOf returns the issuer that an ID token must have: that of discovery,
// with the tenant that the token names in its place.
func issuerOf(told string, claims map[string]any) string {
	if !strings.Contains(told, tenantPlace) {
		return told
	}
	tid, _ := claims["tid"].(string)
	if !guid.MatchString(tid) {
		return "" // nothing equals it
	}
	return strings.ReplaceAll(told, tenantPlace, tid)
}
