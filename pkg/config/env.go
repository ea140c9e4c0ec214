package config

import (
	"fmt"
	"os"
	"strings"
)

// environment is what PORTICO_* variables say.
type environment struct {
	file   string // PORTICO_CONFIG
	values map[string]any
	names  map[string]string // the variable that a value came from
}

// otherVariables are PORTICO_* names that are no settings.
var otherVariables = map[string]bool{"CONFIG": true}

// readEnv reads PORTICO_* variables. An unknown one is refused: a misspelt
// switch that silently does nothing is how servers end up open. Names that
// begin with PORTICO_TEST_ belong to the tests.
func readEnv(environ []string) (environment, []error) {
	env := environment{values: map[string]any{}, names: map[string]string{}}
	var problems []error
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok || strings.HasPrefix(rest, "TEST_") {
			continue
		}
		if rest == "CONFIG" {
			env.file = value
		}
		if otherVariables[rest] || value == "" {
			continue
		}
		key := strings.ToLower(rest)
		if _, ok := fieldByKey(key); ok {
			if err := env.set(key, value, name); err != nil {
				problems = append(problems, err)
			}
			continue
		}
		if err := env.setFromFile(key, value, name); err != nil {
			problems = append(problems, err)
		}
	}
	return env, problems
}

func (e *environment) set(key, value, name string) error {
	if earlier, twice := e.names[key]; twice && earlier == name {
		return fmt.Errorf("%s is set twice; keep one", name)
	} else if twice {
		return fmt.Errorf("%s and %s are both set; keep one", earlier, name)
	}
	e.values[key], e.names[key] = value, name
	return nil
}

// setFromFile takes the secret settings whose variable ends with _FILE.
func (e *environment) setFromFile(key, path, name string) error {
	secretKey, isFile := strings.CutSuffix(key, "_file")
	f, known := fieldByKey(secretKey)
	if !isFile || !known {
		return fmt.Errorf("%s: unknown setting%s", name, didYouMean(key))
	}
	if !f.secret {
		return fmt.Errorf("%s: only secrets are read from files; set %s", name, f.env())
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("%s: the file cannot be read; check that it exists and who may read it", name)
	}
	return e.set(secretKey, strings.TrimSpace(string(raw)), name)
}

// didYouMean suggests the closest key, or says where all of them stand.
func didYouMean(key string) string {
	best, distance := "", 4
	for _, f := range fields() {
		if d := editDistance(key, f.key); d < distance {
			best, distance = f.key, d
		}
	}
	if best == "" {
		return "; docs/config.md lists every key"
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is the Levenshtein distance of two short texts.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
