package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/federation"
	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) providerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "Let people sign in with accounts that they have elsewhere"}
	cmd.AddCommand(sh.providerAdd(), sh.providerList(), sh.providerShow(), sh.providerUpdate(), sh.providerTest(), sh.providerRemove(),
		sh.providerSwitch("disable", "Take the way to sign in away; what is connected stays", true),
		sh.providerSwitch("enable", "Offer a disabled way to sign in again", false))
	return cmd
}

// providerView is a provider as the shell prints it: never its secret.
type providerView struct {
	ID        string              `json:"id"`
	Kind      federation.Kind     `json:"kind"`
	Name      string              `json:"name"`
	Disabled  bool                `json:"disabled,omitempty"`
	Position  int                 `json:"position"`
	HasSecret bool                `json:"has_secret"`
	Callback  string              `json:"callback_url,omitempty"`
	Logout    string              `json:"backchannel_logout_url,omitempty"`
	Settings  federation.Settings `json:"settings"`
}

func viewProvider(s *server.Server, p *federation.Provider) providerView {
	v := providerView{
		ID: p.ID, Kind: p.Kind, Name: p.Name, Disabled: p.Disabled, Position: p.Position, HasSecret: len(p.Sealed) > 0, Settings: p.Settings,
	}
	if p.Interactive() {
		v.Callback, v.Logout = s.ProviderAddresses(p.ID)
	}
	return v
}

func (v providerView) print(w io.Writer) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s: %s\n", name, value)
		}
	}
	yes := func(name string, is bool) {
		if is {
			line(name, "yes")
		}
	}
	set := &v.Settings
	line("provider", v.ID)
	line("kind", string(v.Kind))
	line("name", v.Name)
	yes("disabled", v.Disabled)
	line("issuer", set.Issuer)
	line("client id", set.ClientID)
	if set.Directory != nil {
		line("directory", set.Directory.URL)
		line("base", set.Directory.BaseDN)
		line("filter", set.Directory.Filter)
	}
	yes("secret", v.HasSecret)
	line("scopes", strings.Join(set.Scopes, " "))
	line("domains", strings.Join(set.Domains, " "))
	yes("makes accounts", set.Create)
	yes("its addresses are trusted", set.TrustEmail)
	yes("its factors are trusted", set.TrustAMR)
	yes("signs people out there too", set.Logout)
	line("roles from", set.RolesClaim)
	for _, value := range slices.Sorted(maps.Keys(set.Roles)) {
		line("role", value+" → "+set.Roles[value])
	}
	line("callback url", v.Callback)
	line("back-channel logout url", v.Logout)
}

// providerFlags are the flags of add and update.
type providerFlags struct {
	federation.Provider
	directory            federation.Directory
	kind                 string
	claims, roles, param []string
	fromStdin            bool
	secretFile           string
}

