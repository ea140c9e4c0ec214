package safehttp_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/safehttp"
)

// serve answers by what a test says, on this machine.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func thisMachine(cfg safehttp.Config) *http.Client {
	cfg.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return safehttp.New(cfg).HTTP()
}

func TestHTTPKeepsTheBounds(t *testing.T) {
	read := func(c *http.Client, address string) (string, error) {
		res, err := c.Post(address, "text/plain", strings.NewReader("question"))
		if err != nil {
			return "", err
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		return res.Status + " " + string(body), err
	}
	t.Run("an answer", func(t *testing.T) {
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write([]byte(r.UserAgent() + " asked a " + string(body)))
		})
		if got, err := read(thisMachine(safehttp.Config{}), address); got != "200 OK Portico asked a question" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("this machine is not asked unless it is allowed", func(t *testing.T) {
		if got, err := read(safehttp.New(safehttp.Config{}).HTTP(), serve(t, func(http.ResponseWriter, *http.Request) {})); err == nil {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a redirect is an answer", func(t *testing.T) {
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				t.Error("it was followed")
			}
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		})
		if got, err := read(thisMachine(safehttp.Config{}), address+"/"); !strings.HasPrefix(got, "307") || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	for name, h := range map[string]http.HandlerFunc{
		"a long body": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 101)) },
		"a long body in pieces": func(w http.ResponseWriter, _ *http.Request) {
			for range 101 {
				_, _ = w.Write([]byte("x"))
				w.(http.Flusher).Flush()
			}
		},
		"a compressed body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(bytes.Repeat([]byte("x"), 10))
			_ = z.Close()
		},
		"a slow body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else nobody notices that the client is gone
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := thisMachine(safehttp.Config{MaxBytes: 100, Timeout: 500 * time.Millisecond})
			if got, err := read(c, serve(t, h)); err == nil {
				t.Errorf("got %d bytes", len(got))
			}
		})
	}
	t.Run("as many bytes as are allowed", func(t *testing.T) {
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 100)) })
		if got, err := read(thisMachine(safehttp.Config{MaxBytes: 100}), address); len(got) != len("200 OK ")+100 || err != nil {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
	t.Run("slots are given back", func(t *testing.T) {
		c := thisMachine(safehttp.Config{Parallel: 2})
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got, err := read(c, address); !strings.HasPrefix(got, "418") || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		wg.Wait()
	})
}
