package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/trail"
)

func TestClientAddress(t *testing.T) {
	proxies := trusted("10.0.0.0/8", "2001:db8:1::/48", "192.0.2.9/32")
	for name, tt := range map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"no proxy":                       {"203.0.113.5:4711", nil, "203.0.113.5"},
		"forged by the client":           {"203.0.113.5:4711", []string{"198.51.100.1"}, "203.0.113.5"},
		"forged as a proxy":              {"203.0.113.5:4711", []string{"198.51.100.1, 10.0.0.1"}, "203.0.113.5"},
		"one proxy":                      {"10.0.0.1:80", []string{"203.0.113.5"}, "203.0.113.5"},
		"one proxy, nothing said":        {"10.0.0.1:80", nil, "10.0.0.1"},
		"client forged before the proxy": {"10.0.0.1:80", []string{"1.1.1.1, 203.0.113.5"}, "203.0.113.5"},
		"two proxies":                    {"10.0.0.1:80", []string{"1.1.1.1, 203.0.113.5, 192.0.2.9"}, "203.0.113.5"},
		"a forged proxy in the middle":   {"10.0.0.1:80", []string{"10.9.9.9, 203.0.113.5, 10.0.0.2"}, "203.0.113.5"},
		"two headers":                    {"10.0.0.1:80", []string{"1.1.1.1", "203.0.113.5", "10.0.0.2"}, "203.0.113.5"},
		"only proxies":                   {"10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"unreadable ends the walk":       {"10.0.0.1:80", []string{"203.0.113.5, unknown"}, "10.0.0.1"},
		"unreadable behind a proxy":      {"10.0.0.1:80", []string{"203.0.113.5, <script>, 10.0.0.2"}, "10.0.0.2"},
		"empty hop":                      {"10.0.0.1:80", []string{"203.0.113.5,"}, "10.0.0.1"},
		"with a port":                    {"10.0.0.1:80", []string{"203.0.113.5:51000"}, "203.0.113.5"},
		"IPv6":                           {"[2001:db8:1::1]:443", []string{"2001:db8:2::5"}, "2001:db8:2::5"},
		"IPv6 in brackets with a port":   {"[2001:db8:1::1]:443", []string{"[2001:db8:2::5]:51000"}, "2001:db8:2::5"},
		"IPv6 in brackets":               {"[2001:db8:1::1]:443", []string{"[2001:db8:2::5]"}, "2001:db8:2::5"},
		"IPv4 in IPv6":                   {"[::ffff:10.0.0.1]:80", []string{"::ffff:203.0.113.5"}, "203.0.113.5"},
		"zone":                           {"[fe80::1%eth0]:80", nil, "fe80::1"},
		"unix socket":                    {"@", []string{"203.0.113.5"}, ""},
		"too many hops":                  {"10.0.0.1:80", []string{"203.0.113.5, " + strings.Repeat("10.0.0.2, ", 500) + "10.0.0.3"}, "10.0.0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newRig(t, "https://id.example", proxies)
			var got *trail.Trail
			h := k.Outer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = trail.From(r.Context()) }))
			r := request("GET", "/")
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.xff
			r.Header.Set("X-Real-Ip", "6.6.6.6")
			r.Header.Set("Forwarded", "for=6.6.6.6")
			serve(h, r)
			if remoteText(got.Remote) != tt.want {
				t.Errorf("peer %s, X-Forwarded-For %.80q: %s, want %s", tt.peer, tt.xff, got.Remote, tt.want)
			}
			if line := k.line(t); line["remote"] != tt.want {
				t.Errorf("logged %v, want %s", line["remote"], tt.want)
			}
		})
	}
}

func TestTrustsNobodyByDefault(t *testing.T) {
	k := newRig(t, "https://id.example")
	r := request("GET", "/", "X-Forwarded-For", "203.0.113.5")
	for _, peer := range []string{"127.0.0.1:1", "10.0.0.1:1", "[::1]:1"} {
		r.RemoteAddr = peer
		if got := k.remote(r); got != parseHop(peer) {
			t.Errorf("peer %s: %s", peer, got)
		}
	}
}
