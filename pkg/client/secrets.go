package client

import (
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/secret"
)

// maxSecret bounds what is hashed for a caller who has proven nothing.
const maxSecret = 1024

// CheckSecret reports whether presented is a live secret of the client at
// now. One fast keyed hash and constant-time compares, whatever the outcome:
// secrets made by Portico carry 256 bits, so a slow hash would protect
// nothing.
func (s *Service) CheckSecret(c *Client, presented string, now time.Time) bool {
	return s.matches(c.Secrets, presented, now)
}

// CheckNobody does the work of CheckSecret for a client that does not exist,
// so that the time does not tell which ids exist. It is always false.
func (s *Service) CheckNobody(presented string) bool {
	_ = s.matches(s.nobody, presented, clock.Now())
	return false
}

func (s *Service) matches(live []Secret, presented string, now time.Time) bool {
	if len(presented) > maxSecret {
		return false
	}
	got := s.fp.Of(secret.ClientSecret, presented)
	ok := false
	for _, have := range live {
		same := secret.Equal(have.Hash, got)
		fresh := have.ExpiresAt.IsZero() || now.Before(have.ExpiresAt)
		if same && fresh && have.Hash != "" {
			ok = true
		}
	}
	return ok && presented != ""
}
