package redisstore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/storage"
	"github.com/portico-id/portico/storage/throwaway"
)

// serverCert is a certificate for 127.0.0.1 that the whole test process
// trusts through SSL_CERT_FILE, as an operator's own root would be.
var serverCert, serverKey []byte

func TestMain(m *testing.M) {
	file, err := trustOwnCertificate()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := throwaway.Main(m)
	_ = os.Remove(file)
	os.Exit(code)
}

func trustOwnCertificate() (file string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	serverCert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	serverKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	f, err := os.CreateTemp("", "portico-redis-root-*.pem")
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(serverCert); err != nil {
		return "", err
	}
	return f.Name(), os.Setenv("SSL_CERT_FILE", f.Name())
}

func TestTLSAndPassword(t *testing.T) {
	server := throwaway.NewRedis(t, throwaway.RedisOptions{Cert: serverCert, Key: serverKey, Password: "p@ss/word"})
	s := open(t, server.TLSURL(), true)
	for method, err := range ask(s) {
		if fault.Is(err, fault.Unavailable) {
			t.Errorf("%s over TLS: %v", method, err)
		}
	}
	for name, url := range map[string]string{
		"no password":                   "redis://" + server.Addr(),
		"a wrong password":              "redis://:wrong@" + server.Addr(),
		"TLS to a port without it":      strings.Replace(server.URL(), "redis://", "rediss://", 1),
		"a name not in the certificate": strings.Replace(server.TLSURL(), "127.0.0.1", "localhost", 1),
	} {
		err := open(t, url, true).Ping(ctx)
		if !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "p@ss") {
			t.Errorf("%s: %v, want unavailable", name, err)
		}
	}
}

// sentinel runs a Sentinel that watches the master and returns its address.
func sentinel(t *testing.T, master *throwaway.RedisServer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	_, masterPort, _ := net.SplitHostPort(master.Addr())
	dir := t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor main 127.0.0.1 %s 1\n"+
		"sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n", port, dir, masterPort)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := "redis-server"
	if folder := os.Getenv("PORTICO_TEST_REDIS_BIN"); folder != "" {
		bin = filepath.Join(folder, bin)
	}
	cmd := exec.Command(bin, conf, "--sentinel")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sentinel: %s", said.String())
		}
	})
	return addr
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
		<-tick.C
	}
}

func TestSentinelFailover(t *testing.T) {
	master, db := throwaway.NewRedis(t, throwaway.RedisOptions{Settings: map[string]string{"repl-diskless-sync-delay": "0"}}), ledger(t)
	_, port, _ := net.SplitHostPort(master.Addr())
	replica := throwaway.NewRedis(t, throwaway.RedisOptions{Settings: map[string]string{"replicaof": "127.0.0.1 " + port}})
	watcher := sentinel(t, master)
	url := "redis://" + watcher + "?master=main"
	eventually(t, "Sentinel knows the replica", func() bool {
		s, err := storage.OpenShortLived(ctx, storage.Options{RedisURL: url})
		if err != nil {
			return false
		}
		defer func() { _ = s.Close() }()
		if s.Ping(ctx) != nil {
			return false
		}
		slaves, _ := command(t, watcher, "SENTINEL", "REPLICAS", "main").([]any)
		return len(slaves) == 1
	})
	short := open(t, url, true)
	a := revocation.New(db.Revocations, short.Revocations, db, revocation.Config{})
	b := revocation.New(db.Revocations, open(t, url, true).Revocations, db, revocation.Config{})
	revoke(t, a, "kept")
	wantRevoked(t, b, "kept", true)
	inStep(t, master, replica)
	issued := time.Now()
	if err := claims(short.Replay, "spent", issued); err != nil {
		t.Fatal(err)
	}
	master.Kill()
	eventually(t, "the stores follow Sentinel to the new master", func() bool {
		_, _, err := b.Check(ctx, revocation.Facts{JTI: "kept"})
		return err == nil && short.Ping(ctx) == nil
	})
	wantRevoked(t, a, "kept", true)
	wantRevoked(t, b, "kept", true)
	if err := claims(short.Replay, "spent", issued); !fault.Is(err, fault.Conflict) {
		t.Errorf("a spent assertion after the failover: %v", err)
	}
	revoke(t, a, "after")
	wantRevoked(t, b, "after", true)
}

func TestClusterWithANodeDown(t *testing.T) {
	cluster, db := throwaway.RedisCluster(t), ledger(t)
	s := open(t, cluster.URL(), true)
	revocations := revocation.New(db.Revocations, s.Revocations, db, revocation.Config{})
	revoke(t, revocations, "kept")
	for _, node := range cluster.Nodes {
		node.Kill()
	}
	for method, err := range ask(s) {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s without a cluster: %v, want unavailable", method, err)
		}
	}
	for _, node := range cluster.Nodes {
		node.Start()
	}
	cluster.Settle(t)
	eventually(t, "the cluster answers again", func() bool { return s.Ping(ctx) == nil })
	wantRevoked(t, revocations, "kept", true)
}

func TestExamine(t *testing.T) {
	tests := map[string]struct {
		opts throwaway.RedisOptions
		want map[string]storage.Status
	}{
		"as it should be": {
			throwaway.RedisOptions{AppendOnly: true},
			map[string]storage.Status{"redis version": storage.OK, "redis eviction": storage.OK, "redis persistence": storage.OK, "redis replicas": storage.OK},
		},
		"nothing kept": {throwaway.RedisOptions{}, map[string]storage.Status{"redis persistence": storage.Warn}},
		"all evicted": {
			throwaway.RedisOptions{Settings: map[string]string{"maxmemory-policy": "allkeys-lru"}},
			map[string]storage.Status{"redis eviction": storage.Warn},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := map[string]storage.Finding{}
			for _, f := range open(t, throwaway.NewRedis(t, tt.opts).URL(), true).Examine(ctx) {
				got[f.Check] = f
			}
			for check, want := range tt.want {
				if f := got[check]; f.Status != want || want != storage.OK && f.Hint == "" {
					t.Errorf("%s: %+v, want %s", check, f, want)
				}
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		server := throwaway.Redis(t)
		s := open(t, server.URL(), true)
		server.Stop()
		if f := s.Examine(ctx); len(f) != 1 || f[0].Status != storage.Fail || f[0].Hint == "" {
			t.Errorf("%+v", f)
		}
	})
	t.Run("a user without INFO", func(t *testing.T) {
		server := throwaway.Redis(t)
		command(t, server.Addr(), "ACL", "SETUSER", "portico", "on", ">pw", "~portico:*", "+@all", "-info")
		s := open(t, "redis://portico:pw@"+server.Addr(), true)
		for method, err := range ask(s) {
			if fault.Is(err, fault.Unavailable) {
				t.Errorf("%s without INFO: %v", method, err)
			}
		}
		if f := s.Examine(ctx); len(f) != 1 || f[0].Status != storage.Warn {
			t.Errorf("%+v", f)
		}
	})
}
