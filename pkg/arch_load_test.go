package pkg_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// load reads the imports of every package below root. It parses files instead
// of asking the go command, so that files for other systems count as well and
// a package that does not compile is still judged.
func load(t *testing.T, root string) []unit {
	t.Helper()
	units := map[string]*unit{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || foreign(file)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		if units[dir] == nil {
			units[dir] = &unit{path: dir}
		}
		return units[dir].add(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []unit
	for _, u := range units {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b unit) int { return strings.Compare(a.path, b.path) })
	return all
}

// foreign reports whether a folder is a module of its own, such as an example.
func foreign(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// add takes the imports and the package comment of one file into u.
func (u *unit) add(file string) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	test := strings.HasSuffix(file, "_test.go")
	if !test {
		u.code = true
		u.doc = u.doc || f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != ""
	}
	for _, spec := range f.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		to = path.Clean(strings.TrimPrefix(to, module))
		if test {
			u.tests = append(u.tests, to)
		} else {
			u.imports = append(u.imports, to)
		}
	}
	return nil
}
