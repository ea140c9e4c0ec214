package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificate is a key pair from files that may be renewed while we run.
type certificate struct {
	certFile, keyFile string
	pair              atomic.Pointer[tls.Certificate]
	seen              time.Time
}

// lookEvery is how often the files are looked at.
const lookEvery = 10 * time.Second

func newCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil }

func (c *certificate) load() error {
	changed, err := c.changed()
	if err != nil {
		return fmt.Errorf("tls_cert_file or tls_key_file: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("tls_cert_file and tls_key_file are no matching pair: %w", err)
	}
	c.pair.Store(&pair)
	c.seen = changed
	return nil
}

// changed returns the later modification time of the two files.
func (c *certificate) changed() (time.Time, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return time.Time{}, err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return time.Time{}, err
	}
	if key.ModTime().After(cert.ModTime()) {
		return key.ModTime(), nil
	}
	return cert.ModTime(), nil
}

// watch loads the files again when they change. While a renewal is half
// written the old pair stays.
func (c *certificate) watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if at, err := c.changed(); err != nil || at.Equal(c.seen) {
			continue
		}
		if err := c.load(); err != nil {
			log.Error("the renewed TLS certificate cannot be used; the old one stays", "error", err)
			continue
		}
		log.Info("the TLS certificate was renewed")
	}
}
