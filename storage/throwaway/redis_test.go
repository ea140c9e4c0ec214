//go:build unix

package throwaway

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"strings"
	"testing"
)

func ask(t *testing.T, s *RedisServer, command string) string {
	t.Helper()
	ctx, cancel := within(startLimit)
	defer cancel()
	answer, err := s.ask(ctx, command)
	if err != nil {
		return "error: " + err.Error()
	}
	return answer
}

func TestRedisServersAreApart(t *testing.T) {
	a, b := Redis(t), Redis(t)
	ask(t, a, "SET k 1")
	if got := ask(t, b, "GET k"); !strings.Contains(got, "$-1") {
		t.Errorf("GET k on another server = %q, want nothing", got)
	}
	if got := ask(t, a, "GET k"); got != "1" {
		t.Errorf("GET k = %q, want 1", got)
	}
}

func TestRedisKeepsWhatItWasToldToKeep(t *testing.T) {
	tests := map[string]struct {
		keep  bool
		lapse func(*RedisServer)
		want  string
	}{
		"stopped without a file": {false, func(s *RedisServer) { s.Stop(); s.Start() }, "$-1"},
		"killed without a file":  {false, func(s *RedisServer) { s.Kill(); s.Start() }, "$-1"},
		"stopped with a file":    {true, func(s *RedisServer) { s.Stop(); s.Start() }, "1"},
		"killed with a file":     {true, func(s *RedisServer) { s.Kill(); s.Start() }, "1"},
		"disk lost":              {true, (*RedisServer).StartEmpty, "$-1"},
		"flushed":                {true, (*RedisServer).FlushAll, "$-1"},
		"nothing happened":       {false, (*RedisServer).Start, "1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := NewRedis(t, RedisOptions{AppendOnly: tt.keep})
			url := s.URL()
			ask(t, s, "SET k 1")
			tt.lapse(s)
			if got := ask(t, s, "GET k"); !strings.Contains(got, tt.want) {
				t.Errorf("GET k = %q, want %q", got, tt.want)
			}
			if s.URL() != url {
				t.Errorf("URL became %q, want %q", s.URL(), url)
			}
		})
	}
}

func TestStoppedRedisRefuses(t *testing.T) {
	s := Redis(t)
	s.Stop()
	s.Stop() // harmless
	if got := ask(t, s, "GET k"); !strings.Contains(got, "refused") {
		t.Errorf("GET on a stopped server = %q, want connection refused", got)
	}
}

func TestRedisSettings(t *testing.T) {
	s := NewRedis(t, RedisOptions{Settings: map[string]string{"maxmemory-policy": "allkeys-lru", "maxmemory": "5mb"}})
	info := ask(t, s, "INFO memory")
	for _, want := range []string{"maxmemory_policy:allkeys-lru", "maxmemory:5242880"} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO memory lacks %q", want)
		}
	}
}

func TestRedisWithTLSAndPassword(t *testing.T) {
	cert, key := selfSigned(t)
	s := NewRedis(t, RedisOptions{Cert: cert, Key: key, Password: "pass", AppendOnly: true})
	ask(t, s, "SET k 1")
	s.StartEmpty() // keeps its certificate
	u, err := url.Parse(s.TLSURL())
	if err != nil || u.Scheme != "rediss" {
		t.Fatalf("TLSURL() = %q, %v", s.TLSURL(), err)
	}
	if password, _ := u.User.Password(); password != "pass" || !strings.HasPrefix(s.URL(), "redis://:pass@127.0.0.1:") {
		t.Errorf("URL() = %q and %q, want both with the password", s.URL(), u)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for _, step := range []struct{ command, want string }{
		{"GET k", "NOAUTH"}, {"AUTH wrong", "WRONGPASS"}, {"AUTH pass", "OK"}, {"SET k 2", "OK"}, {"GET k", "2"},
	} {
		got, err := say(conn, in, step.command)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, step.want) {
			t.Errorf("%s: %q, want %q", step.command, got, step.want)
		}
	}
}

func TestRedisThatCannotStartSaysWhy(t *testing.T) {
	_, err := makeRedis(RedisOptions{Settings: map[string]string{"no-such-setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("makeRedis = %v, want the server's own words", err)
	}
}

func TestClusterSpreadsKeys(t *testing.T) {
	c := RedisCluster(t)
	if len(c.Addrs()) != 3 || strings.Count(c.URL(), ",") != 2 {
		t.Fatalf("URL() = %q, want three nodes", c.URL())
	}
	served, moved := 0, 0
	for _, n := range c.Nodes {
		switch got := ask(t, n, "SET k 1"); {
		case got == "OK":
			served++
		case strings.Contains(got, "MOVED"):
			moved++
		}
	}
	if served != 1 || moved != 2 {
		t.Errorf("%d nodes took the key and %d sent it elsewhere, want 1 and 2", served, moved)
	}

	c.Nodes[1].Kill()
	c.Nodes[1].Start()
	c.Settle(t)
}