func (f *providerFlags) of(cmd *cobra.Command) {
	fl, set, dir := cmd.Flags(), &f.Settings, &f.directory
	fl.StringVar(&f.Name, "name", "", "name on the button (default: that of the kind)")
	fl.IntVar(&f.Position, "position", 0, "of the button, smallest first")
	fl.StringVar(&set.Issuer, "issuer", "", "issuer of an OpenID provider; of Microsoft that of your tenant; of a GitHub of your own its address")
	fl.StringVar(&set.ClientID, "client-id", "", "client id that the provider gave you")
	fl.BoolVar(&f.fromStdin, "client-secret-stdin", false, "read the secret (client secret, Apple's key in PEM, bind password) from standard input")
	fl.StringVar(&f.secretFile, "client-secret-file", "", "read the secret from a `file`")
	fl.StringArrayVar(&set.Scopes, "scope", nil, "scope to ask for; repeat for more (default: those of the kind)")
	fl.StringArrayVar(&f.param, "param", nil, "NAME=VALUE more of the authorization request; repeat for more")
	fl.StringVar(&set.AuthURL, "authorization-endpoint", "", "of OAuth without discovery, where it is not the preset's")
	fl.StringVar(&set.TokenURL, "token-endpoint", "", "the same")
	fl.StringVar(&set.UserinfoURL, "userinfo-endpoint", "", "the same")
	fl.StringVar(&set.TeamID, "team-id", "", "Apple: id of the team")
	fl.StringVar(&set.KeyID, "key-id", "", "Apple: id of the key")
	fl.BoolVar(&set.Create, "create", false, "make an account for who has none here")
	fl.StringArrayVar(&set.Domains, "domain", nil, "domain whose addresses may come; repeat for more (default: all)")
	fl.BoolVar(&set.TrustEmail, "trust-email", false, "take its addresses for proven although it does not say so: only for a provider of your own")
	fl.BoolVar(&set.TrustAMR, "trust-amr", false, "take its word on how people proved who they are")
	fl.StringArrayVar(&f.claims, "claim", nil, "OURS=THEIRS claim that a new account takes over; repeat for more")
	fl.StringVar(&set.RolesClaim, "roles-claim", "", "claim, or attribute, whose values stand for roles")
	fl.StringArrayVar(&f.roles, "role", nil, "VALUE=ROLE that a value of it, or a group, stands for; repeat for more")
	fl.BoolVar(&set.Logout, "logout", false, "sign people out there when they sign out here")
	fl.StringVar(&dir.URL, "directory-url", "", "LDAP: ldaps://host, or ldap://host that takes StartTLS")
	fl.BoolVar(&dir.PlainText, "plain-text", false, "LDAP: no TLS, to this machine only")
	fl.StringVar(&dir.RootsFile, "roots-file", "", "LDAP: authorities of its certificate, PEM in a `file` that the server reads")
	fl.StringVar(&dir.BindDN, "bind-dn", "", "LDAP: who searches")
	fl.StringVar(&dir.BaseDN, "base-dn", "", "LDAP: where people are")
	fl.StringVar(&dir.Filter, "filter", "", "LDAP: how they are found; %s stands for what was typed")
	fl.StringVar(&dir.Subject, "subject", "", "LDAP: attribute that never changes")
	fl.StringVar(&dir.GroupBase, "group-base", "", "LDAP: where groups are searched")
	fl.StringVar(&dir.GroupFilter, "group-filter", "", "LDAP: how; %s stands for the DN of the person")
	fl.BoolVar(&dir.ActiveDirectory, "active-directory", false, "LDAP: it is an Active Directory")
	cmd.MarkFlagsMutuallyExclusive("client-secret-stdin", "client-secret-file")
}

// maxSecretFile bounds what is read for a secret.
const maxSecretFile = 64 << 10

// secret reads the secret, if one is given. It is never a flag: others on this
// machine, and the history of the shell, would see it.
func (f *providerFlags) secret(stdin io.Reader) (string, error) {
	from, name := stdin, "--client-secret-stdin"
	switch {
	case f.secretFile != "":
		file, err := os.Open(f.secretFile)
		if err != nil {
			return "", fmt.Errorf("--client-secret-file: %w", err)
		}
		defer func() { _ = file.Close() }()
		from, name = file, "--client-secret-file"
	case !f.fromStdin:
		return "", nil
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxSecretFile))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	secret := strings.TrimRight(string(raw), "\r\n")
	if secret == "" {
		return "", usageError{fmt.Errorf("%s: there is no secret", name)}
	}
	return secret, nil
}

// pairs reads A=B flags. last holds when B begins after the last =: a DN has
// some of its own. One empty flag empties the list.
func pairs(flag string, list []string, last bool) (map[string]string, error) {
	m := map[string]string{}
	for _, one := range list {
		if one == "" {
			continue
		}
		i := strings.Index(one, "=")
		if last {
			i = strings.LastIndex(one, "=")
		}
		if i < 1 {
			return nil, usageError{fmt.Errorf("--%s is %q; want two sides of a =", flag, one)}
		}
		m[one[:i]] = one[i+1:]
	}
	return m, nil
}

