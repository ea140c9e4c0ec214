package password

import (
	"context"
	"crypto/sha1" //nolint:gosec // the protocol of range services; nothing is protected by it
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/safehttp"
	"github.com/portico-id/portico/pkg/trail"
)

// What came of asking a range service, for the metric and the request's log
// line.
const (
	RangeHit     = "hit"
	RangeMiss    = "miss"
	RangeFailed  = "failed"  // no answer in time, or none that can be read: the password passes
	RangeSkipped = "skipped" // not asked, after several failures
)

// Bounds of one question. A padded answer has about a thousand lines.
const (
	rangeTimeout  = 1500 * time.Millisecond
	rangeBytes    = 256 << 10
	rangeFailures = 3           // in a row, until nobody is asked
	rangePause    = time.Minute // for that long
)

// RangeConfig says which range service to ask.
type RangeConfig struct {
	// URL is what the first five characters of a SHA-1 are put behind.
	URL string
	// Allow are addresses that may be reached besides public ones.
	Allow []netip.Prefix
	// Timeout is for the whole question; default and upper limit 1.5 seconds.
	Timeout time.Duration
	// Observe counts what came of each question; may be nil.
	Observe func(outcome string)
}

// Ranges asks a k-anonymity range service whether a password is known from a
// breach. Only five characters of a SHA-1 leave the server, and answers are
// padded so that their length tells nothing. It is a comfort: whatever goes
// wrong lets the password pass, and a service that is down is left alone for
// a minute. Safe for concurrent use.
type Ranges struct {
	url     string
	fetch   *safehttp.Client
	observe func(string)

	mu       sync.Mutex
	failures int // in a row
	until    time.Time
}

// NewRanges returns a client of a range service.
func NewRanges(cfg RangeConfig) *Ranges {
	if cfg.Timeout <= 0 || cfg.Timeout > rangeTimeout {
		cfg.Timeout = rangeTimeout
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string) {}
	}
	return &Ranges{
		url: strings.TrimRight(cfg.URL, "/") + "/", observe: cfg.Observe,
		fetch: safehttp.New(safehttp.Config{
			Allow: cfg.Allow, Timeout: cfg.Timeout, MaxBytes: rangeBytes,
			Header: http.Header{"Add-Padding": {"true"}},
		}),
	}
}

// Breached reports whether the password, as it is typed, was seen in a breach.
func (r *Ranges) Breached(ctx context.Context, plain string) bool {
	outcome := r.ask(ctx, plain)
	trail.Set(ctx, "password_range", outcome)
	r.observe(outcome)
	return outcome == RangeHit
}

func (r *Ranges) ask(ctx context.Context, plain string) string {
	if !r.open(clock.Now()) {
		return RangeSkipped
	}
	sum := sha1.Sum([]byte(plain)) //nolint:gosec // as above
	digest := strings.ToUpper(hex.EncodeToString(sum[:]))
	body, _, err := r.fetch.Get(ctx, r.url+digest[:5], "text/plain")
	hit := false
	if err == nil {
		hit, err = inRange(string(body), digest[5:])
	}
	if err != nil && ctx.Err() != nil {
		return RangeFailed // the person went away, which says nothing of the service
	}
	r.done(err, clock.Now())
	switch {
	case err != nil:
		return RangeFailed
	case hit:
		return RangeHit
	}
	return RangeMiss
}

// open reports whether the service may be asked. After a pause one caller
// tries, and the others wait for what comes of it.
func (r *Ranges) open(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures < rangeFailures {
		return true
	}
	if now.Before(r.until) {
		return false
	}
	r.until = now.Add(rangePause)
	return true
}

func (r *Ranges) done(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.failures = 0
		return
	}
	if r.failures++; r.failures >= rangeFailures {
		r.until = now.Add(rangePause)
	}
}

// inRange looks for the rest of a digest in lines of "REST:COUNT". Padding
// has the count 0. An answer without a single such line is none.
func inRange(body, rest string) (bool, error) {
	readable := false
	for line := range strings.Lines(body) {
		got, count, ok := strings.Cut(strings.TrimSpace(line), ":")
		n, err := strconv.ParseUint(count, 10, 64)
		if !ok || err != nil || len(got) != len(rest) {
			continue
		}
		readable = true
		if n > 0 && strings.EqualFold(got, rest) {
			return true, nil
		}
	}
	if !readable {
		return false, errors.New("password: the range service answered with something else")
	}
	return false, nil
}
