package web

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/limit"
)

// tellQuotas writes what the counters said that were asked for the request,
// in the two forms that clients read: three fields for the tightest counter,
// and the structured fields for all of them
// (draft-ietf-httpapi-ratelimit-headers-10 §3, §4). The states come with the
// tightest first.
func tellQuotas(h http.Header, states []limit.State) {
	if len(states) == 0 {
		return
	}
	tightest := states[0]
	h.Set("RateLimit-Limit", strconv.Itoa(tightest.Rule.Max))
	h.Set("RateLimit-Remaining", strconv.Itoa(tightest.Remaining))
	h.Set("RateLimit-Reset", wholeSeconds(tightest.Reset))
	policies, limits := make([]string, len(states)), make([]string, len(states))
	for i, s := range states {
		name := strconv.Quote(s.Rule.Name) // an sf-string: names are plain ASCII (RFC 8941 §3.3.3)
		policies[i] = name + ";q=" + strconv.Itoa(s.Rule.Max) + ";w=" + wholeSeconds(max(s.Rule.Window, time.Second))
		limits[i] = name + ";r=" + strconv.Itoa(s.Remaining) + ";t=" + wholeSeconds(s.Reset)
	}
	h.Set("RateLimit-Policy", strings.Join(policies, ", "))
	h.Set("RateLimit", strings.Join(limits, ", "))
}

// wholeSeconds writes a time to wait, rounded up (RFC 9110 §10.2.3).
func wholeSeconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }
