package login

import (
	"context"
	"strconv"
	"sync"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// guess is the kind under which a password that failed is fingerprinted.
const guess secret.Kind = "login-guess"

// guessLen is how many bytes of the fingerprint are looked at. Some sixteen
// million values are enough to tell one password from the others that fail
// within the window, and so few that many passwords share each: what is kept
// proves nothing about what somebody typed.
const guessLen = 3

// How many more accounts a network may fail on than one of its addresses, and
// how much longer the window of a source is that is suspected.
const (
	networkWider = 4
	slower       = 4
)

// suspicion knows attacks that no counter of one account sees: one source that
// fails on many accounts (credential stuffing), one password that fails on
// many (password spraying). It learns from failures alone. It never stops a
// device that the person has used before.
type suspicion struct {
	spreads limit.Spreads
	audit   audit.Recorder
	found   func(kind string)

	address, network, password limit.Rule // how many accounts are too many
	slowAddress, slowNetwork   limit.Rule // failures of a source that is suspected
}

// mark is where it is kept that a source is suspected: as long as it is slowed
// down, and longer than the failures that made it suspect.
func mark(spot limit.Spot) limit.Spot {
	return limit.Spot{Rule: limit.Rule{Name: spot.Rule.Name + "-mark", Max: 1, Window: spot.Rule.Window * slower}, Key: spot.Key}
}

func newSuspicion(d Deps) suspicion {
	spread := func(of string, times int) limit.Rule {
		r := d.Rules.LoginSpread
		return limit.Rule{Name: r.Name + "-" + of, Max: r.Max * times, Window: r.Window, Setting: r.Name}
	}
	slow := func(of string, times int) limit.Rule {
		r := d.Rules.LoginAddress
		return limit.Rule{Name: "login-suspect-" + of, Max: r.Max * times, Window: r.Window * slower, Source: true, Setting: r.Name}
	}
	factor := max(1, d.Rules.Factor)
	return suspicion{
		spreads: d.Spreads, audit: d.Audit, found: d.Suspected,
		address: spread("address", factor), network: spread("network", factor*networkWider), password: spread("password", 1),
		slowAddress: slow("address", 1), slowNetwork: slow("network", slower),
	}
}

// spots are where an attempt is looked for: its address, network and password.
func (s *suspicion) spots(ctx context.Context, fp *secret.Fingerprinter, plain string) []limit.Spot {
	return []limit.Spot{
		{Rule: s.address, Key: limit.Remote(ctx)},
		{Rule: s.network, Key: limit.RemoteNetwork(ctx)},
		{Rule: s.password, Key: string(fp.Tag(guess, plain)[:guessLen])},
	}
}

// suspected brakes an attempt that looks like a part of an attack, for whoever
// comes from a device that does not know the person. An address that fails on
// many accounts has for an hour what else it has for a quarter, and a network
// what else one address has. A password that fails on twice as many accounts
// as make it suspect is not tried any more until the window is over: what one
// address may do by its own limit is not yet an attack.
func (t *tries) suspected(ctx context.Context, plain string) error {
	s := &t.brake.suspicion
	spots := s.spots(ctx, t.brake.fp, plain)
	met, err := s.spreads.Spreads(ctx, []limit.Spot{mark(spots[0]), mark(spots[1]), spots[2]}, clock.Now())
	if err != nil {
		return err
	}
	if met[2] >= s.password.Kept() {
		return t.brake.gate.Judge(ctx, s.password, "", limit.Result{RetryAfter: s.password.Window},
			"OWASP ASVS 6.3.1 a password that fails on many accounts is not tried on more")
	}
	for i, slow := range []limit.Rule{s.slowAddress, s.slowNetwork} {
		if met[i] == 0 {
			continue
		}
		if err := t.take(ctx, slow, spots[i].Key, "OWASP ASVS 6.3.1 failures of a source that fails on many accounts"); err != nil {
			return err
		}
	}
	return nil
}

// learn notes a failure on the account, and tells once for each window what it
// suspects. When it cannot be noted the failure stays counted all the same.
func (t *tries) learn(ctx context.Context, plain, account string) {
	s := &t.brake.suspicion
	ctx = context.WithoutCancel(ctx) // whoever hangs up is counted too
	var wg sync.WaitGroup
	for i, spot := range s.spots(ctx, t.brake.fp, plain) {
		wg.Go(func() {
			met, err := s.spreads.Spread(ctx, spot.Rule, spot.Key, account, clock.Now())
			spraying := i == 2
			if err == nil && met >= spot.Rule.Max && !spraying {
				_, err = s.spreads.Spread(ctx, mark(spot).Rule, spot.Key, "suspected", clock.Now())
			}
			if met >= spot.Rule.Max {
				t.tell(ctx, spot, spraying)
			}
			if err != nil {
				trail.Set(ctx, "login_spread", "failed")
			}
		})
	}
	wg.Wait()
}

// tell records a suspicion: once for each window, whichever instance it is.
func (t *tries) tell(ctx context.Context, spot limit.Spot, spraying bool) {
	once := limit.Rule{Name: spot.Rule.Name + "-told", Max: 1, Window: spot.Rule.Window}
	if got, err := t.brake.gate.Store.Take(ctx, once, spot.Key, clock.Now()); err != nil || !got.Allowed {
		return
	}
	s := &t.brake.suspicion
	e := audit.Event{Name: audit.StuffingSuspected, Data: map[string]string{
		"rule": spot.Rule.Name, "accounts": strconv.Itoa(spot.Rule.Max), "within": spot.Rule.Window.String(),
	}}
	if spraying {
		e.Name = audit.SprayingSuspected
	} else {
		e.Data["source"] = spot.Key
	}
	s.audit.Record(ctx, e)
	if s.found != nil {
		s.found(string(e.Name))
	}
}
