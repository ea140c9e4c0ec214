package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/recovery"
	"github.com/portico-id/portico/pkg/server"
)

// factorView is a second factor as the shell prints it.
type factorView struct {
	Kind      string    `json:"kind"`
	Name      string    `json:"name,omitempty"`
	Left      int       `json:"left"` // unused recovery codes; else 1
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
}

func (v factorView) line(w io.Writer) {
	used := "never"
	if !v.UsedAt.IsZero() {
		used = v.UsedAt.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", v.Kind, v.Name, v.Left, v.CreatedAt.Format(time.RFC3339), used)
}

func (sh *shell) userFactors() *cobra.Command {
	var remove string
	cmd := &cobra.Command{
		Use: "factors IDENTIFIER", Short: "List a person's second factors, or remove those of a kind", Args: oneArg("the e-mail address, user name or sub"),
		Long: "Lists the second factors of a person. --remove removes all of a kind, also when a policy demands one: the person is\n" +
			"asked for another when they sign in. Who lost every one is better let in by: portico user recover",
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("remove") && remove == "" {
				return usageError{errors.New("--remove: want a kind, such as totp")}
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				u, err := s.FindUser(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if remove != "" {
					if err := s.RemoveFactors(cmd.Context(), u.ID, remove, actor); err != nil {
						return err
					}
					return sh.done(map[string]string{"sub": u.ID, "removed": remove}, "removed every "+remove+" of "+args[0])
				}
				list, err := s.FactorsOf(cmd.Context(), u.ID)
				if err != nil {
					return err
				}
				return sh.listFactors(list)
			})
		},
	}
	cmd.Flags().StringVar(&remove, "remove", "", "`KIND` to remove: passkey, totp, sms, email, recovery_code")
	return cmd
}

func (sh *shell) listFactors(list []recovery.Held) error {
	views := make([]factorView, 0, len(list))
	for _, h := range list {
		views = append(views, factorView{Kind: string(h.Kind), Name: h.Name, Left: h.Left, CreatedAt: h.CreatedAt, UsedAt: h.UsedAt})
	}
	return sh.show(views, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "KIND\tNAME\tLEFT\tCREATED\tUSED")
		for _, v := range views {
			v.line(t)
		}
		_ = t.Flush()
	})
}
