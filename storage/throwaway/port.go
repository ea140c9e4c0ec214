//go:build unix

package throwaway

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that kernels give to outgoing
// connections (32768 and up on Linux, 49152 elsewhere), so that a stopped
// server finds its port free again. The bus of a Redis Cluster node listens
// busOffset higher, still below that range.
const (
	portFirst = 11000
	portCount = 10000
	busOffset = 10000
)

// freePort returns a port of 127.0.0.1 on which nobody listens, with the bus
// port that belongs to it free as well. Somebody else may take it before the
// caller does: callers try again with another.
func freePort() (int, error) {
	for range 200 {
		port := portFirst + rand.IntN(portCount) //nolint:gosec // not a secret
		if free(port) && free(port+busOffset) {
			return port, nil
		}
	}
	return 0, errors.New("no free port found on 127.0.0.1 in 200 tries")
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
