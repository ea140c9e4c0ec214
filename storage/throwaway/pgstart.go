//go:build unix

package throwaway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// firstStart finds the port that the server keeps for its life.
func (s *PGServer) firstStart() error {
	var err error
	for range 5 { // another process may take the port that we saw free
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.start(); err == nil || !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

var (
	errPortTaken = errors.New("the port was taken by somebody else")
	errLingering = errors.New("processes of the killed server still hold its memory")
)

// start runs the server on its data folder and waits until it says that it
// accepts connections. A running server is left alone.
func (s *PGServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return nil
	}
	ctx, cancel := within(startLimit)
	defer cancel()
	var err error
	// After SIGKILL the backends notice one after the other that their
	// parent is gone; until then a new server refuses the data folder.
	if !poll(ctx, func() bool {
		err = s.launch(ctx)
		return !errors.Is(err, errLingering)
	}) {
		return fmt.Errorf("postgres did not start again in %v: %w", startLimit, err)
	}
	return err
}

// launch makes one attempt to start.
func (s *PGServer) launch(ctx context.Context) error {
	mark := fileSize(s.log)
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), s.arguments()...)
	cmd.Env = cleanEnv()
	proc, err := spawn(cmd, s.cred, s.log)
	if err != nil {
		return err
	}
	ready := false
	poll(ctx, func() bool {
		ready = s.ready(proc.cmd.Process.Pid)
		return ready || proc.ended()
	})
	if ready {
		s.proc = proc
		return nil
	}
	proc.stop(syscall.SIGQUIT)
	said := readFrom(s.log, mark)
	switch {
	case bytes.Contains(said, []byte("could not bind")):
		return fmt.Errorf("postgres on port %d: %w", s.port, errPortTaken)
	case bytes.Contains(said, []byte("shared memory block")), bytes.Contains(said, []byte("postmaster.pid\" already exists")):
		return errLingering
	}
	return fmt.Errorf("postgres did not start: %s", tail(said))
}

// arguments are the command line. Commits stay synchronous: without them a
// killed server would forget what it had acknowledged.
func (s *PGServer) arguments() []string {
	onOff := map[bool]string{false: "off", true: "on"}[s.opts.Fsync]
	connections := s.opts.MaxConnections
	if connections == 0 {
		connections = 200
	}
	args := []string{
		"-D", s.data, "-p", strconv.Itoa(s.port), "-h", "127.0.0.1",
		"-c", "unix_socket_directories=", // a socket path has a length limit
		"-c", "fsync=" + onOff, "-c", "full_page_writes=" + onOff,
		"-c", "max_connections=" + strconv.Itoa(connections),
		"-c", "shared_buffers=64MB", "-c", "log_timezone=UTC", "-c", "timezone=UTC",
	}
	if s.opts.Cert != nil && s.opts.Key != nil {
		args = append(args, "-c", "ssl=on") // finds server.crt and server.key
	}
	for name, value := range s.opts.Settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// ready reads the last line of the process id file, which Postgres keeps for
// pg_ctl: it says "ready" once connections are accepted.
func (s *PGServer) ready(pid int) bool {
	raw, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(raw), "\n")
	return len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}
