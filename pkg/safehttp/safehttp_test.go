package safehttp

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"

	"github.com/portico-id/portico/pkg/fault"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}

// tlsServer serves h on loopback and returns it with a pool that trusts it.
func tlsServer(t *testing.T, h http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

func TestFetchesWhatIsAllowed(t *testing.T) {
	s, roots := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "application/json" || r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("request headers are %v", r.Header)
		}
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, `{"keys":[]}`)
	})
	body, header, err := New(Config{Allow: loopback, RootCAs: roots}).Get(t.Context(), s.URL+"/jwks?x=1", "application/json")
	if err != nil || string(body) != `{"keys":[]}` || header.Get("Cache-Control") != "max-age=60" {
		t.Errorf("Get = %q, %v, %v", body, header, err)
	}
}

func TestPlainHTTPIsForAllowedAddressesOnly(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer s.Close()
	if body, _, err := New(Config{Allow: loopback}).Get(t.Context(), s.URL, "*/*"); err != nil || string(body) != "ok" {
		t.Errorf("allowed: Get = %q, %v", body, err)
	}
	c := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}})
	if _, _, err := c.Get(t.Context(), s.URL, "*/*"); err == nil {
		t.Error("fetched over http from an address that is not allowed")
	}
	// A public address passes the guard of https, and not that of http.
	g := newGuard(nil)
	if err := g.public("tcp4", "93.184.215.14:443", nil); err != nil {
		t.Errorf("https to a public address is refused: %v", err)
	}
	if err := g.allowed("tcp4", "93.184.215.14:80", nil); err == nil {
		t.Error("http to a public address passes")
	}
}

// Nothing listens at these addresses for us: the refusal must come from the
// guard, before a connection.
func TestRefusesAddresses(t *testing.T) {
	for name, host := range map[string]string{
		"loopback":                 "127.0.0.1",
		"loopback, other spelling": "127.8.8.8",
		"unspecified":              "0.0.0.0",
		"private 10":               "10.0.0.1",
		"private 172":              "172.16.0.1",
		"private 192":              "192.168.1.1",
		"shared":                   "100.64.0.1",
		"link-local, metadata":     "169.254.169.254",
		"multicast":                "224.0.0.1",
		"broadcast":                "255.255.255.255",
		"reserved":                 "240.0.0.1",
		"benchmarking":             "198.18.0.1",
		"IPv6 loopback":            "[::1]",
		"IPv6 unspecified":         "[::]",
		"IPv6 unique local":        "[fd00::1]",
		"IPv6 link-local":          "[fe80::1]",
		"IPv6 link-local, zone":    "[fe80::1%25lo]",
		"IPv6 multicast":           "[ff02::1]",
		"mapped loopback":          "[::ffff:127.0.0.1]",
		"mapped metadata":          "[::ffff:169.254.169.254]",
		"mapped in hex":            "[::ffff:7f00:1]",
		"compatible loopback":      "[::127.0.0.1]",
		"NAT64 loopback":           "[64:ff9b::7f00:1]",
		"NAT64 metadata":           "[64:ff9b::a9fe:a9fe]",
		"6to4 loopback":            "[2002:7f00:1::]",
		"Teredo":                   "[2001::1]",
		"documentation":            "[2001:db8::1]",
		"AWS metadata IPv6":        "[fd00:ec2::254]",
	} {
		for _, scheme := range []string{"https", "http"} {
			t.Run("security §9.6 "+name+" "+scheme, func(t *testing.T) {
				_, _, err := New(Config{Timeout: time.Second}).Get(t.Context(), scheme+"://"+host+":9/keys", "*/*")
				if !errors.Is(err, ssrf.ErrProhibitedIP) {
					t.Errorf("Get %s = %v, want a prohibited address", host, err)
				}
				if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "fetch_failed" {
					t.Errorf("fault is %v %s", fault.KindOf(err), fault.CodeOf(err))
				}
			})
		}
	}
}

func TestRefusesURLs(t *testing.T) {
	c := New(Config{Allow: loopback})
	for _, address := range []string{
		"", "example.com/keys", "//example.com/keys", "/keys", "file:///etc/passwd", "gopher://example.com/",
		"ftp://example.com/", "https:example.com", "https://", "https:///keys", "https://user@127.0.0.1/",
		"https://user:pass@127.0.0.1/", "https://127.0.0.1/#x", "https://127.0.0.1/#", "https://127.0.0.1:99999/",
		"https://exa mple.com/", "https://example.com/\x00", "https://127.0.0.1/\r\nHost: x",
		"https://127.0.0.1/" + strings.Repeat("a", maxURL),
	} {
		if _, _, err := c.Get(t.Context(), address, "*/*"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Get(%.60q) = %v, want a refusal", address, err)
		}
	}
}

