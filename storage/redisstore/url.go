package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ParseURL reads PORTICO_REDIS_URL:
//
//	redis://[user:password@]host[:6379][/database]        one server
//	rediss://…                                            the same with TLS
//	redis://host1,host2:6380,host3                        Cluster, any of its nodes
//	redis://host?cluster=true                             Cluster by one address
//	redis://sentinel1,sentinel2[/database]?master=name    Sentinel (port 26379)
//
// Further parameters: pool_size (connections to each server), and with
// Sentinel sentinel_username and sentinel_password. Any other is refused.
// With rediss the system's roots are trusted, or those of SSL_CERT_FILE.
// An error never quotes the URL, which may hold a password.
func ParseURL(raw string) (*redis.UniversalOptions, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	if scheme != "redis" && scheme != "rediss" {
		return nil, errors.New("the Redis URL begins with redis:// or rediss://")
	}
	// net/url knows no list of hosts: it reads what stands around them.
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	credentials, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		credentials, hosts = authority[:i+1], authority[i+1:]
	}
	u, err := url.Parse(scheme + "://" + credentials + "host" + tail)
	if err != nil || u.Fragment != "" {
		return nil, errors.New("the Redis URL cannot be read; percent-encode special characters of the password")
	}
	o := defaults()
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	if scheme == "rediss" {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if err := readParameters(o, u.Query()); err != nil {
		return nil, err
	}
	if o.Addrs, err = readHosts(hosts, o.MasterName != ""); err != nil {
		return nil, err
	}
	if o.DB, err = readDatabase(u.Path); err != nil {
		return nil, err
	}
	cluster := o.IsClusterMode || len(o.Addrs) > 1 && o.MasterName == ""
	switch {
	case cluster && o.DB != 0:
		return nil, errors.New("the Redis URL names several hosts and a database, but a Redis Cluster has only database 0; add ?master=NAME if the hosts are Sentinels")
	case o.IsClusterMode && o.MasterName != "":
		return nil, errors.New("the Redis URL has both cluster and master; take cluster for a Redis Cluster and master for Sentinel")
	case o.MasterName == "" && (o.SentinelUsername != "" || o.SentinelPassword != ""):
		return nil, errors.New("the Redis URL has a Sentinel user or password but no master; add ?master=NAME")
	}
	return o, nil
}

func defaults() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Protocol:    2,
		DialTimeout: dialLimit, DialerRetries: 1,
		ReadTimeout: callLimit, WriteTimeout: callLimit, PoolTimeout: callLimit,
		ContextTimeoutEnabled: true,
		// What may run twice is tried twice; what consumes is sent once,
		// whatever this says (see once).
		MaxRetries: 1, MinRetryBackoff: 8 * time.Millisecond, MaxRetryBackoff: 64 * time.Millisecond,
		ConnMaxIdleTime:          5 * time.Minute,
		ReadBufferSize:           8 << 10,
		WriteBufferSize:          8 << 10,
		PipelinePoolSize:         -1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

func readParameters(o *redis.UniversalOptions, query url.Values) error {
	for name, values := range query {
		if len(values) != 1 {
			return fmt.Errorf("the Redis URL has the parameter %q twice", name)
		}
		value := values[0]
		var err error
		switch name {
		case "master":
			o.MasterName = value
		case "sentinel_username":
			o.SentinelUsername = value
		case "sentinel_password":
			o.SentinelPassword = value
		case "cluster":
			o.IsClusterMode, err = strconv.ParseBool(value)
		case "pool_size":
			if o.PoolSize, err = strconv.Atoi(value); err == nil && (o.PoolSize < 1 || o.PoolSize > 10_000) {
				err = errors.New("out of range")
			}
		default:
			return fmt.Errorf("the Redis URL has an unknown parameter %q; known are master, sentinel_username, sentinel_password, cluster, pool_size", name)
		}
		if err != nil {
			return fmt.Errorf("the parameter %q of the Redis URL has a bad value", name)
		}
	}
	return nil
}

func readHosts(list string, sentinel bool) ([]string, error) {
	port := "6379"
	if sentinel {
		port = "26379"
	}
	var addrs []string
	for _, host := range strings.Split(list, ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.Path != "" || u.User != nil {
			return nil, errors.New("a host of the Redis URL cannot be read; write host, host:port or [address]:port, separated by commas")
		}
		p := u.Port()
		if p == "" {
			p = port
		}
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, errors.New("a port of the Redis URL is not between 1 and 65535")
		}
		addrs = append(addrs, net.JoinHostPort(u.Hostname(), p))
	}
	return addrs, nil
}

func readDatabase(path string) (int, error) {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(path)
	if err != nil || n < 0 {
		return 0, errors.New("the path of the Redis URL is the number of a database, such as /0")
	}
	return n, nil
}