// list reads a flag that is repeated; one that is empty empties the list.
func list(all []string) []string {
	var kept []string
	for _, one := range all {
		for value := range strings.FieldsSeq(one) {
			kept = append(kept, value)
		}
	}
	return kept
}

// apply writes what the command line names into p.
func (f *providerFlags) apply(cmd *cobra.Command, p *federation.Provider) error {
	named, set := cmd.Flags().Changed, &p.Settings
	for flag, copyTo := range map[string]func(){
		"name": func() { p.Name = f.Name }, "position": func() { p.Position = f.Position },
		"issuer": func() { set.Issuer = f.Settings.Issuer }, "client-id": func() { set.ClientID = f.Settings.ClientID },
		"scope":                  func() { set.Scopes = list(f.Settings.Scopes) },
		"authorization-endpoint": func() { set.AuthURL = f.Settings.AuthURL },
		"token-endpoint":         func() { set.TokenURL = f.Settings.TokenURL },
		"userinfo-endpoint":      func() { set.UserinfoURL = f.Settings.UserinfoURL },
		"team-id":                func() { set.TeamID = f.Settings.TeamID }, "key-id": func() { set.KeyID = f.Settings.KeyID },
		"create": func() { set.Create = f.Settings.Create }, "domain": func() { set.Domains = list(f.Settings.Domains) },
		"trust-email": func() { set.TrustEmail = f.Settings.TrustEmail }, "trust-amr": func() { set.TrustAMR = f.Settings.TrustAMR },
		"roles-claim": func() { set.RolesClaim = f.Settings.RolesClaim }, "logout": func() { set.Logout = f.Settings.Logout },
	} {
		if named(flag) {
			copyTo()
		}
	}
	for flag, in := range map[string]struct {
		list []string
		last bool
		to   *map[string]string
	}{"claim": {f.claims, false, &set.Claims}, "role": {f.roles, true, &set.Roles}, "param": {f.param, false, &set.Params}} {
		if !named(flag) {
			continue
		}
		m, err := pairs(flag, in.list, in.last)
		if err != nil {
			return err
		}
		*in.to = m
	}
	f.applyDirectory(named, set)
	return nil
}

func (f *providerFlags) applyDirectory(named func(string) bool, set *federation.Settings) {
	dir := federation.Directory{}
	if set.Directory != nil {
		dir = *set.Directory
	}
	some := false
	for flag, copyTo := range map[string]func(){
		"directory-url": func() { dir.URL = f.directory.URL }, "plain-text": func() { dir.PlainText = f.directory.PlainText },
		"roots-file": func() { dir.RootsFile = f.directory.RootsFile }, "bind-dn": func() { dir.BindDN = f.directory.BindDN },
		"base-dn": func() { dir.BaseDN = f.directory.BaseDN }, "filter": func() { dir.Filter = f.directory.Filter },
		"subject": func() { dir.Subject = f.directory.Subject }, "group-base": func() { dir.GroupBase = f.directory.GroupBase },
		"group-filter": func() { dir.GroupFilter = f.directory.GroupFilter }, "active-directory": func() { dir.ActiveDirectory = f.directory.ActiveDirectory },
	} {
		if named(flag) {
			copyTo()
			some = true
		}
	}
	if some {
		set.Directory = &dir
	}
}

func (sh *shell) providerAdd() *cobra.Command {
	var f providerFlags
	cmd := &cobra.Command{
		Use: "add ID", Short: "Add a way to sign in", Args: oneArg("an id, which becomes part of the callback address"),
		Example: "  portico provider add google --kind google --client-id ID --client-secret-stdin --create\n" +
			"  portico provider add corp --kind oidc --name \"Example Corp\" --issuer https://sso.example.com --client-id ID --client-secret-file secret",
		RunE: func(cmd *cobra.Command, args []string) error {
			p := federation.Provider{ID: args[0], Kind: federation.Kind(f.kind)}
			if err := f.apply(cmd, &p); err != nil {
				return err
			}
			secret, err := f.secret(sh.Stdin)
			if err != nil {
				return err
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				made, err := s.Federation.Create(cmd.Context(), p, secret)
				if err != nil {
					return err
				}
				v := viewProvider(s, made)
				return sh.show(v, func(w io.Writer) {
					v.print(w)
					if v.Callback != "" {
						fmt.Fprintf(w, "Register the callback url at the provider, then look: portico provider test %s\n", v.ID)
					}
				})
			})
		},
	}
	cmd.Flags().StringVar(&f.kind, "kind", string(federation.OIDC), "oidc, google, microsoft, facebook, apple, github, ldap")
	f.of(cmd)
	return cmd
}

