package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) apiCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "api", Short: "Register the APIs that tokens are for"}
	cmd.AddCommand(sh.apiCreate(), sh.apiUpdate(), sh.apiList(), sh.apiDelete())
	return cmd
}

// apiView is an API as the shell prints it.
type apiView struct {
	Audience        string        `json:"audience"`
	Name            string        `json:"name,omitempty"`
	Scopes          []scope.Scope `json:"scopes"`
	Format          string        `json:"format"`
	PlainType       bool          `json:"plain_type,omitempty"`
	TokenTTL        string        `json:"token_ttl,omitempty"`
	ResourceServers []string      `json:"resource_servers,omitempty"`
	OpenToDynamic   bool          `json:"open_to_dynamic,omitempty"`
	MinimumACR      string        `json:"minimum_acr,omitempty"`
}

func viewAPI(a scope.API) apiView {
	v := apiView{
		Audience: a.Audience, Name: a.Name, Scopes: a.Scopes, Format: string(a.Format), PlainType: a.PlainType,
		ResourceServers: a.ResourceServers, OpenToDynamic: a.OpenToDynamic, MinimumACR: a.MinimumACR,
	}
	if a.TokenTTL > 0 {
		v.TokenTTL = a.TokenTTL.String()
	}
	return v
}

func (v apiView) names() string {
	names := make([]string, 0, len(v.Scopes))
	for _, s := range v.Scopes {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

func (v apiView) print(w io.Writer) {
	fmt.Fprintf(w, "audience: %s\nscopes: %s\ntokens: %s\n", v.Audience, v.names(), v.Format)
	if v.MinimumACR != "" {
		fmt.Fprintf(w, "minimum acr: %s\n", v.MinimumACR)
	}
}

func (sh *shell) apiCreate() *cobra.Command {
	var (
		a       scope.API
		scopes  []string
		opaque  bool
		demands demandFlags
	)
	cmd := &cobra.Command{
		Use: "create", Short: "Register an API", Args: cobra.NoArgs,
		Example: `  portico api create --audience https://orders.example --name Orders --scope "orders:read=See your orders"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range scopes {
				name, words, _ := strings.Cut(s, "=")
				a.Scopes = append(a.Scopes, scope.Scope{Name: name, Description: words})
			}
			a.Format = scope.JWT
			if opaque {
				a.Format = scope.Opaque
			}
			a.CreatedAt, a.MinimumACR = time.Now(), demands.minimumACR
			return sh.with(cmd.Context(), func(s *server.Server) error {
				made, err := s.CreateAPI(cmd.Context(), a)
				if err != nil {
					return taken(err, "This audience, or one of the scopes, belongs to an API already.", "portico api list shows them")
				}
				v := viewAPI(made)
				return sh.show(v, v.print)
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&a.Audience, "audience", "", "absolute URI that its tokens name")
	fl.StringVar(&a.Name, "name", "", "name that people see")
	fl.StringArrayVar(&scopes, "scope", nil, "NAME=sentence that people read; repeat for more")
	fl.BoolVar(&opaque, "opaque", false, "opaque access tokens instead of JWTs")
	fl.BoolVar(&a.PlainType, "plain-type", false, "typ JWT instead of at+jwt, for stock Spring decoders")
	fl.DurationVar(&a.TokenTTL, "token-ttl", 0, "life of its access tokens (default: the server's)")
	fl.BoolVar(&a.RolesInToken, "roles-in-token", false, "put people's roles into its access tokens")
	fl.StringArrayVar(&a.ResourceServers, "resource-server", nil, "client id that may introspect its tokens; repeat for more")
	fl.BoolVar(&a.OpenToDynamic, "open-to-dynamic", false, "clients that registered themselves may ask for it")
	demands.ofAPI(cmd)
	return cmd
}

func (sh *shell) apiList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List APIs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				list, err := s.APIs.All(cmd.Context())
				if err != nil {
					return err
				}
				views := make([]apiView, 0, len(list))
				for _, a := range list {
					views = append(views, viewAPI(a))
				}
				return sh.show(views, func(w io.Writer) {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "AUDIENCE\tNAME\tTOKENS\tMINIMUM ACR\tSCOPES")
					for _, v := range views {
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.Audience, v.Name, v.Format, v.MinimumACR, v.names())
					}
					_ = t.Flush()
				})
			})
		},
	}
}

func (sh *shell) apiDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete AUDIENCE", Short: "Remove an API: no more tokens for it", Args: oneArg("the audience"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if err := s.APIs.Delete(cmd.Context(), args[0]); err != nil {
					return err
				}
				return sh.done(map[string]string{"audience": args[0], "deleted": "true"}, "deleted "+args[0])
			})
		},
	}
}
