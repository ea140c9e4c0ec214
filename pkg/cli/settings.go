package cli

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/secret"
)

// devDir is where portico dev keeps its files, below the working directory.
const devDir = ".portico"

// serveSettings are the settings of production.
func (sh *shell) serveSettings() (*config.Config, error) {
	c, err := config.Load(config.Sources{File: sh.configFile, Env: sh.Environ})
	if err != nil {
		return nil, err
	}
	return c, c.CheckServe()
}

// adminSettings are the settings a command works on: the server's, or those
// of portico dev when nothing is configured and its data is here.
func (sh *shell) adminSettings() (*config.Config, error) {
	c, err := config.Load(config.Sources{File: sh.configFile, Env: sh.Environ})
	if err != nil {
		return nil, err
	}
	if c.DatabaseURL != "" {
		if c.EncryptionKeys == "" {
			return nil, errors.New("no encryption key: set PORTICO_ENCRYPTION_KEYS as the server has it")
		}
		return c, nil
	}
	if _, err := os.Stat(filepath.Join(devDir, "portico.db")); err != nil {
		return nil, errors.New("no database: set PORTICO_DATABASE_URL as the server has it, or run this where portico dev runs")
	}
	return sh.devSettings()
}

// devSettings are the settings of portico dev: everything embedded, below
// .portico/, on loopback.
func (sh *shell) devSettings() (*config.Config, error) {
	issuer, listen := sh.getenv("PORTICO_ISSUER"), sh.getenv("PORTICO_LISTEN")
	dir, err := filepath.Abs(devDir)
	if err != nil {
		return nil, err
	}
	c, err := config.Load(config.Sources{File: sh.configFile, Env: sh.Environ, Defaults: map[string]string{
		"issuer":         devIssuer(listen),
		"listen":         devListen(issuer),
		"database_url":   "sqlite://" + filepath.ToSlash(filepath.Join(dir, "portico.db")),
		"registration":   "open",
		"signup":         "open",
		"mfa_methods":    "passkey,totp,email,sms",
		"limit_factor":   "100",
		"outbound_allow": "127.0.0.0/8,::1/128",
		"log_format":     "text",
		"log_level":      "warn",
	}})
	if err != nil {
		return nil, err
	}
	if !config.IsLoopback(c.IssuerURL().Hostname()) {
		return nil, fmt.Errorf("portico dev has published passwords and serves loopback only, so its issuer cannot be %s; use portico serve", c.Issuer)
	}
	c.Dev = true
	if c.EncryptionKeys == "" {
		if c.EncryptionKeys, err = devKey(dir); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (sh *shell) getenv(name string) string {
	for _, kv := range sh.Environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// devIssuer follows the port of the listener, so that one variable is enough.
func devIssuer(listen string) string {
	if _, port, err := net.SplitHostPort(listen); err == nil && port != "" {
		return "http://localhost:" + port
	}
	return "http://localhost:8080"
}

// devListen follows the port of the issuer, so that one variable is enough.
func devListen(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Port() == "" {
		return "localhost:8080"
	}
	return "localhost:" + u.Port()
}

// devKey reads the encryption key of portico dev, made at its first start.
func devKey(dir string) (string, error) {
	path := filepath.Join(dir, "encryption.key")
	raw, err := os.ReadFile(path) //nolint:gosec // below our own directory
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", devDir, err)
	}
	key := make([]byte, secret.KeySize)
	_, _ = rand.Read(key)
	text := base64.StdEncoding.EncodeToString(key)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // below our own directory
	if errors.Is(err, os.ErrExist) {
		return devKey(dir) // another start made it in this moment
	}
	if err != nil {
		return "", err
	}
	if _, err := f.WriteString(text + "\n"); err != nil {
		return "", errors.Join(err, f.Close())
	}
	return text, f.Close()
}
