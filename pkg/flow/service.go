package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/secret"
)

// Config holds how long things last, and how many. Zero durations take the
// defaults.
type Config struct {
	TTL      time.Duration // an open flow; default 30 minutes
	KeepDone time.Duration // what is over, so that its page leads back; default 24 hours
	ParkTTL  time.Duration // a parked request; default 5 minutes

	// Gate counts the requests that one address makes us keep; without a
	// store they are not counted.
	Gate limit.Gate
	// PerAddress is how many one address may; default as limit.Standard.
	PerAddress limit.Rule
}

func (c Config) withDefaults() Config {
	if c.TTL <= 0 {
		c.TTL = 30 * time.Minute
	}
	if c.KeepDone <= 0 {
		c.KeepDone = 24 * time.Hour
	}
	if c.ParkTTL <= 0 {
		c.ParkTTL = 5 * time.Minute
	}
	if c.PerAddress.Max <= 0 {
		c.PerAddress = limit.Standard().FlowAddress
	}
	return c
}

// Service begins, keeps and ends flows. It is safe for concurrent use; one
// *Flow is not.
type Service struct {
	store Store
	fp    *secret.Fingerprinter
	cfg   Config
}

// NewService returns a Service over the store.
func NewService(store Store, fp *secret.Fingerprinter, cfg Config) *Service {
	return &Service{store: store, fp: fp, cfg: cfg.withDefaults()}
}

// Begin makes a flow for the browser that holds the cookie browserToken. It
// is not saved: a request that needs no page never touches the store.
func (s *Service) Begin(browserToken string, q Request) *Flow {
	now := clock.Now()
	return &Flow{
		ID:        secret.New(secret.FlowID),
		Browser:   s.browser(browserToken),
		Request:   q,
		CreatedAt: now,
		ExpiresAt: now.Add(s.cfg.TTL),
	}
}

// Save keeps the flow as it is now. fault.Conflict when another request of
// the same tab saved in between; fault.Unavailable when the store is down;
// fault.Limited when it would be one new flow too many of this address. The
// flow is unchanged when saving fails.
func (s *Service) Save(ctx context.Context, f *Flow) error {
	if !f.Saved {
		if err := s.brake(ctx); err != nil {
			return err
		}
	}
	next := *f
	next.Version++
	next.Saved = true
	value, err := json.Marshal(&next)
	if err != nil {
		return fmt.Errorf("flow: encode: %w", err)
	}
	rec := Record{
		Value:     seal(f.ID, value),
		Version:   next.Version,
		ExpiresAt: f.ExpiresAt.Add(s.cfg.KeepDone),
	}
	if err := s.store.Put(ctx, s.key(secret.FlowID, f.ID), rec, clock.Now()); err != nil {
		return fmt.Errorf("flow: save: %w", err)
	}
	f.Version, f.Saved = next.Version, true
	return nil
}

// Load returns the flow of the id if the browser that holds browserToken
// began it. Faults: NotFound for an id that is unknown or long gone; Denied
// for another browser; Gone when it is done or expired, and then the flow is
// returned too, so that the page can lead back to the application.
func (s *Service) Load(ctx context.Context, id, browserToken string) (*Flow, error) {
	if _, ok := secret.Unwrap(secret.FlowID, id); !ok {
		return nil, unknown("RFC 6749 §3.1 the interactive request exists")
	}
	rec, err := s.store.Get(ctx, s.key(secret.FlowID, id), clock.Now())
	if fault.Is(err, fault.NotFound) {
		return nil, unknown("RFC 6749 §3.1 the interactive request exists").Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("flow: load: %w", err)
	}
	f := &Flow{}
	plain, err := open(id, rec.Value)
	if err != nil {
		return nil, fmt.Errorf("flow: load: %w", err)
	}
	if err := json.Unmarshal(plain, f); err != nil {
		return nil, fmt.Errorf("flow: decode: %w", err)
	}
	f.ID, f.Version, f.Saved = id, rec.Version, true
	if browserToken == "" || !secret.Equal(f.Browser, s.browser(browserToken)) {
		return nil, foreign()
	}
	if !f.DoneAt.IsZero() || !clock.Now().Before(f.ExpiresAt) {
		return f, over()
	}
	return f, nil
}

// Done ends the flow. Of any number of concurrent calls for a saved flow
// exactly one succeeds, the others get fault.Conflict with code
// flow_over. A flow that was never
// saved exists in this request only: nothing is stored. One in which a person
// signed in does not count for their address: a whole office may come.
func (s *Service) Done(ctx context.Context, f *Flow) error {
	if !f.DoneAt.IsZero() {
		return lost()
	}
	f.DoneAt = clock.Now()
	if !f.Saved {
		return nil
	}
	err := s.Save(ctx, f)
	if err != nil {
		f.DoneAt = time.Time{}
	}
	if fault.Is(err, fault.Conflict) {
		return lost().Because(err)
	}
	if err == nil && f.FreshLogin && f.UserID != "" {
		s.release(ctx)
	}
	return err
}

// Reopen takes back what Done did, for the caller that won and then could not
// answer: the person may press the button again.
func (s *Service) Reopen(ctx context.Context, f *Flow) error {
	at := f.DoneAt
	f.DoneAt = time.Time{}
	if !f.Saved {
		return nil
	}
	if err := s.Save(ctx, f); err != nil {
		f.DoneAt = at
		return err
	}
	return nil
}

func (s *Service) browser(token string) string {
	return s.fp.Of(secret.BrowserCookie, token)
}

// key is what the store sees of an id: enough to find it, not to use it.
func (s *Service) key(kind secret.Kind, id string) string {
	return string(kind) + ":" + s.fp.Of(kind, id)
}
