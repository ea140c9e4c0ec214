package clientauth

import (
	"context"
	"errors"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
)

var errNotObject = errors.New("clientauth: not a JSON object with distinct members")

// sourceOf is who is counted: a client id, existing or not, from an address.
func sourceOf(ctx context.Context, id string) string {
	addr := ""
	if t := trail.From(ctx); t != nil && t.Remote.IsValid() {
		addr = t.Remote.String()
	}
	if len(id) > 128 {
		id = id[:128]
	}
	return id + "|" + addr
}

// brake counts an attempt beforehand, of those who failed of late on this
// instance. Counters that cannot be reached stop nobody: a secret of 256 bits
// is not found by guessing, and machines must get their tokens.
func (a *Authenticator) brake(ctx context.Context, source string) error {
	until, ok := a.suspects.GetIfPresent(source)
	if !ok || a.cfg.Gate.Store == nil {
		return nil
	}
	now := clock.Now()
	if !now.Before(until) {
		a.suspects.Invalidate(source)
		return nil
	}
	err := a.cfg.Gate.Take(ctx, a.cfg.Failures, source, "security §4.8 guessing is limited per client and source")
	if err != nil && !fault.Is(err, fault.Limited) {
		trail.Set(ctx, "client_auth_limit", "unavailable")
		return nil
	}
	if err != nil {
		return tooMany(fault.As(err))
	}
	return nil
}

func tooMany(err *fault.Error) *fault.Error {
	f := *err
	f.Code, f.Say = protocol.ErrTemporarilyUnavailable, "Too many failed attempts. Try again later."
	return f.WithHint("somebody at this address sends wrong credentials for this client")
}

// passed gives the attempt of a suspect back.
func (a *Authenticator) passed(ctx context.Context, source string) {
	if _, ok := a.suspects.GetIfPresent(source); !ok || a.cfg.Gate.Store == nil {
		return
	}
	if err := a.cfg.Gate.Give(ctx, a.cfg.Failures, source); err == nil {
		a.suspects.Invalidate(source)
	}
}

// failure remembers who failed, counts the first failure, and records it.
func (a *Authenticator) failure(ctx context.Context, source string, cred credential, why error) {
	now := clock.Now()
	if a.cfg.Gate.Store != nil {
		if until, ok := a.suspects.GetIfPresent(source); !ok || !now.Before(until) {
			if _, err := a.cfg.Gate.Store.Take(ctx, a.cfg.Failures, source, now); err != nil {
				trail.Set(ctx, "client_auth_limit", "unavailable")
			}
		}
		a.suspects.Set(source, now.Add(a.cfg.Failures.Window))
	}
	if a.cfg.Audit == nil {
		return
	}
	a.cfg.Audit.Record(ctx, audit.Event{
		Name: audit.ClientAuthFailed, Actor: fault.Clip(cred.id), ClientID: fault.Clip(cred.id),
		Data: map[string]string{"method": cred.method, "rule": fault.As(why).Rule},
	})
}
