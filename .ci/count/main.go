// Command count reads the output of go test -json, shows what failed in full
// and what passed in one line a package, and ends with "N passed, N failed".
//
// It counts tests, subtests, examples and the seeds of fuzz targets. A package
// that fails beside its tests (it does not build, it panics, TestMain fails)
// counts as one failure. Under CI=true a skipped test is a failure: what cannot
// run there proves nothing. It exits with 1 if anything failed or nothing ran.
// An argument names a file that gets the last line as well.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	t := newTally(os.Stdout, os.Getenv("CI") == "true")
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
	ok := t.finish()
	if len(os.Args) > 1 {
		if err := os.WriteFile(os.Args[1], []byte(t.summary()+"\n"), 0o644); err != nil { //nolint:gosec // not a secret
			fmt.Fprintln(os.Stderr, "count:", err)
			ok = false
		}
	}
	if !ok {
		os.Exit(1)
	}
}

// event is one line of go test -json; see go doc cmd/test2json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
	Elapsed    float64
}

// result is what is known of one package.
type result struct {
	output  map[string]*bytes.Buffer // by test; "" is the package's own
	running map[string]bool          // tests that have not ended
	passed  int
	failed  int
	skipped int
}

type tally struct {
	out     io.Writer
	strict  bool // a skipped test has failed
	results map[string]*result
	builds  map[string]*bytes.Buffer // compiler output by import path

	passed, failed, skipped int
}

func newTally(out io.Writer, strict bool) *tally {
	return &tally{out: out, strict: strict, results: map[string]*result{}, builds: map[string]*bytes.Buffer{}}
}

// read takes events to the end of in. Lines that are no events are passed on:
// the go command prints some of its own errors that way.
func (t *tally) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprintf(t.out, "%s\n", bytes.TrimRight(line, "\n"))
			} else {
				t.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) take(e event) {
	if strings.HasPrefix(e.Action, "build-") {
		t.build(e)
		return
	}
	r := t.results[e.Package]
	if r == nil {
		r = &result{output: map[string]*bytes.Buffer{}, running: map[string]bool{}}
		t.results[e.Package] = r
	}
	if e.Test == "" && e.Action != "output" {
		t.packageEnds(e, r)
		return
	}
	switch e.Action {
	case "run":
		r.running[e.Test] = true
	case "output":
		if r.output[e.Test] == nil {
			r.output[e.Test] = &bytes.Buffer{}
		}
		r.output[e.Test].WriteString(e.Output)
	case "pass":
		r.passed++
	case "fail":
		t.fail(r, e.Package, e.Test, "failed")
	case "skip":
		if t.strict {
			t.fail(r, e.Package, e.Test, "was skipped, which is a failure under CI=true")
		} else {
			r.skipped++
		}
	default:
		return
	}
	if e.Action != "run" && e.Action != "output" {
		delete(r.running, e.Test)
		delete(r.output, e.Test)
	}
}

// build keeps what the compiler says and shows it when the build has failed.
func (t *tally) build(e event) {
	if t.builds[e.ImportPath] == nil {
		t.builds[e.ImportPath] = &bytes.Buffer{}
	}
	t.builds[e.ImportPath].WriteString(e.Output)
	if e.Action == "build-fail" {
		fmt.Fprintf(t.out, "--- %s does not build\n%s", e.ImportPath, t.builds[e.ImportPath])
	}
}

// fail counts one failure and shows all that the test has said.
func (t *tally) fail(r *result, pkg, test, how string) {
	r.failed++
	fmt.Fprintf(t.out, "--- %s %s %s\n", pkg, test, how)
	if out := r.output[test]; out != nil {
		fmt.Fprintf(t.out, "%s", out)
	}
}

// packageEnds adds a package up and writes its line.
func (t *tally) packageEnds(e event, r *result) {
	switch e.Action {
	case "pass", "skip": // skip: no test files
	case "fail":
		for test := range r.running { // cut off by a panic, an exit or the time limit
			t.fail(r, e.Package, test, "did not end")
		}
		if r.failed == 0 {
			t.fail(r, e.Package, "", "failed")
		} else if out := r.output[""]; out != nil && bytes.Contains(out.Bytes(), []byte("panic: ")) {
			fmt.Fprintf(t.out, "%s", out)
		}
	default:
		return
	}
	delete(t.results, e.Package)
	t.passed, t.failed, t.skipped = t.passed+r.passed, t.failed+r.failed, t.skipped+r.skipped
	if r.passed+r.failed+r.skipped > 0 {
		word := map[bool]string{true: "ok  ", false: "FAIL"}[r.failed == 0]
		fmt.Fprintf(t.out, "%s %s %.1fs, %d passed, %d failed\n", word, e.Package, e.Elapsed, r.passed, r.failed)
	}
}

// finish writes the closing lines and reports whether all is well.
func (t *tally) finish() bool {
	for pkg, r := range t.results { // the stream broke off
		t.fail(r, pkg, "", "did not end")
		t.passed, t.failed = t.passed+r.passed, t.failed+r.failed
	}
	if t.skipped > 0 {
		fmt.Fprintf(t.out, "%d skipped, which would fail under CI=true\n", t.skipped)
	}
	if t.passed+t.failed == 0 {
		fmt.Fprintln(t.out, "no test ran")
	}
	fmt.Fprintln(t.out, t.summary())
	return t.failed == 0 && t.passed > 0
}

func (t *tally) summary() string { return fmt.Sprintf("%d passed, %d failed", t.passed, t.failed) }
