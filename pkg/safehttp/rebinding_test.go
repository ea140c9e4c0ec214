package safehttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"code.dny.dev/ssrf"
)

// nameServer answers every A question with what next returns for the how
// manyth question it is, from 1, and everything else with no records.
func nameServer(t *testing.T, next func(n int) []netip.Addr) (*net.Resolver, *atomic.Int32) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	asked := new(atomic.Int32)
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(reply(buf[:n], asked, next), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}, asked
}

// reply writes an answer (RFC 1035 §4.1) to a question.
func reply(question []byte, asked *atomic.Int32, next func(int) []netip.Addr) []byte {
	end := 12
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // root label, type, class
	out := append([]byte(nil), question[:end]...)
	out[2], out[3] = 0x81, 0x80 // response, recursion available, no error
	copy(out[6:12], make([]byte, 6))
	if question[end-4] != 0 || question[end-3] != 1 {
		return out // not an A question
	}
	addresses := next(int(asked.Add(1)))
	out[7] = byte(len(addresses))
	for _, a := range addresses {
		four := a.As4()
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, four[:]...)
	}
	return out
}

func TestNameThatChangesItsMind(t *testing.T) {
	good, bad := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	var reached atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		_, _ = io.WriteString(w, "ok")
	}))
	defer s.Close()
	address := "http://rebind.example" + s.URL[strings.LastIndex(s.URL, ":"):]

	t.Run("one lookup per fetch", func(t *testing.T) {
		resolver, asked := nameServer(t, func(n int) []netip.Addr {
			if n == 1 {
				return []netip.Addr{good}
			}
			return []netip.Addr{bad}
		})
		c := New(Config{Allow: loopback, Resolver: resolver})
		if _, _, err := c.Get(t.Context(), address, "*/*"); err != nil || asked.Load() != 1 {
			t.Fatalf("first Get = %v after %d lookups", err, asked.Load())
		}
		before := reached.Load()
		_, _, err := c.Get(t.Context(), address, "*/*")
		if !errors.Is(err, ssrf.ErrProhibitedIP) || reached.Load() != before {
			t.Errorf("after rebinding Get = %v, server reached %d times more", err, reached.Load()-before)
		}
	})
	t.Run("a forbidden address among good ones", func(t *testing.T) {
		resolver, _ := nameServer(t, func(int) []netip.Addr { return []netip.Addr{bad, netip.MustParseAddr("10.0.0.1")} })
		if _, _, err := New(Config{Allow: loopback, Resolver: resolver}).Get(t.Context(), address, "*/*"); !errors.Is(err, ssrf.ErrProhibitedIP) {
			t.Errorf("Get = %v", err)
		}
	})
	t.Run("no address", func(t *testing.T) {
		resolver, _ := nameServer(t, func(int) []netip.Addr { return nil })
		if _, _, err := New(Config{Allow: loopback, Resolver: resolver}).Get(t.Context(), address, "*/*"); err == nil {
			t.Error("fetched from a name without address")
		}
	})
}
