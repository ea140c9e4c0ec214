package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// writePair writes a self-signed certificate of the serial and its key.
func writePair(t *testing.T, dir string, serial int64, modified time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "id.example.com"}, NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{SerialNumber: big.NewInt(serial)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func serialOf(t *testing.T, c *certificate) int64 {
	t.Helper()
	pair, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.Int64()
}

func TestARenewedCertificateIsTakenWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert, key := writePair(t, dir, 1, start)
	synctest.Test(t, func(t *testing.T) {
		c, err := newCertificate(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		go c.watch(t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil)))
		writePair(t, dir, 2, start.Add(time.Hour))
		time.Sleep(2 * lookEvery)
		synctest.Wait()
		if got := serialOf(t, c); got != 2 {
			t.Errorf("certificate %d is served, want the renewed one", got)
		}
		// A renewal that is half written: the old pair stays.
		if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * lookEvery)
		synctest.Wait()
		if got := serialOf(t, c); got != 2 {
			t.Errorf("certificate %d is served, want the one that works", got)
		}
	})
}

func TestAPairThatDoesNotMatchStopsTheStart(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	cert, _ := writePair(t, a, 1, time.Now())
	_, key := writePair(t, b, 2, time.Now())
	if _, err := newCertificate(cert, key); err == nil || !bytes.Contains([]byte(err.Error()), []byte("no matching pair")) {
		t.Errorf("got %v", err)
	}
	if _, err := newCertificate(filepath.Join(a, "none"), key); err == nil {
		t.Error("a missing file is accepted")
	}
}
