//go:build unix

package throwaway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect to %s: %v", url, err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, conn *pgx.Conn, table string) int {
	t.Helper()
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatalf("count %s: %v", table, err)
	}
	return n
}

var migrations atomic.Int32

// oneTable leaves a connection open, as a careless migration would.
func oneTable(ctx context.Context, dsn string) error {
	migrations.Add(1)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1)")
	return err
}

func TestDatabasesAreFreshAndApart(t *testing.T) {
	before := migrations.Load()
	var wg sync.WaitGroup
	names := make([]string, 4)
	for i := range names {
		wg.Go(func() { names[i] = PostgresFrom(t, oneTable).URL() })
	}
	wg.Wait()
	if got := migrations.Load() - before; got > 1 {
		t.Errorf("migrate ran %d times, want once for the process", got)
	}
	for i, url := range names {
		conn := connect(t, url)
		mustExec(t, conn, fmt.Sprintf("INSERT INTO thing VALUES (%d)", i+10))
		if got := count(t, conn, "thing"); got != 2 {
			t.Errorf("database %d holds %d rows, want its own and the migrated one", i, got)
		}
	}
	empty := connect(t, Postgres(t).URL())
	if _, err := empty.Exec(t.Context(), "SELECT * FROM thing"); sqlState(err) != "42P01" {
		t.Errorf("reading the table in an empty database: %v, want undefined_table", err)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	var url string
	t.Run("inner", func(t *testing.T) {
		url = Postgres(t).URL()
		_, err := pgx.Connect(t.Context(), url) // forgotten on purpose
		if err != nil {
			t.Fatal(err)
		}
	})
	if _, err := pgx.Connect(t.Context(), url); sqlState(err) != "3D000" {
		t.Errorf("connecting after the test: %v, want invalid_catalog_name", err)
	}
}

func TestURLIsPlainLoopback(t *testing.T) {
	db := Postgres(t)
	if !strings.HasPrefix(db.URL(), "postgres://portico@127.0.0.1:") || !strings.HasSuffix(db.URL(), "?sslmode=disable") {
		t.Errorf("URL() = %q, want a loopback address without TLS", db.URL())
	}
	if _, err := pgx.Connect(t.Context(), db.URLAs("nobody_made_this_role")); sqlState(err) != "28000" {
		t.Errorf("connecting as an unknown role: %v, want invalid_authorization", err)
	}
}

func TestServerKeepsPortAndDataAcrossStops(t *testing.T) {
	s := NewPostgres(t, PGOptions{})
	db := s.Database(t)
	mustExec(t, connect(t, db.URL()), "CREATE TABLE kept (id serial)")
	for i, halt := range []struct {
		name string
		stop func()
	}{{"stop", s.Stop}, {"kill", s.Kill}, {"crash", s.Crash}, {"kill again", s.Kill}} {
		mustExec(t, connect(t, db.URL()), "INSERT INTO kept DEFAULT VALUES")
		halt.stop()
		if conn, err := pgx.Connect(t.Context(), db.URL()); err == nil {
			_ = conn.Close(t.Context())
			t.Fatalf("a connection was accepted after %s", halt.name)
		}
		s.Start()
		s.Start() // harmless
		if got := count(t, connect(t, db.URL()), "kept"); got != i+1 {
			t.Errorf("%d rows after %s, want %d", got, halt.name, i+1)
		}
	}
}

func TestOptionsReachTheServer(t *testing.T) {
	s := NewPostgres(t, PGOptions{Fsync: true, MaxConnections: 17, Settings: map[string]string{"work_mem": "5MB"}})
	conn := connect(t, s.Database(t).URL())
	for name, want := range map[string]string{
		"fsync": "on", "full_page_writes": "on", "max_connections": "17", "work_mem": "5MB",
		"synchronous_commit": "on", "TimeZone": "UTC", "server_encoding": "UTF8",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestPostgresWithTLSAndPasswords(t *testing.T) {
	cert, key := selfSigned(t)
	s := NewPostgres(t, PGOptions{
		Cert: cert, Key: key,
		Auth: "hostssl all guest 127.0.0.1/32 scram-sha-256\nhost all portico 127.0.0.1/32 trust\n",
	})
	db := s.Database(t)
	mustExec(t, connect(t, db.URL()), "CREATE ROLE guest LOGIN PASSWORD 'secret'")
	for query, want := range map[string]string{
		"sslmode=disable":                 "28000", // the rule for guests demands TLS
		"sslmode=require":                 "28P01",
		"sslmode=require&password=wrong":  "28P01",
		"sslmode=require&password=secret": "",
	} {
		conn, err := pgx.Connect(t.Context(), strings.Replace(db.URLAs("guest"), "sslmode=disable", query, 1))
		if err == nil {
			_ = conn.Close(t.Context())
		}
		if sqlState(err) != want || want == "" && err != nil {
			t.Errorf("%s: %v, want code %q", query, err, want)
		}
	}
}

// selfSigned makes a certificate for 127.0.0.1, in PEM.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestPostgresThatCannotStartSaysWhy(t *testing.T) {
	_, err := makePostgres(PGOptions{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("makePostgres = %v, want the server's own words", err)
	}
}

func sqlState(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}
