package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/pkg/signup"
)

// actor is who did what the shell does, in the audit log.
const actor = "shell"

// invitationView is an invitation as the shell prints it. The link is there
// when it has just been made, and never again.
type invitationView struct {
	ID        string    `json:"id"`
	Link      string    `json:"link,omitempty"`
	Email     string    `json:"email,omitempty"`
	Name      string    `json:"name,omitempty"`
	Roles     []string  `json:"roles,omitempty"`
	Mailed    bool      `json:"mailed"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

func viewInvitation(i *signup.Invitation, link string) invitationView {
	return invitationView{
		ID: i.ID, Link: link, Email: i.Email, Name: i.Name, Roles: i.Roles, Mailed: i.Mailed,
		CreatedAt: i.CreatedAt.UTC(), ExpiresAt: i.ExpiresAt.UTC(),
	}
}

func (v invitationView) print(w io.Writer) {
	fmt.Fprintf(w, "invitation: %s\n", v.ID)
	if v.Email != "" {
		fmt.Fprintf(w, "email: %s\n", v.Email)
	}
	if len(v.Roles) > 0 {
		fmt.Fprintf(w, "roles: %s\n", strings.Join(v.Roles, " "))
	}
	fmt.Fprintf(w, "expires: %s\nlink: %s\n", v.ExpiresAt.Format(time.RFC3339), v.Link)
	if v.Mailed {
		fmt.Fprintln(w, "The link is on its way by mail. It works once, and is not shown again.")
	} else {
		fmt.Fprintln(w, "Hand the link over yourself. It works once, and is not shown again.")
	}
}

func (sh *shell) userInvite() *cobra.Command {
	var (
		a      signup.Ask
		noMail bool
	)
	cmd := &cobra.Command{
		Use: "invite", Short: "Ask somebody to make an account", Args: cobra.NoArgs,
		Long:    "Ask somebody to make an account, by a link that works once. Without an address the invitation is for whoever has the link.",
		Example: "  portico user invite --email ada@example.com --name Ada --role editor",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.Mail, a.Actor = !noMail, actor
			return sh.with(cmd.Context(), func(s *server.Server) error {
				inv, link, err := s.InviteUser(cmd.Context(), a)
				if err != nil {
					return taken(err, "A person with this e-mail address exists.", "portico user list shows everybody")
				}
				v := viewInvitation(&inv, link)
				return sh.show(v, v.print)
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&a.Email, "email", "", "e-mail address that the account will have")
	fl.StringVar(&a.Name, "name", "", "name to begin with; the person may change it")
	fl.StringArrayVar(&a.Roles, "role", nil, "role of the account; repeat for more")
	fl.BoolVar(&a.Administrator, "admin", false, "may administer Portico")
	fl.BoolVar(&noMail, "no-mail", false, "send no mail: the link is handed over by you, and the address proven by its owner")
	return cmd
}

func (sh *shell) userInvitations() *cobra.Command {
	var page paging.Page
	cmd := &cobra.Command{
		Use: "invitations", Short: "List open invitations", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				list, err := s.Invitations(cmd.Context(), page)
				if err != nil {
					return err
				}
				views := make([]invitationView, 0, len(list))
				for i := range list {
					views = append(views, viewInvitation(&list[i], ""))
				}
				return sh.show(views, func(w io.Writer) {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "ID\tEMAIL\tMAILED\tEXPIRES\tROLES")
					for _, v := range views {
						fmt.Fprintf(t, "%s\t%s\t%t\t%s\t%s\n", v.ID, v.Email, v.Mailed, v.ExpiresAt.Format(time.RFC3339), strings.Join(v.Roles, " "))
					}
					_ = t.Flush()
				})
			})
		},
	}
	cmd.Flags().StringVar(&page.Cursor, "after", "", "id of the last one seen")
	cmd.Flags().IntVar(&page.Size, "size", 0, "how many (at most 200)")
	return cmd
}

func (sh *shell) userUninvite() *cobra.Command {
	return &cobra.Command{
		Use: "uninvite ID", Short: "Take an invitation back: its link is dead at once", Args: oneArg("the id of the invitation"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if err := s.WithdrawInvitation(cmd.Context(), args[0], actor); err != nil {
					return err
				}
				return sh.done(map[string]string{"id": args[0], "state": "withdrawn"}, "withdrawn "+args[0])
			})
		},
	}
}
