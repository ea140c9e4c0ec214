package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage"
)

func (sh *shell) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong with this installation", Args: cobra.NoArgs,
		Long: "Asks the issuer, the clock, the database and its rights, Redis and its persistence, the signing keys, the\n" +
			"proxy settings and the branding. Exits with 1 when something does not work.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				found := s.Doctor(cmd.Context())
				if err := sh.show(found, func(w io.Writer) { printFindings(w, found) }); err != nil {
					return err
				}
				for _, f := range found {
					if f.Status == storage.Fail {
						return errors.New("something does not work; see above")
					}
				}
				return nil
			})
		},
	}
}

func printFindings(w io.Writer, found []storage.Finding) {
	marks := map[storage.Status]string{storage.OK: "ok   ", storage.Warn: "WARN ", storage.Fail: "FAIL "}
	for _, f := range found {
		fmt.Fprintf(w, "%s %-18s %s\n", marks[f.Status], f.Check, f.Detail)
		if f.Hint != "" {
			fmt.Fprintf(w, "      %-18s %s\n", "", f.Hint)
		}
	}
}
