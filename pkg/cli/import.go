package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/intake"
	"github.com/portico-id/portico/pkg/server"
)

// importReport is what an import says at its end.
type importReport struct {
	DryRun   bool            `json:"dry_run"`
	Read     int             `json:"read"`
	Imported int             `json:"imported"`
	Existing int             `json:"existing"`
	Refused  []importRefused `json:"refused"`
	// WithoutPassword of those imported must have theirs reset, and
	// SecondFactor had one that stays behind.
	WithoutPassword int `json:"without_password"`
	SecondFactor    int `json:"second_factor"`
}

type importRefused struct {
	At     string `json:"at"`
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason"`
}

func (r importRefused) String() string {
	if r.Name == "" {
		return r.At + ": " + r.Reason
	}
	return r.At + ", " + r.Name + ": " + r.Reason
}

func (sh *shell) userImport() *cobra.Command {
	var (
		format string
		opts   server.ImportOptions
	)
	names := make([]string, 0, len(intake.Formats()))
	for _, f := range intake.Formats() {
		names = append(names, string(f))
	}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import people and their password hashes from another server", Args: oneArg("the file, or - for standard input"),
		Long: "Reads an export one record after the other and makes the people in it. Who exists already is left alone, so an import may be repeated.\n" +
			"A record that cannot be taken over is reported and the next one is read. Passwords keep working; they are hashed anew at the next sign-in.",
		Example: "  portico user import --format keycloak --dry-run realm-export.json\n  zcat users.ndjson.gz | portico user import --format auth0 -",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(names, format) {
				return usageError{fmt.Errorf("--format is %q; want one of %s", format, strings.Join(names, ", "))}
			}
			in, err := sh.readFrom(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }()
			return sh.with(cmd.Context(), func(s *server.Server) error {
				return sh.runImport(cmd.Context(), s, in, intake.Format(format), opts)
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&format, "format", "", "whose export it is: "+strings.Join(names, ", "))
	fl.BoolVar(&opts.DryRun, "dry-run", false, "say what would happen, and change nothing")
	fl.BoolVar(&opts.Roles, "roles", false, "take over roles too; Portico's own are never")
	_ = cmd.MarkFlagRequired("format")
	return cmd
}

// readFrom opens a file, or standard input.
func (sh *shell) readFrom(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(sh.Stdin), nil
	}
	return os.Open(name) //nolint:gosec // the operator names the file
}

// runImport goes on after a bad record; it ends when the file cannot be read
// on, when the stores are down, or when it is interrupted, and says in any
// case how far it came.
func (sh *shell) runImport(ctx context.Context, s *server.Server, in io.Reader, format intake.Format, opts server.ImportOptions) error {
	report := importReport{DryRun: opts.DryRun, Refused: []importRefused{}}
	progress := sh.progress()
	var broken error
	for rec, err := range intake.Read(in, format) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			broken = err
			break
		}
		report.Read++
		existed, err := s.ImportUser(ctx, rec, opts)
		switch {
		case fault.Is(err, fault.Invalid):
			refused := importRefused{At: rec.At, Name: rec.Name, Reason: reason(err)}
			report.Refused = append(report.Refused, refused)
			progress.clear()
			fmt.Fprintln(sh.Stderr, "refused:", refused)
		case err != nil:
			broken = fmt.Errorf("%s: %w", rec.At, err)
		case existed:
			report.Existing++
		default:
			report.count(rec)
		}
		if broken != nil {
			break
		}
		progress.show(report.Read)
	}
	progress.clear()
	if err := sh.show(report, report.print); err != nil {
		return err
	}
	if broken == nil && len(report.Refused) > 0 {
		return fmt.Errorf("%d of %d records were refused", len(report.Refused), report.Read)
	}
	return broken
}

func (r *importReport) count(rec intake.Record) {
	r.Imported++
	if rec.Hash == "" {
		r.WithoutPassword++
	}
	if rec.SecondFactor {
		r.SecondFactor++
	}
}

// reason says why a record was refused: what the reader found, else what the
// field or the hash breaks.
func reason(err error) string {
	f := fault.As(err)
	if f.Code == "record_refused" && f.Cause != nil {
		return f.Cause.Error()
	}
	return f.Say
}

func (r importReport) print(w io.Writer) {
	did := "imported"
	if r.DryRun {
		did = "would import"
	}
	fmt.Fprintf(w, "read: %d\n%s: %d\nexisting: %d\nrefused: %d\n", r.Read, did, r.Imported, r.Existing, len(r.Refused))
	if r.WithoutPassword > 0 {
		fmt.Fprintf(w, "without a password: %d (they set one by \"Forgot password?\")\n", r.WithoutPassword)
	}
	if r.SecondFactor > 0 {
		fmt.Fprintf(w, "with a second factor that stays behind: %d\n", r.SecondFactor)
	}
}

// progress counts on a terminal and is silent elsewhere.
type progress struct{ w io.Writer }

const progressEvery = 50

func (sh *shell) progress() progress {
	if f, ok := sh.Stderr.(*os.File); ok && sh.output == "text" {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return progress{f}
		}
	}
	return progress{}
}

func (p progress) show(n int) {
	if p.w != nil && n%progressEvery == 0 {
		fmt.Fprintf(p.w, "\r%d read", n)
	}
}

func (p progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
