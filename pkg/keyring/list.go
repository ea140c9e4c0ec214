package keyring

import (
	"time"

	"github.com/portico-id/portico/pkg/clock"
)

// State is what a key does at the moment.
type State string

// States, in the order of a key's life.
const (
	Next    State = "next"    // published, does not sign yet
	Signing State = "signing" // signs
	Retired State = "retired" // published: something it signed may live
	Expired State = "expired" // left the JWK Set; verifies hints only
	Revoked State = "revoked" // nothing
)

// Info describes a key without its private half.
type Info struct {
	ID        string    `json:"kid"`
	Purpose   Purpose   `json:"purpose"`
	Alg       string    `json:"alg"`
	State     State     `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	ActiveAt  time.Time `json:"active_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// List describes every stored key: by line, oldest first.
func (r *Ring) List() []Info {
	var all []Info
	now, s := clock.Now(), r.state.Load()
	for _, l := range lines {
		c := s.lines[l]
		signs := c.signer(now)
		for _, k := range c {
			all = append(all, Info{
				ID: k.row.ID, Purpose: k.row.Purpose, Alg: k.row.Alg, State: k.state(now, signs),
				CreatedAt: k.row.CreatedAt, ActiveAt: k.row.ActiveAt, ExpiresAt: k.row.ExpiresAt, RevokedAt: k.row.RevokedAt,
			})
		}
	}
	return all
}

func (k *key) state(now time.Time, signs *key) State {
	switch {
	case !k.row.RevokedAt.IsZero():
		return Revoked
	case k.past(now):
		return Expired
	case k == signs:
		return Signing
	case now.Before(k.row.ActiveAt):
		return Next
	default:
		return Retired
	}
}
