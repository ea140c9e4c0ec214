package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/user"
)

func (sh *shell) userCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Manage people"}
	cmd.AddCommand(sh.userCreate(), sh.userInvite(), sh.userInvitations(), sh.userUninvite(), sh.userList(), sh.userPassword(), sh.userImport(),
		sh.userRecover(), sh.userRecoverApprove(), sh.userRecoveries(), sh.userFactors(), sh.userLink(),
		sh.userSwitch("disable", "Sign a person out everywhere and refuse them", true),
		sh.userSwitch("enable", "Let a disabled person sign in again", false))
	return cmd
}

// userView is a person as the shell prints them.
type userView struct {
	ID            string    `json:"sub"`
	Email         string    `json:"email,omitempty"`
	EmailVerified bool      `json:"email_verified"`
	Username      string    `json:"preferred_username,omitempty"`
	Name          string    `json:"name,omitempty"`
	Disabled      bool      `json:"disabled,omitempty"`
	Roles         []string  `json:"roles,omitempty"`
	Factors       []string  `json:"factors,omitempty"`
	CreatedAt     time.Time `json:"created_at"`
}

func viewUser(u *user.User) userView {
	return userView{
		ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified, Username: u.Username, Name: u.Name,
		Disabled: u.Disabled, Roles: u.Roles, Factors: u.Factors, CreatedAt: u.CreatedAt,
	}
}

func (v userView) print(w io.Writer) {
	fmt.Fprintf(w, "sub: %s\nemail: %s\n", v.ID, v.Email)
	if v.Name != "" {
		fmt.Fprintf(w, "name: %s\n", v.Name)
	}
	if len(v.Roles) > 0 {
		fmt.Fprintf(w, "roles: %s\n", strings.Join(v.Roles, " "))
	}
}

func (sh *shell) userCreate() *cobra.Command {
	var (
		u               user.User
		password        string
		fromStdin, root bool
	)
	cmd := &cobra.Command{
		Use: "create", Short: "Create a person", Args: cobra.NoArgs,
		Example: "  portico user create --email ada@example.com --password-stdin --admin",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if fromStdin {
				p, err := readPassword(sh.Stdin)
				if err != nil {
					return err
				}
				password = p
			}
			if root {
				u.Roles = append(u.Roles, user.Administrator)
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				made, err := s.CreateUser(cmd.Context(), u, password)
				if err != nil {
					return taken(err, "A person with this e-mail address or user name exists.", "portico user list shows everybody")
				}
				v := viewUser(&made)
				return sh.show(v, v.print)
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&u.Email, "email", "", "e-mail address")
	fl.StringVar(&u.Username, "username", "", "user name (optional)")
	fl.StringVar(&u.Name, "name", "", "full name")
	fl.StringVar(&u.GivenName, "given-name", "", "given name")
	fl.StringVar(&u.FamilyName, "family-name", "", "family name")
	fl.BoolVar(&u.EmailVerified, "email-verified", false, "the address is known to be theirs")
	fl.StringArrayVar(&u.Roles, "role", nil, "role; repeat for more")
	fl.BoolVar(&root, "admin", false, "may administer Portico")
	fl.StringVar(&password, "password", "", "password (others on this machine may see it: prefer --password-stdin)")
	fl.BoolVar(&fromStdin, "password-stdin", false, "read the password from the first line of standard input")
	cmd.MarkFlagsMutuallyExclusive("password", "password-stdin")
	return cmd
}

// readPassword takes the first line, however it ends.
func readPassword(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usageError{errors.New("--password-stdin: standard input is empty")}
	}
	return line, nil
}

func (sh *shell) userList() *cobra.Command {
	var page paging.Page
	cmd := &cobra.Command{
		Use: "list", Short: "List people", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				list, err := s.Users.List(cmd.Context(), page)
				if err != nil {
					return err
				}
				views := make([]userView, 0, len(list))
				for i := range list {
					views = append(views, viewUser(&list[i]))
				}
				return sh.show(views, func(w io.Writer) {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "SUB\tEMAIL\tNAME\tSTATE\tROLES")
					for _, v := range views {
						state := "active"
						if v.Disabled {
							state = "disabled"
						}
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Email, v.Name, state, strings.Join(v.Roles, " "))
					}
					_ = t.Flush()
				})
			})
		},
	}
	cmd.Flags().StringVar(&page.Cursor, "after", "", "sub of the last one seen")
	cmd.Flags().IntVar(&page.Size, "size", 0, "how many (at most 200)")
	return cmd
}

func (sh *shell) userPassword() *cobra.Command {
	return &cobra.Command{
		Use: "set-password IDENTIFIER", Short: "Set a person's password, read from standard input", Args: oneArg("the e-mail address, user name or sub"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPassword(sh.Stdin)
			if err != nil {
				return err
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				u, err := s.FindUser(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := s.SetPassword(cmd.Context(), u.ID, p); err != nil {
					return err
				}
				return sh.done(map[string]string{"sub": u.ID}, "the password is set and every session has ended")
			})
		},
	}
}

func (sh *shell) userSwitch(name, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: name + " IDENTIFIER", Short: short, Args: oneArg("the e-mail address, user name or sub"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				u, err := s.FindUser(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := s.SetUserDisabled(cmd.Context(), u.ID, disabled); err != nil {
					return err
				}
				return sh.done(map[string]string{"sub": u.ID, "state": name + "d"}, name+"d "+args[0])
			})
		},
	}
}
