package storagetest

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/storage"
)

// Dumper writes every row of every table as text.
type Dumper interface {
	Dump(ctx context.Context, w io.Writer) error
}

// Dumps checks that a dump shows whatever is stored in the clear, in every
// kind of column: else it would prove nothing.
func Dumps(t *testing.T, open OpenDurable) {
	d := open(t)
	must(t, d.Clients.Create(t.Context(), client.Client{ID: "a", Name: "in-a-text", RedirectURIs: []string{"in-a-list"}}))
	must(t, d.Keys.Add(t.Context(), keyring.Key{ID: "k", Purpose: "p", Alg: "a", Sealed: []byte("in-bytes \x00\xff")}, time.Time{}))
	must(t, d.Audit.Append(t.Context(), []audit.Event{{ID: "e", Data: map[string]string{"k": "in-a-document"}}}))
	got := Dump(t, d)
	for _, want := range []string{"clients.name = in-a-text\n", "in-a-list", "signing_keys.sealed = in-bytes \x00\xff\n", "in-a-document"} {
		if !strings.Contains(got, want) {
			t.Errorf("the dump lacks %q:\n%s", want, got)
		}
	}
	must(t, d.Clients.Delete(t.Context(), "a"))
	if strings.Contains(Dump(t, d), "in-a-text") {
		t.Error("the dump has what was removed")
	}
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
