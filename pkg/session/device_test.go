package session_test

import (
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/session"
)

// agents are user agents as browsers send them.
var agents = map[string]struct {
	userAgent string
	want      session.Device
}{
	"Firefox on Windows":         {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", session.Device{"Firefox", "Windows", session.Desktop}},
	"Chrome on Windows":          {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", session.Device{"Chrome", "Windows", session.Desktop}},
	"Edge on Windows":            {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", session.Device{"Edge", "Windows", session.Desktop}},
	"Internet Explorer":          {"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", session.Device{"Internet Explorer", "Windows", session.Desktop}},
	"Safari on a Mac":            {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15", session.Device{"Safari", "macOS", session.Desktop}},
	"Opera on a Mac":             {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 OPR/126.0.0.0", session.Device{"Opera", "macOS", session.Desktop}},
	"Firefox on Linux":           {"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", session.Device{"Firefox", "Linux", session.Desktop}},
	"Chrome on a Chromebook":     {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", session.Device{"Chrome", "ChromeOS", session.Desktop}},
	"Safari on an iPhone":        {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", session.Device{"Safari", "iOS", session.Phone}},
	"Chrome on an iPhone":        {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1", session.Device{"Chrome", "iOS", session.Phone}},
	"Safari on an iPad":          {"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", session.Device{"Safari", "iOS", session.Tablet}},
	"Chrome on an Android phone": {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36", session.Device{"Chrome", "Android", session.Phone}},
	"Chrome on a tablet":         {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", session.Device{"Chrome", "Android", session.Tablet}},
	"Firefox on a tablet":        {"Mozilla/5.0 (Android 15; Tablet; rv:145.0) Gecko/145.0 Firefox/145.0", session.Device{"Firefox", "Android", session.Tablet}},
	"Samsung Internet":           {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", session.Device{"Samsung Internet", "Android", session.Phone}},
	"a crawler":                  {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", session.Device{"", "", session.Bot}},
	"a browser without a window": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36", session.Device{"Chrome", "Linux", session.Bot}},
	"a program":                  {"curl/8.5.0", session.Device{Kind: session.UnknownDevice}},
	"nothing":                    {"", session.Device{Kind: session.UnknownDevice}},
	"words of its own":           {"Your bank. Call 555-0100/1.0", session.Device{Kind: session.UnknownDevice}},
	"control characters":         {"\x00\x1b[2J\r\nSubject: hello", session.Device{Kind: session.UnknownDevice}},
	"no UTF-8":                   {"\xff\xfe\xfd", session.Device{Kind: session.UnknownDevice}},
}

func TestDevices(t *testing.T) {
	for name, tt := range agents {
		t.Run(name, func(t *testing.T) {
			if got := session.DeviceOf(tt.userAgent); got != tt.want {
				t.Errorf("DeviceOf(%q) = %+v, want %+v", tt.userAgent, got, tt.want)
			}
		})
	}
}

// TestOnlyTheBeginningOfAUserAgentIsRead keeps the work small whatever comes.
func TestOnlyTheBeginningOfAUserAgentIsRead(t *testing.T) {
	long := strings.Repeat("(x/;", 1<<20) + " Firefox/145.0"
	if got := session.DeviceOf(long); got.Browser != "" {
		t.Errorf("read %+v from the end of 4 MiB", got)
	}
	if n := testing.AllocsPerRun(10, func() { session.DeviceOf(long) }); n > 500 {
		t.Errorf("%v allocations for a user agent of 4 MiB", n)
	}
}

// FuzzDevice holds because a mail says what DeviceOf returns: it never fails,
// and no word of its answer is the browser's.
func FuzzDevice(f *testing.F) {
	known := map[string]bool{"": true}
	for _, tt := range agents {
		f.Add(tt.userAgent)
	}
	for _, w := range []string{
		"Chrome", "Firefox", "Safari", "Edge", "Opera", "Opera Mini", "Vivaldi", "Samsung Internet", "Internet Explorer", "Facebook", "Instagram", "TikTok",
		"Windows", "Windows Phone", "macOS", "iOS", "Android", "Linux", "ChromeOS", "FreeBSD", "BlackBerry", "HarmonyOS",
	} {
		known[w] = true
	}
	f.Fuzz(func(t *testing.T, userAgent string) {
		got := session.DeviceOf(userAgent)
		if !known[got.Browser] || !known[got.OS] || got.Kind == "" {
			t.Errorf("DeviceOf(%q) = %+v", userAgent, got)
		}
	})
}
