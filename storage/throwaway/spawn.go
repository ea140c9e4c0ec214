//go:build unix

package throwaway

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// child is one server process.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and was reaped
}

// spawn starts a server with its output in the file log, as cred when that is
// not nil, in a process group of its own.
//
// The goroutine that starts it keeps its thread for the life of the server:
// the kernel's parent-death signal fires when the starting thread ends, not
// when the process does.
func spawn(cmd *exec.Cmd, cred *syscall.Credential, log string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the child has its own copy
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir = "/" // never inside a folder that the server's user cannot enter
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: cred}
	dieWithParent(cmd.SysProcAttr)

	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how a throwaway server ended does not matter
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// ended reports whether the process is gone.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop sends sig and waits for the end; after the usual limit it kills.
func (c *child) stop(sig syscall.Signal) {
	ctx, cancel := within(startLimit)
	defer cancel()
	_ = c.cmd.Process.Signal(sig) // an ended process is what we want
	select {
	case <-c.done:
	case <-ctx.Done():
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}
