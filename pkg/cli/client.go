package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) clientCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "client", Short: "Register and manage applications"}
	cmd.AddCommand(sh.clientCreate(), sh.clientUpdate(), sh.clientList(), sh.clientShow(), sh.clientDelete(), sh.clientRotate(),
		sh.clientSwitch("disable", "Refuse a client everywhere and end what it holds", true),
		sh.clientSwitch("enable", "Let a disabled client work again", false))
	return cmd
}

// clientView is a client as the shell prints it; Secret only when it was just
// made, because only its fingerprint is kept.
type clientView struct {
	ID                     string    `json:"client_id"`
	Secret                 string    `json:"client_secret,omitempty"`
	Name                   string    `json:"client_name,omitempty"`
	Disabled               bool      `json:"disabled,omitempty"`
	Source                 string    `json:"source"`
	ApplicationType        string    `json:"application_type"`
	AuthMethod             string    `json:"token_endpoint_auth_method"`
	RedirectURIs           []string  `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string  `json:"post_logout_redirect_uris,omitempty"`
	GrantTypes             []string  `json:"grant_types"`
	Scope                  string    `json:"scope,omitempty"`
	Audiences              []string  `json:"audiences,omitempty"`
	PKCERequired           bool      `json:"require_pkce"`
	MinimumACR             string    `json:"minimum_acr,omitempty"`
	Ways                   []string  `json:"ways,omitempty"`
	CreatedAt              time.Time `json:"created_at"`
}

func viewClient(c *client.Client, secret string) clientView {
	return clientView{
		ID: c.ID, Secret: secret, Name: c.Name, Disabled: c.Disabled, Source: string(c.Source),
		ApplicationType: string(c.ApplicationType), AuthMethod: c.AuthMethod, RedirectURIs: c.RedirectURIs,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, GrantTypes: c.GrantTypes,
		Scope: strings.Join(c.Scopes, " "), Audiences: c.Audiences, PKCERequired: c.PKCERequired(),
		MinimumACR: c.MinimumACR, Ways: c.Ways, CreatedAt: c.CreatedAt,
	}
}

func (v clientView) print(w io.Writer) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s: %s\n", name, value)
		}
	}
	line("client id", v.ID)
	line("client secret", v.Secret)
	line("name", v.Name)
	if v.Disabled {
		line("disabled", "yes")
	}
	line("authenticates with", v.AuthMethod)
	line("grant types", strings.Join(v.GrantTypes, " "))
	line("redirect uris", strings.Join(v.RedirectURIs, " "))
	line("after logout", strings.Join(v.PostLogoutRedirectURIs, " "))
	line("scopes", v.Scope)
	line("audiences", strings.Join(v.Audiences, " "))
	line("minimum acr", v.MinimumACR)
	line("ways to sign in", strings.Join(v.Ways, " "))
	if v.Secret != "" {
		fmt.Fprintln(w, "Keep the secret now: it is not shown again.")
	}
}

type clientFlags struct {
	client.Client
	demands                      demandFlags
	public, native, pkceOptional bool
	scopes                       []string
	jwksFile                     string
	pick                         string
}

func (sh *shell) clientCreate() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use: "create", Short: "Register an application", Args: cobra.NoArgs,
		Example: "  portico client create --name Shop --redirect-uri https://shop.example/callback\n" +
			"  portico client create --name Robot --grant-type client_credentials --scope orders:read",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.build()
			if err != nil {
				return err
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				made, secret, err := s.CreateClient(cmd.Context(), c)
				if err != nil {
					return taken(err, "A client with this id exists.", "choose another --id, or leave it out for a random one")
				}
				v := viewClient(&made, secret)
				return sh.show(v, v.print)
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.Name, "name", "", "name that people see")
	fl.StringVar(&f.pick, "id", "", "client id (default: a random one)")
	fl.StringArrayVar(&f.RedirectURIs, "redirect-uri", nil, "where answers go; repeat for more")
	fl.StringArrayVar(&f.PostLogoutRedirectURIs, "post-logout-redirect-uri", nil, "where people land after logout; repeat for more")
	fl.StringArrayVar(&f.GrantTypes, "grant-type", nil, "authorization_code, refresh_token, client_credentials; repeat for more")
	fl.StringArrayVar(&f.scopes, "scope", nil, "ceiling of scopes, separated by blanks or repeated")
	fl.StringArrayVar(&f.Audiences, "audience", nil, "API it may ask tokens for; repeat for more")
	fl.BoolVar(&f.public, "public", false, "it cannot keep a secret: a single-page or native application")
	fl.BoolVar(&f.native, "native", false, "it runs on people's devices: loopback and private-use redirects")
	fl.BoolVar(&f.pkceOptional, "pkce-optional", false, "let a confidential client go without PKCE")
	fl.BoolVar(&f.SkipConsent, "skip-consent", false, "it is our own application: nobody is asked")
	fl.BoolVar(&f.ProfileInIDToken, "profile-in-id-token", false, "put name and e-mail into the ID token too")
	fl.StringVar(&f.AuthMethod, "auth-method", "", "client_secret_basic, client_secret_post, private_key_jwt")
	fl.StringVar(&f.jwksFile, "jwks-file", "", "public keys of a private_key_jwt client, a JWK Set in a `file`")
	fl.StringVar(&f.JWKSURI, "jwks-uri", "", "where its public keys can be fetched")
	fl.StringVar(&f.IDTokenAlg, "id-token-alg", "", "RS256 (default), PS256, ES256, EdDSA")
	fl.StringVar(&f.ClientURI, "client-uri", "", "its home page")
	fl.StringVar(&f.LogoURI, "logo-uri", "", "its logo")
	f.demands.ofClient(cmd)
	return cmd
}

// build turns flags into a client; what a person leaves out follows from what
// they gave: redirects mean a login, none mean a machine.
func (f *clientFlags) build() (client.Client, error) {
	c := f.Client
	c.ID, c.Source, c.PKCEOptional = f.pick, client.Operator, f.pkceOptional
	c.MinimumACR, c.Ways = f.demands.minimumACR, f.demands.list()
	c.ApplicationType = client.Web
	if f.native {
		c.ApplicationType = client.Native
	}
	for _, s := range f.scopes {
		c.Scopes = append(c.Scopes, strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })...)
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{protocol.GrantClientCredentials}
		if len(c.RedirectURIs) > 0 {
			c.GrantTypes = []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken}
		}
	}
	if len(c.RedirectURIs) > 0 {
		c.ResponseTypes = []string{protocol.ResponseTypeCode}
		if len(c.Scopes) == 0 {
			c.Scopes = []string{
				protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopeAddress,
				protocol.ScopePhone, protocol.ScopeOfflineAccess,
			}
		}
	}
	c.AuthMethodStrict = c.AuthMethod != ""
	if c.AuthMethod == "" {
		c.AuthMethod = protocol.AuthSecretBasic
	}
	if f.public {
		if c.AuthMethodStrict {
			return c, usageError{fmt.Errorf("--public and --auth-method exclude each other: a public client has no credential")}
		}
		c.AuthMethod = protocol.AuthNone
	}
	if f.jwksFile != "" {
		raw, err := os.ReadFile(f.jwksFile)
		if err != nil {
			return c, fmt.Errorf("--jwks-file: %w", err)
		}
		if !json.Valid(raw) {
			return c, fmt.Errorf("--jwks-file: %s is not JSON", f.jwksFile)
		}
		c.JWKS = raw
	}
	return c, nil
}

func (sh *shell) clientList() *cobra.Command {
	var page paging.Page
	cmd := &cobra.Command{
		Use: "list", Short: "List applications", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				list, err := s.Clients.List(cmd.Context(), page)
				if err != nil {
					return err
				}
				views := make([]clientView, 0, len(list))
				for i := range list {
					views = append(views, viewClient(&list[i], ""))
				}
				return sh.show(views, func(w io.Writer) {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "CLIENT ID\tNAME\tAUTHENTICATES WITH\tGRANT TYPES\tSOURCE\tMINIMUM ACR")
					for _, v := range views {
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Name, v.AuthMethod, strings.Join(v.GrantTypes, " "), v.Source, v.MinimumACR)
					}
					_ = t.Flush()
				})
			})
		},
	}
	cmd.Flags().StringVar(&page.Cursor, "after", "", "client id of the last one seen")
	cmd.Flags().IntVar(&page.Size, "size", 0, "how many (at most 200)")
	return cmd
}

func (sh *shell) clientShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one application", Args: oneArg("the client id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				c, err := s.Clients.Get(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				v := viewClient(c, "")
				return sh.show(v, v.print)
			})
		},
	}
}

func (sh *shell) clientDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Remove an application and end what it holds", Args: oneArg("the client id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if err := s.Clients.Delete(cmd.Context(), args[0]); err != nil {
					return err
				}
				return sh.done(map[string]string{"client_id": args[0], "deleted": "true"}, "deleted "+args[0])
			})
		},
	}
}

func (sh *shell) clientRotate() *cobra.Command {
	var keep time.Duration
	cmd := &cobra.Command{
		Use: "rotate-secret ID", Short: "Give a client a new secret", Args: oneArg("the client id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				secret, err := s.Clients.RotateSecret(cmd.Context(), args[0], keep)
				if err != nil {
					return err
				}
				return sh.show(map[string]string{"client_id": args[0], "client_secret": secret}, func(w io.Writer) {
					fmt.Fprintf(w, "client id: %s\nclient secret: %s\nKeep the secret now: it is not shown again.\n", args[0], secret)
				})
			})
		},
	}
	cmd.Flags().DurationVar(&keep, "keep-old", 0, "how long the old secret works beside the new one, such as 24h")
	return cmd
}

func (sh *shell) clientSwitch(name, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: name + " ID", Short: short, Args: oneArg("the client id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if err := s.SetClientDisabled(cmd.Context(), args[0], disabled); err != nil {
					return err
				}
				return sh.done(map[string]string{"client_id": args[0], "state": name + "d"}, name+"d "+args[0])
			})
		},
	}
}

// done prints what was done.
func (sh *shell) done(v map[string]string, sentence string) error {
	return sh.show(v, func(w io.Writer) { fmt.Fprintln(w, sentence) })
}

// oneArg demands exactly one argument and says which.
func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("want one argument: %s", what)}
		}
		return nil
	}
}
