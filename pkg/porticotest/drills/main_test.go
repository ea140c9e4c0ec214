package drills

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/cli"
	"github.com/portico-id/portico/storage/throwaway"
)

// role makes a copy of this test binary play portico, in a process of its own
// that can be killed.
const role = "PORTICO_TEST_DRILL_ROLE"

func TestMain(m *testing.M) {
	command := os.Getenv(role)
	if command == "" {
		os.Exit(throwaway.Main(m))
	}
	go func() { // the pipe ends with the test process, however that dies
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	os.Exit(cli.Main(strings.Fields(command), cli.Process{
		Stdin: strings.NewReader(""), Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
	}))
}
