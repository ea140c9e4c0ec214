package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/server"
)

func (sh *shell) keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "List, rotate and revoke signing keys"}
	cmd.AddCommand(sh.keysList(), sh.keysRotate(), sh.keysRevoke())
	return cmd
}

func (sh *shell) keysList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List signing keys", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				list := s.Keys.List()
				return sh.show(list, func(w io.Writer) {
					t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
					fmt.Fprintln(t, "KID\tPURPOSE\tALG\tSTATE\tSIGNS FROM\tLEAVES")
					for _, k := range list {
						fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Purpose, k.Alg, k.State, when(k.ActiveAt), when(k.ExpiresAt))
					}
					_ = t.Flush()
				})
			})
		},
	}
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func (sh *shell) keysRotate() *cobra.Command {
	var (
		purpose, alg string
		emergency    bool
	)
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make the next signing keys", Args: cobra.NoArgs,
		Long: "Makes a successor for every signing key, or for those that --purpose and --alg name. It is published now and signs\n" +
			"from a day later, when every verifier has seen it. --now signs at once: for a key that leaked.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				rotated := map[string]bool{}
				for _, k := range s.Keys.List() {
					line := string(k.Purpose) + " " + k.Alg
					if rotated[line] || purpose != "" && purpose != string(k.Purpose) || alg != "" && alg != k.Alg {
						continue
					}
					if err := s.Keys.Rotate(cmd.Context(), k.Purpose, k.Alg, emergency); err != nil {
						return err
					}
					rotated[line] = true
				}
				if len(rotated) == 0 {
					return usageError{errors.New("no key has that purpose and algorithm; portico keys list shows them")}
				}
				next := []keyring.Info{}
				for _, k := range s.Keys.List() {
					if rotated[string(k.Purpose)+" "+k.Alg] && (k.State == keyring.Next || emergency && k.State == keyring.Signing) {
						next = append(next, k)
					}
				}
				return sh.show(next, func(w io.Writer) {
					for _, k := range next {
						fmt.Fprintf(w, "%s key %s (%s) signs from %s\n", k.Purpose, k.ID, k.Alg, when(k.ActiveAt))
					}
				})
			})
		},
	}
	cmd.Flags().StringVar(&purpose, "purpose", "", "access, id or answer (default: all)")
	cmd.Flags().StringVar(&alg, "alg", "", "one algorithm, such as RS256 (default: all)")
	cmd.Flags().BoolVar(&emergency, "now", false, "sign at once, before verifiers have seen the key")
	return cmd
}

func (sh *shell) keysRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke KID", Short: "Stop signing and verifying with a key at once", Args: oneArg("the kid"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(s *server.Server) error {
				if err := s.Keys.Revoke(cmd.Context(), args[0]); err != nil {
					return err
				}
				return sh.done(map[string]string{"kid": args[0], "state": "revoked"}, "revoked "+args[0])
			})
		},
	}
}
