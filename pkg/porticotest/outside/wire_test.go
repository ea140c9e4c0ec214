package outside_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/porticotest"
	"github.com/portico-id/portico/pkg/protocol"
)

// wire sends bytes as they are and returns every answer until the server
// closes or waits for more.
func wire(t *testing.T, s *porticotest.Server, raw string) []*http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	var answers []*http.Response
	for in := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		answers = append(answers, res)
	}
}

// What two servers in a row could read differently is refused, or read once:
// a request hidden in another is never answered.
func TestSmuggling(t *testing.T) {
	s := porticotest.New(t)
	host := "Host: " + strings.TrimPrefix(s.URL, "http://") + "\r\n"
	post := "POST " + protocol.PathToken + " HTTP/1.1\r\n" + host + "Content-Type: application/x-www-form-urlencoded\r\n"
	hidden := "GET /healthz HTTP/1.1\r\n" + host + "\r\n"
	for name, raw := range map[string]string{
		"length and chunked":       post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":              post + "Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + hidden,
		"a list of lengths":        post + "Content-Length: 0, 40\r\n\r\n" + hidden,
		"a length with a plus":     post + "Content-Length: +0\r\n\r\n" + hidden,
		"a negative length":        post + "Content-Length: -1\r\n\r\n" + hidden,
		"a length in hex":          post + "Content-Length: 0x0\r\n\r\n" + hidden,
		"chunked twice":            post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"chunked with a tab":       post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + hidden,
		"a blank before the colon": post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a bad chunk":              post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" + hidden,
		"two hosts":                "GET / HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n",
		"no host":                  "GET / HTTP/1.1\r\n\r\n",
		"a NUL in a header":        "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n",
		"a control in the path":    "GET /\x01 HTTP/1.1\r\n" + host + "\r\n",
		"a foreign absolute path":  "GET http://evil.example" + protocol.PathOpenIDConfiguration + " HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"CONNECT":                  "CONNECT 127.0.0.1:1 HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"an asterisk":              "OPTIONS * HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"HTTP/9":                   "GET / HTTP/9.9\r\n" + host + "\r\n",
		"the preface of HTTP/2":    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		t.Run("12.6 "+name, func(t *testing.T) {
			answers := wire(t, s, raw)
			for i, a := range answers {
				if a.StatusCode >= 500 && a.StatusCode != http.StatusHTTPVersionNotSupported && a.StatusCode != http.StatusNotImplemented {
					t.Errorf("answer %d: %d", i, a.StatusCode)
				}
				if strings.Contains(a.Header.Get("Location"), "evil") {
					t.Errorf("answer %d leads to %s", i, a.Header.Get("Location"))
				}
			}
			// Where both framings stand, only the chunks count and the
			// connection ends (RFC 9112 §6.3).
			if strings.Contains(raw, hidden) && len(answers) > 1 {
				t.Errorf("%d answers: the hidden request was served", len(answers))
			}
		})
	}
}
