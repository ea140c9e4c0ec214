package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/paging"
	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/server"
)

// recoveryView is a way back in as the shell prints it. The link is there
// when it has just been made, and never again.
type recoveryView struct {
	ID         string    `json:"id"`
	Link       string    `json:"link,omitempty"`
	UserID     string    `json:"sub"`
	Reason     string    `json:"reason"`
	AskedBy    string    `json:"asked_by"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	State      string    `json:"state"` // waiting, open
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func viewRecovery(r *recovery.Request, link string) recoveryView {
	v := recoveryView{
		ID: r.ID, Link: link, UserID: r.UserID, Reason: r.Reason, AskedBy: r.AskedBy, ApprovedBy: r.ApprovedBy, State: "waiting",
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
	}
	if r.Approved() {
		v.State = "open"
	}
	return v
}

func (v recoveryView) print(w io.Writer) {
	fmt.Fprintf(w, "recovery: %s\nsub: %s\nexpires: %s\n", v.ID, v.UserID, v.ExpiresAt.Format(time.RFC3339))
	if v.Link == "" {
		fmt.Fprintf(w, "It waits for another administrator: portico user recover-approve %s --by EMAIL\n", v.ID)
		return
	}
	fmt.Fprintf(w, "link: %s\n", v.Link)
	fmt.Fprintln(w, "Hand the link over by a way that you trust. It works once, together with the password, and is not shown again.")
}

func (sh *shell) userRecover() *cobra.Command {
	var reason, by string
	cmd := &cobra.Command{
		Use: "recover IDENTIFIER", Short: "Open a way back in for who lost every second factor", Args: oneArg("the e-mail address, user name or sub"),
		Long: "Makes a link that removes every second factor of a person, once, and only together with their password. Make sure\n" +
			"that it is them before, and hand it over by a way that you trust. With PORTICO_RECOVERY_FOUR_EYES=on another\n" +
			"administrator approves first.",
		Example: `  portico user recover ada@example.com --reason "lost phone, checked by video call" --by grace@example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				r, link, err := s.AskRecovery(cmd.Context(), args[0], reason, by)
				if err != nil {
					return err
				}
				v := viewRecovery(&r, link)
				return sh.show(v, v.print)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, and how you made sure that it is them; it is audited")
	cmd.Flags().StringVar(&by, "by", "", "administrator who asks: e-mail address, user name or sub")
	for _, name := range []string{"reason", "by"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

func (sh *shell) userRecoverApprove() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use: "recover-approve ID", Short: "Approve a way back in that another administrator asked for", Args: oneArg("the id of the recovery"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				r, link, err := s.ApproveRecovery(cmd.Context(), args[0], by)
				if err != nil {
					return err
				}
				v := viewRecovery(&r, link)
				return sh.show(v, v.print)
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "administrator who approves: e-mail address, user name or sub")
	_ = cmd.MarkFlagRequired("by")
	return cmd
}

func (sh *shell) userRecoveries() *cobra.Command {
	var (
		page     paging.Page
		withdraw string
	)
	cmd := &cobra.Command{
		Use: "recoveries", Short: "List open ways back in, or take one back", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("withdraw") && withdraw == "" {
				return usageError{errors.New("--withdraw: want the id of the recovery")}
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if withdraw != "" {
					if err := s.WithdrawRecovery(cmd.Context(), withdraw, actor); err != nil {
						return err
					}
					return sh.done(map[string]string{"id": withdraw, "state": "withdrawn"}, "withdrawn "+withdraw)
				}
				list, err := s.Recoveries(cmd.Context(), page)
				if err != nil {
					return err
				}
				return sh.listRecoveries(list)
			})
		},
	}
	cmd.Flags().StringVar(&withdraw, "withdraw", "", "`ID` of one to take back: its link is dead at once")
	cmd.Flags().StringVar(&page.Cursor, "after", "", "id of the last one seen")
	cmd.Flags().IntVar(&page.Size, "size", 0, "how many (at most 200)")
	return cmd
}

func (sh *shell) listRecoveries(list []recovery.Request) error {
	views := make([]recoveryView, 0, len(list))
	for i := range list {
		views = append(views, viewRecovery(&list[i], ""))
	}
	return sh.show(views, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tSUB\tSTATE\tASKED BY\tEXPIRES\tREASON")
		for _, v := range views {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.UserID, v.State, v.AskedBy, v.ExpiresAt.Format(time.RFC3339), v.Reason)
		}
		_ = t.Flush()
	})
}
