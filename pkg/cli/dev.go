package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) devCommand() *cobra.Command {
	return &cobra.Command{
		Use: "dev", Short: "Try Portico on this machine, with demo people and clients", Args: cobra.NoArgs,
		Long: "Serves http://localhost:8080 with everything embedded below .portico/. It has published passwords, so it\n" +
			"binds loopback only. PORTICO_ISSUER or PORTICO_LISTEN choose another port.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sh.devSettings()
			if err != nil {
				return err
			}
			s, err := sh.open(cmd.Context(), c, server.Options{Migrate: true, Serving: true})
			if err != nil {
				return err
			}
			listeners, err := s.Listen(cmd.Context())
			if err != nil {
				return errors.Join(err, s.Close())
			}
			sh.welcome(c)
			return errors.Join(s.Serve(cmd.Context(), listeners...), s.Close())
		},
	}
}

type demoAccount struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Note     string `json:"note,omitempty"`
}

type demoClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret,omitempty"`
	Note   string `json:"note"`
}

type welcome struct {
	Issuer     string        `json:"issuer"`
	Playground string        `json:"playground"`
	Mailbox    string        `json:"mailbox,omitempty"` // empty: mail is sent
	Console    string        `json:"console"`
	People     []demoAccount `json:"people"`
	Clients    []demoClient  `json:"clients"`
	API        string        `json:"api"`
	Curl       string        `json:"curl"`
}

func (sh *shell) welcome(c *config.Config) {
	v := welcome{
		Issuer: c.Issuer, Playground: c.Issuer + protocol.PathPlayground, Console: c.Issuer + "/admin",
		People: []demoAccount{
			{server.DemoPeople[0], server.DemoPassword, "administrator"},
			{server.DemoPeople[1], server.DemoPassword, ""},
		},
		Clients: []demoClient{
			{server.DemoWeb, server.DemoWebSecret, "web application: authorization code + PKCE, refresh"},
			{server.DemoSPA, "", "public client: authorization code + PKCE, refresh"},
			{server.DemoService, server.DemoServiceSecret, "machine: client credentials, introspection"},
		},
		API: server.DemoAPI,
		Curl: fmt.Sprintf("curl -s -u %s:%s -d grant_type=client_credentials %s%s",
			server.DemoService, server.DemoServiceSecret, c.Issuer, protocol.PathToken),
	}
	if c.SMTPURL == "" {
		v.Mailbox = c.Issuer + protocol.PathMailbox
	}
	_ = sh.show(v, v.print)
}

func (v welcome) print(w io.Writer) {
	fmt.Fprintf(w, "\nPortico is ready.\n\n  issuer      %s\n  playground  %s\n", v.Issuer, v.Playground)
	if v.Mailbox != "" {
		fmt.Fprintf(w, "  mailbox     %s\n", v.Mailbox)
	}
	fmt.Fprintf(w, "  console     %s (not in this version: use portico client, user, keys)\n\n", v.Console)
	fmt.Fprintln(w, "  people")
	for _, p := range v.People {
		fmt.Fprintf(w, "    %-20s %s  %s\n", p.Email, p.Password, p.Note)
	}
	fmt.Fprintln(w, "  clients")
	for _, c := range v.Clients {
		secret := c.Secret
		if secret == "" {
			secret = "(public)"
		}
		fmt.Fprintf(w, "    %-20s %-20s %s\n", c.ID, secret, c.Note)
	}
	fmt.Fprintf(w, "  API\n    %-41s scopes orders:read orders:write\n\n  a token, now:\n    %s\n\nStop with Ctrl-C. Everything is kept in %s/.\n", v.API, v.Curl, devDir)
}
