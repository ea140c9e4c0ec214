// Command portico is an OAuth 2.0 and OpenID Connect authorization server and
// its own administration shell.
package main

import (
	"os"

	"github.com/portico-id/portico/pkg/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Process{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
	}))
}
