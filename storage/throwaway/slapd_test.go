//go:build unix

package throwaway

import (
	"os/exec"
	"strings"
	"testing"
)

// search asks a directory as its administrator.
func search(t *testing.T, s *SlapdServer, filter string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ldapsearch", "-x", "-LLL", "-H", s.URL(), "-D", SlapdAdmin, "-w", SlapdPassword,
		"-b", SlapdBase, filter, "*", "memberOf").CombinedOutput()
	if err != nil {
		return "error: " + err.Error() + string(out)
	}
	return string(out)
}

func TestSlapdKeepsWhatItWasTold(t *testing.T) {
	a, b := Slapd(t), Slapd(t)
	a.Change("dn: uid=ann," + SlapdBase + "\nchangetype: add\nobjectClass: inetOrgPerson\nuid: ann\ncn: Ann\nsn: A\n\n" +
		"dn: cn=staff," + SlapdBase + "\nchangetype: add\nobjectClass: groupOfNames\nmember: uid=ann," + SlapdBase + "\n")
	want := "memberOf: cn=staff," + SlapdBase
	if got := search(t, a, "(uid=ann)"); !strings.Contains(got, want) {
		t.Errorf("a person of a group: %q, want %q", got, want)
	}
	if got := search(t, b, "(uid=ann)"); strings.Contains(got, "ann") {
		t.Errorf("another server knows %q", got)
	}
	a.Kill()
	a.Kill() // harmless
	if got := search(t, a, "(uid=ann)"); !strings.Contains(got, "error") {
		t.Errorf("a killed server answered %q", got)
	}
	a.Start()
	a.Start() // harmless
	if got := search(t, a, "(uid=ann)"); !strings.Contains(got, want) {
		t.Errorf("after a start: %q, want %q", got, want)
	}
	if !strings.Contains(a.Said(), "SRCH base=") || strings.Contains(a.Said(), SlapdPassword) {
		t.Error("the log lacks a search, or holds a password")
	}
}
