package redisstore

import (
	"slices"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	tests := map[string]struct {
		url            string
		addrs          []string
		db             int
		user, password string
		tls, cluster   bool
		master         string
		sentinelUser   string
	}{
		"one server":              {url: "redis://cache", addrs: []string{"cache:6379"}},
		"port and database":       {url: "redis://cache:6380/3", addrs: []string{"cache:6380"}, db: 3},
		"a slash at the end":      {url: "redis://cache/", addrs: []string{"cache:6379"}},
		"TLS":                     {url: "rediss://cache", addrs: []string{"cache:6379"}, tls: true},
		"password":                {url: "redis://:p%40ss%2F%3A@cache", addrs: []string{"cache:6379"}, password: "p@ss/:"},
		"user and password":       {url: "redis://portico:secret@cache:1/0", addrs: []string{"cache:1"}, user: "portico", password: "secret"},
		"IPv6":                    {url: "redis://[::1]:7000", addrs: []string{"[::1]:7000"}},
		"Cluster":                 {url: "redis://:pw@a,b:7001,[2001:db8::1]", addrs: []string{"a:6379", "b:7001", "[2001:db8::1]:6379"}, password: "pw"},
		"Cluster with TLS":        {url: "rediss://a:1,b:2", addrs: []string{"a:1", "b:2"}, tls: true},
		"Cluster by one name":     {url: "redis://cfg.cache.example?cluster=true", addrs: []string{"cfg.cache.example:6379"}, cluster: true},
		"Sentinel":                {url: "redis://s1,s2:5000/2?master=main", addrs: []string{"s1:26379", "s2:5000"}, db: 2, master: "main"},
		"one Sentinel":            {url: "redis://s1?master=main&sentinel_username=u&sentinel_password=p", addrs: []string{"s1:26379"}, master: "main", sentinelUser: "u"},
		"connections":             {url: "redis://cache?pool_size=50", addrs: []string{"cache:6379"}},
		"a parameter and a slash": {url: "redis://cache/1?pool_size=5", addrs: []string{"cache:6379"}, db: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := ParseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(o.Addrs, tt.addrs) || o.DB != tt.db || o.Username != tt.user || o.Password != tt.password ||
				(o.TLSConfig != nil) != tt.tls || o.IsClusterMode != tt.cluster || o.MasterName != tt.master || o.SentinelUsername != tt.sentinelUser {
				t.Errorf("ParseURL(%q) = %+v", tt.url, o)
			}
		})
	}
}

func TestParseURLRefuses(t *testing.T) {
	for name, url := range map[string]string{
		"empty":                          "",
		"no scheme":                      "cache:6379",
		"another scheme":                 "http://hunter2@cache",
		"a unix socket":                  "unix:///hunter2/redis.sock",
		"no host":                        "redis://",
		"no host but a password":         "redis://:hunter2@",
		"an empty host in a list":        "redis://:hunter2@a,,b",
		"a port that is none":            "redis://:hunter2@cache:http",
		"a port out of range":            "redis://:hunter2@cache:70000",
		"port zero":                      "redis://:hunter2@cache:0",
		"a path in a list":               "redis://:hunter2@a/0,b/0",
		"a database that is none":        "redis://:hunter2@cache/portico",
		"a negative database":            "redis://:hunter2@cache/-1",
		"a fragment":                     "redis://:hunter2@cache#0",
		"a raw percent in the password":  "redis://:hunter2%zz@cache",
		"an unknown parameter":           "redis://:hunter2@cache?poolsize=5",
		"a parameter twice":              "redis://:hunter2@cache?pool_size=5&pool_size=6",
		"a pool of none":                 "redis://:hunter2@cache?pool_size=0",
		"a pool that is no number":       "redis://:hunter2@cache?pool_size=many",
		"cluster that is no bool":        "redis://:hunter2@cache?cluster=maybe",
		"Cluster with a database":        "redis://:hunter2@a,b/1",
		"Cluster by name with one":       "redis://:hunter2@a/1?cluster=true",
		"Cluster and Sentinel":           "redis://:hunter2@a,b?master=m&cluster=true",
		"Sentinel's user without master": "redis://:hunter2@a?sentinel_username=u",
		"Sentinel's pass without master": "redis://a?sentinel_password=hunter2",
		"a credential in a later host":   "redis://a,:hunter2@b,c:x",
		"a control byte":                 "redis://:hunter2@ca\x00che",
	} {
		t.Run(name, func(t *testing.T) {
			o, err := ParseURL(url)
			if err == nil {
				t.Fatalf("ParseURL(%q) = %+v, want a refusal", url, o.Addrs)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("redis://:p%40@a:1,b:2/0?master=x")
	f.Add("rediss://[::1]:7000?cluster=true")
	f.Fuzz(func(t *testing.T, url string) {
		o, err := ParseURL(url)
		if err == nil && len(o.Addrs) == 0 {
			t.Errorf("ParseURL(%q) has no host and no error", url)
		}
	})
}
