package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) mailCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "mail", Short: "Try the mail server"}
	cmd.AddCommand(sh.mailTest())
	return cmd
}

func (sh *shell) mailTest() *cobra.Command {
	return &cobra.Command{
		Use: "test ADDRESS", Short: "Send a mail to an address of yours", Args: cobra.ExactArgs(1),
		Long: "Sends one mail at once, past the outbox, and says what the mail server answered.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if err := s.Mail.Test(cmd.Context(), args[0]); err != nil {
					return err
				}
				return sh.done(map[string]string{"status": "sent", "to": args[0]}, fmt.Sprintf("the mail server took a mail to %s", args[0]))
			})
		},
	}
}
