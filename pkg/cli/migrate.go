package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/server"
	"github.com/portico-id/portico/storage"
)

func (sh *shell) migrateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "migrate", Short: "Bring the database schema to this version"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "up", Short: "Run the pending migrations", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return sh.schema(cmd.Context(), func(d *storage.Durable) error { return d.Migrate(cmd.Context()) })
			},
		},
		&cobra.Command{
			Use: "down", Short: "Take back the newest migration", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return sh.schema(cmd.Context(), func(d *storage.Durable) error { return d.MigrateDown(cmd.Context()) })
			},
		},
		&cobra.Command{
			Use: "status", Short: "Show the version of the schema", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return sh.schema(cmd.Context(), func(*storage.Durable) error { return nil })
			},
		},
	)
	return cmd
}

type schemaView struct {
	Current int64    `json:"current"`
	Newest  int64    `json:"newest"`
	Pending []string `json:"pending,omitempty"`
}

// schema opens the database alone, does the work and says where it stands.
func (sh *shell) schema(ctx context.Context, do func(*storage.Durable) error) error {
	c, err := sh.adminSettings()
	if err != nil {
		return err
	}
	d, err := server.OpenDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := do(d); err != nil {
		return err
	}
	var v schemaView
	if v.Current, v.Newest, v.Pending, err = d.SchemaStatus(ctx); err != nil {
		return err
	}
	return sh.show(v, func(w io.Writer) {
		fmt.Fprintf(w, "schema version %d, newest %d\n", v.Current, v.Newest)
		if len(v.Pending) > 0 {
			fmt.Fprintf(w, "pending: %s\nrun: portico migrate up\n", strings.Join(v.Pending, ", "))
		}
	})
}