func (sh *shell) providerUpdate() *cobra.Command {
	var f providerFlags
	cmd := &cobra.Command{
		Use: "update ID", Short: "Change what the flags name; the rest stays", Args: oneArg("the id of the provider"),
		Long: "Changes what the flags name. A list is replaced as a whole, and emptied by one empty value: --domain \"\".",
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := f.secret(sh.Stdin)
			if err != nil {
				return err
			}
			if cmd.Flags().NFlag() == 0 {
				return usageError{errors.New("nothing is named that shall change")}
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				changed, err := s.Federation.Change(cmd.Context(), args[0], secret, func(p *federation.Provider) error { return f.apply(cmd, p) })
				if err != nil {
					return err
				}
				v := viewProvider(s, changed)
				return sh.show(v, v.print)
			})
		},
	}
	f.of(cmd)
	return cmd
}

func (sh *shell) providerList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the ways to sign in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				all, err := s.Federation.List(cmd.Context())
				if err != nil {
					return err
				}
				views := make([]providerView, 0, len(all))
				for i := range all {
					views = append(views, viewProvider(s, &all[i]))
				}
				return sh.show(views, func(w io.Writer) {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "ID\tKIND\tNAME\tSTATE\tCALLBACK URL")
					for _, v := range views {
						state := "active"
						if v.Disabled {
							state = "disabled"
						}
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Kind, v.Name, state, v.Callback)
					}
					_ = t.Flush()
				})
			})
		},
	}
}

func (sh *shell) providerShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one way to sign in", Args: oneArg("the id of the provider"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				p, err := s.Federation.Get(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				v := viewProvider(s, p)
				return sh.show(v, v.print)
			})
		},
	}
}

func (sh *shell) providerTest() *cobra.Command {
	return &cobra.Command{
		Use: "test ID", Short: "Ask a provider what a sign-in would ask, and say what is wrong", Args: oneArg("the id of the provider"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				found, err := s.Federation.Examine(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				bad := 0
				for _, f := range found {
					if !f.OK {
						bad++
					}
				}
				err = sh.show(found, func(w io.Writer) {
					for _, f := range found {
						state := "ok"
						if !f.OK {
							state = "bad"
						}
						fmt.Fprintf(w, "%-4s %s: %s\n", state, f.What, f.Say)
						if f.Hint != "" {
							fmt.Fprintf(w, "     hint: %s\n", f.Hint)
						}
					}
				})
				if err == nil && bad > 0 {
					err = fmt.Errorf("%d of %d are not as they should be", bad, len(found))
				}
				return err
			})
		},
	}
}

func (sh *shell) providerRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Remove a way to sign in with everything that is connected by it", Args: oneArg("the id of the provider"),
		Long: "Removes the provider and the ties of people to their accounts there. Who has no other way in cannot sign in any more:\n" +
			"portico provider disable takes the way away and keeps the ties.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if err := s.Federation.Delete(cmd.Context(), args[0]); err != nil {
					return err
				}
				return sh.done(map[string]string{"id": args[0], "removed": "true"}, "removed "+args[0])
			})
		},
	}
}

func (sh *shell) providerSwitch(name, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: name + " ID", Short: short, Args: oneArg("the id of the provider"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				_, err := s.Federation.Change(cmd.Context(), args[0], "", func(p *federation.Provider) error { p.Disabled = disabled; return nil })
				if err != nil {
					return err
				}
				return sh.done(map[string]string{"id": args[0], "state": name + "d"}, name+"d "+args[0])
			})
		},
	}
}
