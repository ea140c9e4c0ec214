//go:build unix

package throwaway

import (
	"io"
	"os/exec"
	"syscall"
)

// guardScript waits for its standard input to end, which happens when the
// test process releases it or dies by whatever cause. Then it stops the
// servers whose process id files are left below the folder and removes it.
// SIGQUIT is Postgres's immediate shutdown; Redis and slapd die of it as well. What
// still holds its file after five seconds is killed.
const guardScript = `
read -r _ || :
each() { for f in "$1"/*/postmaster.pid "$1"/*/redis.pid "$1"/*/slapd.pid; do
	[ -s "$f" ] && read -r pid <"$f" && kill -s "$2" "$pid" 2>/dev/null && left=1
done; }
for sig in QUIT 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 KILL; do
	left=; each "$1" $sig
	[ -n "$left" ] || break
	sleep 0.2
done
rm -rf "$1"
`

// guard is a shell that outlives this process just long enough to clean up
// after it. The kernel closes our end of its pipe even after SIGKILL.
type guard struct {
	cmd  *exec.Cmd
	hold io.Closer
}

// newGuard starts a guard over root. It runs in a session of its own, so that
// an interrupt typed at the terminal ends the tests and not the guard.
func newGuard(root string) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript, "portico-guard", root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir = "/"
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{cmd: cmd, hold: hold}, nil
}

// release lets the guard do its work now, and waits for it.
func (g *guard) release() {
	_ = g.hold.Close()
	_ = g.cmd.Wait() // its exit status tells nothing we could act on
}
