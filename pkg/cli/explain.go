package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain ID", Short: "Say why a request was refused", Args: oneArg("the request id, from X-Request-Id or the end of error_description"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				r, err := s.Explain(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return sh.show(r, func(w io.Writer) { printRefusal(w, r) })
			})
		},
	}
}

func printRefusal(w io.Writer, r explain.Refusal) {
	fmt.Fprintf(w, "%s  %s %s answered %d %s\n", r.At.UTC().Format(time.RFC3339), r.Method, r.Path, r.Status, r.Code)
	fmt.Fprintf(w, "the caller read:  %s\n", r.Say)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-17s %s\n", name+":", value)
		}
	}
	line("rule", r.Rule)
	for _, v := range r.Compared {
		line("compared", compared(v))
	}
	line("client", r.ClientID)
	line("person", r.UserID)
	line("from", r.Remote)
	line("cause", r.Cause)
	line("what to change", r.Hint)
}
