//go:build unix

package throwaway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program makes empty programs in a folder.
func program(t *testing.T, dir string, names ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindPrefersVariableThenPathThenNewestFolder(t *testing.T) {
	base := t.TempDir()
	old := program(t, filepath.Join(base, "pg/9/bin"), "initdb", "postgres")
	recent := program(t, filepath.Join(base, "pg/15/bin"), "initdb", "postgres")
	program(t, filepath.Join(base, "pg/17/bin"), "initdb") // half removed
	onPath := program(t, filepath.Join(base, "path"), "initdb", "postgres")
	usual := []string{filepath.Join(base, "pg/*/bin")}
	const variable = "PORTICO_TEST_FIND"

	linked := filepath.Join(base, "linked")
	if err := os.Mkdir(linked, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(old, "initdb"), filepath.Join(linked, "initdb")); err != nil {
		t.Fatal(err)
	}

	tests := map[string]struct{ variable, path, want string }{
		"nothing said":                    {"", "", recent},
		"path":                            {"", onPath, onPath},
		"link on path leads to the rest":  {"", linked, old},
		"variable wins over path":         {old, onPath, old},
		"path without the other programs": {"", filepath.Join(base, "pg/17/bin"), recent},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(variable, tt.variable)
			t.Setenv("PATH", tt.path)
			got, err := find(variable, usual, "initdb", "postgres")
			if err != nil || got != tt.want {
				t.Errorf("find = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestFindRefuses(t *testing.T) {
	base := t.TempDir()
	half := program(t, filepath.Join(base, "half"), "initdb")
	if err := os.WriteFile(filepath.Join(base, "postgres"), nil, 0o600); err != nil { // not a program
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(base, "initdb"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ variable, path, want string }{
		"nothing anywhere":                  {"", "", "not installed"},
		"variable names a half":             {half, "", "holds no postgres"},
		"variable names nothing":            {filepath.Join(base, "absent"), "", "holds no initdb"},
		"folders and plain files in a path": {"", base, "not installed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PORTICO_TEST_FIND", tt.variable)
			t.Setenv("PATH", tt.path)
			got, err := find("PORTICO_TEST_FIND", nil, "initdb", "postgres")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("find = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestAbsentServersSayWhatToInstall(t *testing.T) {
	t.Setenv(postgresVariable, t.TempDir())
	t.Setenv(redisVariable, t.TempDir())
	_, pg := makePostgres(PGOptions{})
	_, redis := makeRedis(RedisOptions{})
	for want, err := range map[string]error{"apt-get install postgresql": pg, "apt-get install redis-server": redis} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, want)
		}
	}
}

func TestVersionSortsNumbers(t *testing.T) {
	for path, want := range map[string]int{
		"/usr/lib/postgresql/9/bin": 9, "/usr/lib/postgresql/15/bin": 15, "/usr/pgsql-17/bin": 17, "/usr/bin": 0, "": 0,
		"/x/99999999999999999999/bin": 0,
	} {
		if got := version(path); got != want {
			t.Errorf("version(%q) = %d, want %d", path, got, want)
		}
	}
}
