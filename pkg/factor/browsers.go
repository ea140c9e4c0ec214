package factor

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/trail"
)

// BrowsersConfig says for how long and how many browsers are remembered.
type BrowsersConfig struct {
	For  time.Duration // zero: none is
	Most int           // per person; default 10
}

// Browsers remembers browsers. It implements login.Browsers and is safe for
// concurrent use.
type Browsers struct {
	store Store
	fp    *secret.Fingerprinter
	audit audit.Recorder
	cfg   BrowsersConfig
}

// NewBrowsers returns a service over the store.
func NewBrowsers(store Store, fp *secret.Fingerprinter, rec audit.Recorder, cfg BrowsersConfig) *Browsers {
	if cfg.Most <= 0 {
		cfg.Most = 10
	}
	return &Browsers{store, fp, rec, cfg}
}

// For returns for how long browsers are remembered; zero: they are not.
func (b *Browsers) For() time.Duration { return b.cfg.For }

// touchEvery is how often at most the use of a browser is written, and
// maxUserAgent bounds what it may write into our rows, in bytes.
const (
	touchEvery   = time.Hour
	maxUserAgent = 256
)

// Trusted reports whether the cookie value is of a browser that the person had
// remembered. A broken, unknown or expired one, or one of somebody else, is
// none. An error means that the store cannot tell.
func (b *Browsers) Trusted(ctx context.Context, userID, token string) (bool, error) {
	if _, ok := secret.Unwrap(secret.TrustedBrowser, token); !ok || b.cfg.For <= 0 {
		return false, nil
	}
	found, err := b.store.ByHash(ctx, b.fp.Of(secret.TrustedBrowser, token))
	now := clock.Now()
	switch {
	case fault.Is(err, fault.NotFound):
		return false, nil
	case err != nil:
		return false, err
	case found.UserID != userID, !now.Before(found.ExpiresAt), !now.Before(found.CreatedAt.Add(b.cfg.For)):
		return false, nil
	}
	if now.Sub(found.UsedAt) >= touchEvery {
		if err := b.store.Touch(ctx, found.ID, now); err != nil {
			trail.Set(ctx, "browser_touch", "failed") // it only looks older
		}
	}
	return true, nil
}

// Trust remembers the browser of the request and returns its cookie value and
// for how long. When none is remembered the value is empty.
func (b *Browsers) Trust(ctx context.Context, userID string) (token string, life time.Duration, err error) {
	if b.cfg.For <= 0 {
		return "", 0, nil
	}
	now := clock.Now().UTC().Truncate(time.Microsecond)
	token = secret.New(secret.TrustedBrowser)
	one := Browser{
		ID: secret.ID(), Hash: b.fp.Of(secret.TrustedBrowser, token), UserID: userID,
		CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(b.cfg.For),
	}
	if t := trail.From(ctx); t != nil {
		one.UserAgent = fault.Clip(t.UserAgent[:min(len(t.UserAgent), maxUserAgent)])
		if t.Remote.IsValid() {
			one.Address = t.Remote.String()
		}
	}
	if err := b.store.Remember(ctx, one, b.cfg.Most); err != nil {
		return "", 0, err
	}
	b.audit.Record(ctx, audit.Event{Name: audit.BrowserTrusted, Actor: userID, UserID: userID})
	return token, b.cfg.For, nil
}

// List returns the remembered browsers of a person, latest used first.
func (b *Browsers) List(ctx context.Context, userID string) ([]Browser, error) {
	return b.store.Of(ctx, userID, clock.Now())
}

// Forget asks a browser of the person again; with id "all" every one.
// fault.NotFound when it is not one of theirs.
func (b *Browsers) Forget(ctx context.Context, userID, id string) error {
	var err error
	if id == AllBrowsers {
		err = b.store.ForgetAll(ctx, userID)
	} else {
		err = b.store.Forget(ctx, userID, id)
	}
	if err != nil {
		return err
	}
	b.audit.Record(ctx, audit.Event{Name: audit.BrowserForgotten, Actor: userID, UserID: userID})
	return nil
}

// AllBrowsers is the id of every browser of a person.
const AllBrowsers = "all"

// DeleteExpired removes at most limit browsers that are over.
func (b *Browsers) DeleteExpired(ctx context.Context, limit int) (int, error) {
	return b.store.DeleteExpired(ctx, clock.Now(), limit)
}
