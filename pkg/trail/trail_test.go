package trail_test

import (
	"context"
	"sync"
	"testing"

	"github.com/portico-id/portico/pkg/trail"
)

func TestFacts(t *testing.T) {
	tr := &trail.Trail{ID: "r1"}
	ctx := trail.With(context.Background(), tr)
	trail.Set(ctx, "client_id", "shop")
	trail.Set(ctx, "user_id", "u1")
	trail.Set(ctx, "client_id", "other")
	if trail.ID(ctx) != "r1" || tr.Get("client_id") != "other" || tr.Get("nothing") != "" {
		t.Errorf("id %q, client %q", trail.ID(ctx), tr.Get("client_id"))
	}
	facts := tr.Facts()
	if len(facts) != 2 || facts[0].Key != "client_id" || facts[1].Key != "user_id" {
		t.Errorf("facts %v", facts)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { trail.Set(ctx, "n", 1); tr.Facts(); tr.Get("n") })
	}
	wg.Wait()
}

func TestOutsideARequest(t *testing.T) {
	ctx := context.Background()
	trail.Set(ctx, "a", 1) // does nothing
	if trail.From(ctx) != nil || trail.ID(ctx) != "" || trail.From(ctx).Get("a") != "" || trail.From(ctx).Facts() != nil {
		t.Error("there is a trail where no request is")
	}
}
