package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/portico-id/portico/pkg/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"portico": func() {
		os.Exit(cli.Main(os.Args[1:], cli.Process{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}))
	}})
}

// Every script is a story told by a shell.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("KEY", "cG9ydGljbyFwb3J0aWNvIXBvcnRpY28hcG9ydGljbyE=")
			env.Setenv("DB", "sqlite://"+filepath.ToSlash(filepath.Join(env.WorkDir, "data", "portico.db")))
			return nil
		},
	})
}
