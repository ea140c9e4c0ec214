package flow

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
)

// parkLimit bounds what one stranger's POST may put into the store, in bytes
// of its encoded form.
const parkLimit = 32 << 10

// Park keeps the parameters of a POST until our own GET comes for them: a
// cross-site POST carries no SameSite=Lax cookies, a redirect to ourselves
// does. The id opens them once. fault.TooLarge above 32 kB;
// fault.Limited when it would be one request too many of this address.
func (s *Service) Park(ctx context.Context, params url.Values) (id string, err error) {
	return s.park(ctx, secret.PendingRequest, params, s.cfg.ParkTTL)
}

// Unpark returns the parameters of a parked request and forgets them: of any
// number of calls one gets them, the others fault.NotFound.
func (s *Service) Unpark(ctx context.Context, id string) (url.Values, error) {
	return s.unpark(ctx, secret.PendingRequest, id, "RFC 6749 §3.1 the parked request exists")
}

// Await is Park for what we ourselves need to know when the browser comes back
// from a provider. The id is the state that it brings: nothing that a stranger
// sent is kept under one. It waits as long as a flow lives.
func (s *Service) Await(ctx context.Context, params url.Values) (state string, err error) {
	return s.park(ctx, secret.UpstreamState, params, s.cfg.TTL)
}

// Arrived is Unpark for Await.
func (s *Service) Arrived(ctx context.Context, state string) (url.Values, error) {
	return s.unpark(ctx, secret.UpstreamState, state, "RFC 6749 §10.12 the state is one that we sent, and comes back once")
}

// Hold is Park for what a page of ours asked of a browser: nothing that a
// stranger sent is kept under its id.
func (s *Service) Hold(ctx context.Context, params url.Values) (id string, err error) {
	return s.park(ctx, secret.Ceremony, params, s.cfg.ParkTTL)
}

// Claim is Unpark for Hold.
func (s *Service) Claim(ctx context.Context, id string) (url.Values, error) {
	return s.unpark(ctx, secret.Ceremony, id, "WebAuthn §13.4.3 the challenge is ours, lasts minutes and is answered once")
}

func (s *Service) park(ctx context.Context, kind secret.Kind, params url.Values, life time.Duration) (id string, err error) {
	value := params.Encode()
	if len(value) > parkLimit {
		return "", fault.New(fault.TooLarge, "invalid_request", "The request is too large.").
			Under("RFC 6749 §3.1 the size of a request is bounded")
	}
	if err := s.brakeOf(ctx, s.ruleOf(kind)); err != nil {
		return "", err
	}
	id = secret.New(kind)
	now := clock.Now()
	rec := Record{Value: seal(id, []byte(value)), Version: 1, ExpiresAt: now.Add(life)}
	if err := s.store.Put(ctx, s.key(kind, id), rec, now); err != nil {
		return "", fmt.Errorf("flow: park: %w", err)
	}
	return id, nil
}

func (s *Service) unpark(ctx context.Context, kind secret.Kind, id, rule string) (url.Values, error) {
	if _, ok := secret.Unwrap(kind, id); !ok {
		return nil, unknown(rule)
	}
	rec, err := s.store.Take(ctx, s.key(kind, id), clock.Now())
	if fault.Is(err, fault.NotFound) {
		return nil, unknown(rule).Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("flow: unpark: %w", err)
	}
	s.releaseOf(ctx, s.ruleOf(kind))
	plain, err := open(id, rec.Value)
	if err != nil {
		return nil, fmt.Errorf("flow: unpark: %w", err)
	}
	params, err := url.ParseQuery(string(plain))
	if err != nil {
		return nil, fmt.Errorf("flow: unpark: %w", err)
	}
	return params, nil
}
