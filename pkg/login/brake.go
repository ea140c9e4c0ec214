package login

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
	"github.com/portico-id/portico/pkg/user"
)

// identifier is the kind under which a name that somebody typed is
// fingerprinted: counters hold no e-mail address.
const identifier secret.Kind = "login"

// brake slows guessing, per account and per address.
type brake struct {
	gate      limit.Gate
	rules     limit.Rules
	fp        *secret.Fingerprinter
	waiting   *waiting
	suspicion suspicion
}

func newBrake(d Deps) brake {
	return brake{gate: d.Gate, rules: d.Rules, fp: d.Fingerprint, waiting: &waiting{}, suspicion: newSuspicion(d)}
}

// tries are the counts of one attempt.
type tries struct {
	brake *brake
	taken []taken // counted and not given back
	held  []taken // others wait for their end
}

type taken struct {
	rule limit.Rule
	key  string
}

func (b *brake) begin() *tries { return &tries{brake: b} }

// address counts the attempt for where it comes from.
func (t *tries) address(ctx context.Context) error {
	return t.take(ctx, t.brake.rules.LoginAddress, limit.Remote(ctx), "OWASP ASVS 6.3.1 failures per address")
}

// account names whom an attempt aims at. A person has one counter for all
// identifiers and spellings; a name that nobody has is counted alike.
func (b *brake) account(u *user.User, typed string) string {
	if u != nil {
		return "user:" + u.ID
	}
	return "name:" + b.fp.Of(identifier, user.Normalise(typed))
}

// account counts the attempt for whom it aims at. A device that the person has
// used before counts for itself, so that strangers cannot keep them out of it
// (NIST SP 800-63B §3.2.2).
func (t *tries) account(ctx context.Context, account string, known bool, d device) error {
	if known {
		account = t.brake.within(account, d)
	}
	return t.take(ctx, t.brake.rules.LoginAccount, account, "OWASP ASVS 6.3.1 failures per account")
}

// within names an account on a device that it was used on before.
func (b *brake) within(account string, d device) string {
	return account + " device:" + b.fp.Of(identifier, d.browser)
}

func (t *tries) take(ctx context.Context, rule limit.Rule, key, clause string) error {
	got, err := t.brake.waiting.take(ctx, rule.Name+key, func() (limit.Result, error) {
		return t.brake.gate.Store.Take(ctx, rule, key, clock.Now())
	})
	if err != nil {
		return err
	}
	if err := t.brake.gate.Judge(ctx, rule, key, got, clause); err != nil {
		return err
	}
	t.taken = append(t.taken, taken{rule, key})
	t.held = append(t.held, taken{rule, key})
	return nil
}

// end lets those go on that wait for this attempt. What was not given back
// stays counted.
func (t *tries) end() {
	for _, one := range t.held {
		t.brake.waiting.end(one.rule.Name + one.key)
	}
	t.held = nil
}

// giveBack undoes the counts of an attempt that was no failure, also when the
// person has gone meanwhile. If it fails, the count is only stricter.
func (t *tries) giveBack(ctx context.Context) {
	t.giveBackIf(ctx, func(limit.Rule) bool { return true })
}

// giveBackSource is giveBack for what is counted of the address alone: the
// answer tells how much of that is left.
func (t *tries) giveBackSource(ctx context.Context) {
	t.giveBackIf(ctx, func(r limit.Rule) bool { return r.Source })
}

func (t *tries) giveBackIf(ctx context.Context, which func(limit.Rule) bool) {
	ctx = context.WithoutCancel(ctx)
	var wg sync.WaitGroup
	var kept []taken
	for _, one := range t.taken { // at once: a login should not wait for each
		if !which(one.rule) {
			kept = append(kept, one)
			continue
		}
		wg.Go(func() {
			if err := t.brake.gate.Give(ctx, one.rule, one.key); err != nil {
				trail.Set(ctx, "limit_give", "failed")
			}
		})
	}
	wg.Wait()
	t.taken = kept
}

// seconds writes a Retry-After value (RFC 9110 §10.2.3), rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }
