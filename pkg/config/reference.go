package config

import (
	"fmt"
	"strings"
)

//go:generate go test -run TestReferenceIsUpToDate -update .

// Reference writes docs/config.md from the fields of Config.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Defaults, then one YAML file (` + "`--config` or `PORTICO_CONFIG`" + `), then variables, then flags; the later wins. A key of the file
is the name of its variable in lower case without ` + "`PORTICO_`" + `. Lists are written as YAML lists, or comma-separated in a
variable. A setting marked *secret* may be given as a file: its variable with ` + "`_FILE`" + ` behind. Unknown keys are refused.

`)
	for _, f := range fields() {
		fmt.Fprintf(&b, "## `%s`\n\n", f.key)
		fmt.Fprintf(&b, "Variable `%s`", f.env())
		if f.secret {
			fmt.Fprintf(&b, " or `%s_FILE` (*secret*)", f.env())
		}
		if f.def != "" {
			fmt.Fprintf(&b, ", default `%s`", f.def)
		}
		fmt.Fprintf(&b, ".\n\n%s\n\n", f.doc)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
