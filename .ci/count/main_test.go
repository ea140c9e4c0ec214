package main

import (
	"bytes"
	"strings"
	"testing"
)

// one is a package with a passed test, as go test -json prints it.
const one = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"quiet\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Output":"ok p 0.1s\n"}
{"Action":"pass","Package":"p","Elapsed":0.1}
`

func TestCount(t *testing.T) {
	tests := map[string]struct {
		in     string
		strict bool
		last   string
		ok     bool
		shown  string // must be in the output
		hidden string // must not
	}{
		"passed": {in: one, last: "1 passed, 0 failed", ok: true, shown: "ok   p", hidden: "quiet"},
		"failed subtest is shown with its output": {
			in: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/b"}
{"Action":"output","Package":"p","Test":"TestA/b","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA/b"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`, last: "0 passed, 2 failed", shown: "got 1, want 2",
		},
		"nothing": {in: "", last: "0 passed, 0 failed", shown: "no test ran"},
		"package without tests only": {
			in:   `{"Action":"output","Package":"p","Output":"? p [no test files]\n"}` + "\n" + `{"Action":"skip","Package":"p"}`,
			last: "0 passed, 0 failed", shown: "no test ran",
		},
		"build failed": {
			in: one + `{"Action":"build-output","ImportPath":"q","Output":"q.go:1: no such thing\n"}
{"Action":"build-fail","ImportPath":"q"}
{"Action":"output","Package":"q","Output":"FAIL q [build failed]\n"}
{"Action":"fail","Package":"q","FailedBuild":"q"}
`, last: "1 passed, 1 failed", shown: "no such thing",
		},
		"panic cuts tests off": {
			in: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}
`, last: "0 passed, 1 failed", shown: "panic: boom",
		},
		"TestMain failed after its tests passed": {
			in: strings.Replace(one, `{"Action":"pass","Package":"p","Elapsed":0.1}`,
				`{"Action":"output","Package":"p","Output":"a leak\n"}`+"\n"+`{"Action":"fail","Package":"p"}`, 1),
			last: "1 passed, 1 failed", shown: "a leak",
		},
		"stream broke off": {in: `{"Action":"run","Package":"p","Test":"TestA"}`, last: "0 passed, 1 failed"},
		"skipped by hand":  {in: one + skipped, last: "1 passed, 0 failed", ok: true, shown: "1 skipped"},
		"skipped under CI": {in: one + skipped, strict: true, last: "1 passed, 1 failed", shown: "no database"},
		"words of the go command are passed on": {
			in: "go: no such package\n" + one, last: "1 passed, 0 failed", ok: true, shown: "go: no such package",
		},
		"a line of the test that looks like JSON": {
			in: `{"level":"info"}` + "\n" + one, last: "1 passed, 0 failed", ok: true, shown: `{"level":"info"}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := newTally(&out, tt.strict)
			if err := c.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			ok := c.finish()
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; last != tt.last || ok != tt.ok {
				t.Errorf("last line %q, ok %v; want %q, %v; all:\n%s", last, ok, tt.last, tt.ok, &out)
			}
			if !strings.Contains(out.String(), tt.shown) {
				t.Errorf("output lacks %q:\n%s", tt.shown, &out)
			}
			if tt.hidden != "" && strings.Contains(out.String(), tt.hidden) {
				t.Errorf("output shows %q:\n%s", tt.hidden, &out)
			}
		})
	}
}

const skipped = `{"Action":"run","Package":"q","Test":"TestS"}
{"Action":"output","Package":"q","Test":"TestS","Output":"no database\n"}
{"Action":"skip","Package":"q","Test":"TestS"}
{"Action":"pass","Package":"q"}
`
