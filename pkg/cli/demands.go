package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/server"
)

// demandFlags are the flags of what an application or an API demands of
// people.
type demandFlags struct {
	minimumACR string
	ways       []string
}

const acrUsage = "class that people must reach: 1, 2 (two factors), phr (phishing-resistant); empty: any"

func (f *demandFlags) ofAPI(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.minimumACR, "minimum-acr", "", acrUsage)
}

func (f *demandFlags) ofClient(cmd *cobra.Command) {
	f.ofAPI(cmd)
	cmd.Flags().StringArrayVar(&f.ways, "way", nil, "way to sign in that it allows: local, or the id of a provider; repeat for more; empty: all")
}

// list returns the ways; an empty one stands for all, and takes the others
// back.
func (f *demandFlags) list() []string {
	if slices.Contains(f.ways, "") {
		return nil
	}
	return f.ways
}

// changed returns what the command line names. Naming nothing is a mistake.
func (f *demandFlags) changed(cmd *cobra.Command) (d server.Demands, err error) {
	if cmd.Flags().Changed("minimum-acr") {
		d.MinimumACR = &f.minimumACR
	}
	if cmd.Flags().Changed("way") {
		ways := f.list()
		d.Ways = &ways
	}
	if d == (server.Demands{}) {
		return d, usageError{errors.New("nothing to change: name a flag")}
	}
	return d, nil
}

func (sh *shell) clientUpdate() *cobra.Command {
	var f demandFlags
	cmd := &cobra.Command{
		Use: "update ID", Short: "Change what an application demands of people", Args: oneArg("the client id"),
		Example: "  portico client update shop --minimum-acr 2 --way local --way google",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := f.changed(cmd)
			if err != nil {
				return err
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				c, err := s.DemandOfClient(cmd.Context(), args[0], d)
				if err != nil {
					return err
				}
				v := viewClient(&c, "")
				return sh.show(v, v.print)
			})
		},
	}
	f.ofClient(cmd)
	return cmd
}

func (sh *shell) apiUpdate() *cobra.Command {
	var f demandFlags
	cmd := &cobra.Command{
		Use: "update AUDIENCE", Short: "Change what an API demands of people", Args: oneArg("the audience"),
		Example: "  portico api update https://orders.example --minimum-acr phr",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := f.changed(cmd)
			if err != nil {
				return err
			}
			return sh.with(cmd.Context(), func(s *server.Server) error {
				a, err := s.DemandOfAPI(cmd.Context(), args[0], d)
				if err != nil {
					return err
				}
				v := viewAPI(a)
				return sh.show(v, v.print)
			})
		},
	}
	f.ofAPI(cmd)
	return cmd
}