func TestFollowsNoRedirect(t *testing.T) {
	var reached atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inner.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, roots := tlsServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inner.URL, status) })
		if _, _, err := New(Config{Allow: loopback, RootCAs: roots}).Get(t.Context(), s.URL, "*/*"); err == nil {
			t.Errorf("%d was taken for an answer", status)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("a redirect was followed %d times", reached.Load())
	}
}

func TestBoundsAnswers(t *testing.T) {
	big := strings.Repeat("a", 1000)
	for name, h := range map[string]http.HandlerFunc{
		"not found":     http.NotFound,
		"no content":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"partial":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) },
		"server error":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret stack", 500) },
		"announced big": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, big+big) },
		"endless body": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, big); err != nil {
					return
				}
			}
		},
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 10<<20))
			_ = z.Close()
		},
		"huge header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Big", strings.Repeat("h", 2*maxHeader))
		},
		"many headers": func(w http.ResponseWriter, _ *http.Request) {
			for range 2000 {
				w.Header().Add("X-Many", "hhhhhhhhhhhh")
			}
		},
		"torn body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			_, _ = io.WriteString(w, "short")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, roots := tlsServer(t, h)
			body, header, err := New(Config{Allow: loopback, RootCAs: roots, MaxBytes: 1500}).Get(t.Context(), s.URL, "*/*")
			f := fault.As(err)
			if f == nil || f.Kind != fault.Unavailable || body != nil || header != nil {
				t.Fatalf("Get = %d bytes, %v, %v; want a refusal and nothing else", len(body), header, err)
			}
			if strings.Contains(f.Say, "secret") || f.Cause == nil {
				t.Errorf("Say %q, Cause %v", f.Say, f.Cause)
			}
		})
	}
}

func TestTimeBoundsEverything(t *testing.T) {
	stall := make(chan struct{})
	for name, h := range map[string]http.HandlerFunc{
		"slow headers": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-stall:
			case <-r.Context().Done():
			}
		},
		"slow body": func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C: // a byte now and then must not buy more time
					_, _ = io.WriteString(w, "a")
					_ = http.NewResponseController(w).Flush()
				case <-stall:
					return
				case <-r.Context().Done():
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, roots := tlsServer(t, h)
			begun := time.Now()
			_, _, err := New(Config{Allow: loopback, RootCAs: roots, Timeout: 150 * time.Millisecond}).Get(t.Context(), s.URL, "*/*")
			if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
				t.Errorf("Get = %v after %s, want the deadline", err, took)
			}
		})
	}
	close(stall)
}

func TestOneSlotAtATime(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, 2)
	s, roots := tlsServer(t, func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "ok")
	})
	c := New(Config{Allow: loopback, RootCAs: roots, Parallel: 1})
	first := make(chan error, 1)
	go func() {
		_, _, err := c.Get(t.Context(), s.URL, "*/*")
		first <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := c.Get(ctx, s.URL, "*/*"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second Get = %v, want to wait for the slot in vain", err)
	}
	if len(entered) != 0 {
		t.Error("the second fetch reached the server beside the first")
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("first Get = %v", err)
	}
}

func TestTrustsOnlyKnownCertificates(t *testing.T) {
	s, _ := tlsServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	if _, _, err := New(Config{Allow: loopback, RootCAs: x509.NewCertPool()}).Get(t.Context(), s.URL, "*/*"); err == nil {
		t.Error("a certificate that nobody signed was trusted")
	}
}

func TestIgnoresProxies(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	c := New(Config{})
	for _, over := range []http.RoundTripper{c.http, c.https} {
		if over.(*http.Transport).Proxy != nil {
			t.Error("a proxy may be used")
		}
	}
}

// What is recorded of an address names the host, not what its query carries.
func TestRecordsNoQuery(t *testing.T) {
	_, _, err := New(Config{}).Get(t.Context(), "https://127.0.0.1/keys?token=secret", "*/*")
	f := fault.As(err)
	if len(f.Compared) != 1 || f.Compared[0].Got != "https://127.0.0.1/keys" {
		t.Errorf("compared %+v", f.Compared)
	}
	if strings.Contains(f.Say, "127.0.0.1") {
		t.Errorf("the caller is told the address: %q", f.Say)
	}
}
