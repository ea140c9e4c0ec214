//go:build unix

package throwaway

import (
	"os"
	"testing"
)

// probe makes this test binary play a test process that dies; see
// TestNothingOutlivesTheProcess.
const probe = "PORTICO_TEST_PROBE"

func TestMain(m *testing.M) {
	if how := os.Getenv(probe); how != "" {
		playVictim(how)
	}
	os.Exit(Main(m))
}
