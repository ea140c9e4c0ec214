package cli

import (
	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) userLink() *cobra.Command {
	var provider, subject string
	cmd := &cobra.Command{
		Use: "link IDENTIFIER", Short: "Tie somebody of a directory to a person", Args: oneArg("the e-mail address, user name or sub"),
		Long: "Ties an entry of a directory to an account, for who cannot sign in to it to prove that it is theirs. The subject is the\n" +
			"entryUUID of the entry, or in Active Directory its objectGUID, written as text. From then on whoever has the password\n" +
			"of the entry signs in as this person.",
		Example: "  portico user link ada@example.com --provider corp --subject 6b29fc40-ca47-1067-b31d-00dd010662da",
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				u, err := s.FindUser(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := s.Federation.Appoint(cmd.Context(), u.ID, provider, subject, actor); err != nil {
					return err
				}
				return sh.done(map[string]string{"sub": u.ID, "provider": provider, "subject": subject}, "tied "+args[0]+" to "+subject+" of "+provider)
			})
		},
	}
	cmd.Flags().StringVar(&provider, "provider", "", "id of the directory")
	cmd.Flags().StringVar(&subject, "subject", "", "what stands for the entry for ever: its entryUUID or objectGUID")
	_ = cmd.MarkFlagRequired("provider")
	_ = cmd.MarkFlagRequired("subject")
	return cmd
}
