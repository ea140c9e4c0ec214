package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/observe"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) serveCommand() *cobra.Command {
	var migrate bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve in production", Args: cobra.NoArgs,
		Long: "Serves the configured issuer. It needs an issuer, a database and an encryption key; docs/config.md lists every setting.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sh.serveSettings()
			if err != nil {
				return err
			}
			server.TuneMemory(sh.getenv)
			s, err := sh.open(cmd.Context(), c, server.Options{Migrate: migrate, Serving: true})
			if err != nil {
				return err
			}
			return errors.Join(s.Run(cmd.Context()), s.Close())
		},
	}
	cmd.Flags().BoolVar(&migrate, "migrate", false, "run pending migrations first (for a single node)")
	return cmd
}

// open builds a server that logs to standard error.
func (sh *shell) open(ctx context.Context, c *config.Config, o server.Options) (*server.Server, error) {
	o.Log = observe.NewLogger(sh.Stderr, c.LogLevel, c.LogFormat)
	o.Version = version()
	slog.SetDefault(o.Log) // libraries that log
	return server.Open(ctx, c, o)
}

// with opens the same services as the server for one administrative command.
func (sh *shell) with(ctx context.Context, do func(*server.Server) error) error {
	c, err := sh.adminSettings()
	if err != nil {
		return err
	}
	if c.LogLevel == "info" {
		c.LogLevel = "warn" // a shell says what it was asked, not what the services do
	}
	s, err := sh.open(ctx, c, server.Options{})
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

func (sh *shell) healthcheckCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask a running server whether it is ready", Args: cobra.NoArgs,
		Long: "Exits with 0 when the server on this machine is ready. For container images that have no shell and no curl.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				c, err := config.Load(config.Sources{File: sh.configFile, Env: sh.Environ})
				if err != nil {
					return err
				}
				address = readyURL(c)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				return usageError{fmt.Errorf("--url: %w", err)}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return fmt.Errorf("not reachable: %w", err)
			}
			defer func() { _ = res.Body.Close() }()
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("not ready: %s", res.Status)
			}
			return sh.done(map[string]string{"status": "ready"}, "ready")
		},
	}
	cmd.Flags().StringVar(&address, "url", "", "readiness URL (default: from the configured listeners)")
	return cmd
}

// readyURL is the readiness address on this machine: of the metrics listener
// when there is one, because it never speaks TLS.
func readyURL(c *config.Config) string {
	listen, scheme := c.Listen, "http"
	if c.TLSCertFile != "" {
		scheme = "https"
	}
	if c.MetricsListen != "" {
		listen, scheme = c.MetricsListen, "http"
	}
	host := listen
	if strings.HasPrefix(host, ":") {
		host = "127.0.0.1" + host
	}
	path := ""
	if u, err := url.Parse(c.Issuer); err == nil && c.MetricsListen == "" {
		path = strings.TrimRight(u.Path, "/")
	}
	return scheme + "://" + host + path + protocol.PathReady
}
