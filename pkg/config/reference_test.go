package config_test

import (
	"flag"
	"os"
	"testing"

	"github.com/portico-id/portico/pkg/config"
)

var update = flag.Bool("update", false, "write docs/config.md")

func TestReferenceIsUpToDate(t *testing.T) {
	const path = "../../docs/config.md"
	want := config.Reference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/config.md is out of date (%v); run make docs", err)
	}
}
