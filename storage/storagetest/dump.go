package storagetest

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/portico-id/portico/storage"
)

// Dumper writes every row of every table as text.
type Dumper interface {
	Dump(ctx context.Context, w io.Writer) error
}

// Dump returns the whole database as text, so that a test can look for what
// must not be in it: no token, code, secret or private key in the clear.
func Dump(t testing.TB, d *storage.Durable) string {
	t.Helper()
	engine, ok := d.Transactor.(Dumper)
	if !ok {
		t.Fatalf("the engine %T cannot be dumped", d.Transactor)
	}
	var out strings.Builder
	if err := engine.Dump(t.Context(), &out); err != nil {
		t.Fatalf("dump the database: %v", err)
	}
	return out.String()
}
