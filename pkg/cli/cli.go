// Package cli is the portico command: it reads flags, finds the same
// configuration as the server, calls the services that the server calls, and
// prints what they say. It decides nothing by itself.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/portico-id/portico/pkg/fault"
)

// Process is what a command line runs in.
type Process struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string
}

// shell is one run of the command.
type shell struct {
	Process
	configFile string
	output     string // text or json
}

// Main runs the command line and returns the exit status: 0 when it did what
// it was asked, 1 when it could not, 2 when it was asked wrongly.
func Main(args []string, p Process) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	sh := &shell{Process: p}
	root := sh.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	sh.complain(err)
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

func (sh *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "portico",
		Short:         "OAuth 2.0 and OpenID Connect authorization server",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if sh.output != "text" && sh.output != "json" {
				return usageError{fmt.Errorf("--output is %q; want text or json", sh.output)}
			}
			return nil
		},
	}
	root.SetIn(sh.Stdin)
	root.SetOut(sh.Stdout)
	root.SetErr(sh.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&sh.configFile, "config", "", "YAML configuration `file` (or PORTICO_CONFIG)")
	root.PersistentFlags().StringVarP(&sh.output, "output", "o", "text", "text or json")
	root.AddCommand(sh.devCommand(), sh.serveCommand(), sh.migrateCommand(), sh.apiCommand(), sh.clientCommand(), sh.userCommand(),
		sh.providerCommand(), sh.keysCommand(), sh.mailCommand(), sh.explainCommand(), sh.doctorCommand(), sh.healthcheckCommand(), sh.versionCommand())
	return root
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// complain prints an error as a person should read it: one sentence each, and
// a hint where there is one.
func (sh *shell) complain(err error) {
	f, described := errors.AsType[*fault.Error](err)
	if sh.output == "json" {
		body := map[string]string{"error": "error", "message": err.Error()}
		if described {
			body["error"], body["message"] = f.Code, f.Say
			if f.Hint != "" {
				body["hint"] = f.Hint
			}
		}
		sh.printJSON(sh.Stderr, body)
		return
	}
	if !described {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(sh.Stderr, "portico:", line)
		}
		return
	}
	fmt.Fprintln(sh.Stderr, "portico:", f.Say)
	for _, v := range f.Compared {
		fmt.Fprintf(sh.Stderr, "  %s\n", compared(v))
	}
	if f.Hint != "" {
		fmt.Fprintln(sh.Stderr, "hint:", f.Hint)
	}
	if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		if f.Cause != nil {
			fmt.Fprintln(sh.Stderr, "cause:", f.Cause)
		}
	}
}

// compared writes what a rule looked at.
func compared(v fault.Value) string {
	if v.Want == "" {
		return fmt.Sprintf("%s: got %q", v.Name, v.Got)
	}
	return fmt.Sprintf("%s: got %q, want %s", v.Name, v.Got, v.Want)
}

// taken says what was there already.
func taken(err error, sentence, hint string) error {
	if fault.Is(err, fault.Conflict) {
		return fault.Hide(err, fault.Conflict, "already_exists", sentence).WithHint("%s", hint)
	}
	return err
}

// show prints v as JSON, or text when that is what was asked for.
func (sh *shell) show(v any, text func(w io.Writer)) error {
	if sh.output == "json" {
		sh.printJSON(sh.Stdout, v)
		return nil
	}
	text(sh.Stdout)
	return nil
}

func (sh *shell) printJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
