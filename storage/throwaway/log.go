//go:build unix

package throwaway

import (
	"os"
	"strings"
)

func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// readFrom returns what was appended to a log after mark.
func readFrom(name string, mark int64) []byte {
	raw, err := os.ReadFile(name)
	if err != nil || int64(len(raw)) < mark {
		return nil
	}
	return raw[mark:]
}

// tail returns the end of a server's output, enough to see why it failed.
func tail(out []byte) string {
	const most = 2000
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return strings.TrimSpace(string(out))
}
