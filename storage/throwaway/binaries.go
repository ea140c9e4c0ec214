//go:build unix

package throwaway

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
)

// The folders of the binaries can be named by variable, for instance to run
// the tests against another version of Postgres.
const (
	postgresVariable = "PORTICO_TEST_POSTGRES_BIN"
	redisVariable    = "PORTICO_TEST_REDIS_BIN"
)

// Where packages put what they keep out of PATH: Debian and Ubuntu, Red Hat,
// Homebrew, MacPorts and FreeBSD.
var (
	postgresFolders = []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/opt/local/lib/postgresql*/bin",
		"/usr/local/bin",
	}
	redisFolders = []string{"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"}
)

// find returns the folder that holds all the names: the one that the variable
// says, else the first on PATH, else the newest of the usual folders.
func find(variable string, folders []string, names ...string) (string, error) {
	if dir := os.Getenv(variable); dir != "" {
		if missing := missingIn(dir, names); missing != "" {
			return "", fmt.Errorf("%s=%s holds no %s", variable, dir, missing)
		}
		return dir, nil
	}
	for _, dir := range candidates(folders, names[0]) {
		if missingIn(dir, names) == "" {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", names[0])
}

// candidates lists folders in the order in which they are preferred.
func candidates(folders []string, name string) []string {
	var dirs []string
	if path, err := exec.LookPath(name); err == nil {
		// A link in /usr/local/bin is followed, because its
		// neighbours are with the real file.
		dirs = append(dirs, filepath.Dir(path))
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range folders {
		found, _ := filepath.Glob(pattern) // a constant pattern is well formed
		sort.Slice(found, func(i, j int) bool { return version(found[i]) > version(found[j]) })
		dirs = append(dirs, found...)
	}
	return dirs
}

// version returns the first number in a path, so that 15 sorts above 9.
func version(path string) int {
	start := -1
	for i, c := range path {
		digit := c >= '0' && c <= '9'
		if start < 0 && digit {
			start = i
		} else if start >= 0 && !digit {
			path = path[:i]
			break
		}
	}
	if start < 0 {
		return 0
	}
	n, err := strconv.Atoi(path[start:])
	if err != nil {
		return 0 // more digits than a version has
	}
	return n
}

// missingIn returns the first of names that dir does not hold as a program.
func missingIn(dir string, names []string) string {
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return name
		}
	}
	return ""
}

// unprivileged returns the user to run Postgres as, because it refuses root:
// nobody special when we are not root, else "postgres", else "nobody".
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil || uid == 0 {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("Postgres refuses to run as root, and this machine has neither a postgres nor a nobody user")
}
