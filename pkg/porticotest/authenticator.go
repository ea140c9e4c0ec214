package porticotest

import (
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/totp"
)

// Authenticator is an authenticator app of a person. Its codes are used once
// each: when the time for the next has not come, the clock of the process
// jumps there until the test ends.
type Authenticator struct {
	tb   testing.TB
	seed string
	last int64 // time step of the newest code that was used
}

// step is the length of a time step (RFC 6238 §4.1).
const step = 30 * time.Second

// NewAuthenticator returns an app with the key as a page shows it, in groups.
func (s *Server) NewAuthenticator(key string) *Authenticator {
	return &Authenticator{tb: s.tb, seed: strings.ReplaceAll(key, " ", "")}
}

// AddAuthenticator gives the person an app, without a page.
func (s *Server) AddAuthenticator(email string) *Authenticator {
	s.tb.Helper()
	u, err := s.FindUser(s.tb.Context(), email)
	if err != nil {
		s.tb.Fatal(err)
	}
	a := &Authenticator{tb: s.tb, seed: totp.NewSeed()}
	if err := s.TOTP.Confirm(s.tb.Context(), factor.Change{UserID: u.ID, Name: "Phone", Actor: u.ID}, a.seed, a.Code()); err != nil {
		s.tb.Fatal(err)
	}
	return a
}

// Code returns a code that was not used before.
func (a *Authenticator) Code() string {
	a.tb.Helper()
	now := clock.Now().Unix() / int64(step/time.Second)
	a.last = max(a.last+1, now-1)
	if ahead := a.last - now; ahead > 1 {
		a.tb.Cleanup(clock.Jump(time.Duration(ahead-1) * step))
	}
	code, err := totp.Code(a.seed, time.Unix(a.last*int64(step/time.Second), 0))
	if err != nil {
		a.tb.Fatal(err)
	}
	return code
}
