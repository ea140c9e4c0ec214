//go:build unix

package throwaway

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// playVictim starts a server of each kind, tells the test where, and dies as told
// without any clean-up of its own.
func playVictim(how string) {
	pg, err := process.shared.get()
	if err != nil {
		panic(err)
	}
	redis, err := makeRedis(RedisOptions{})
	if err != nil {
		panic(err)
	}
	slapd, err := makeSlapd()
	if err != nil {
		panic(err)
	}
	fmt.Println(process.root, fmt.Sprintf("127.0.0.1:%d", pg.port), redis.Addr(), strings.TrimPrefix(slapd.URL(), "ldap://"))
	switch how {
	case "panic":
		go panic("a test went wrong")
		select {}
	case "exit":
		os.Exit(0)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "kill guard":
		// As by an out-of-memory killer that picks both.
		_ = process.guard.cmd.Process.Kill()
		_ = process.guard.cmd.Wait()
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func TestNothingOutlivesTheProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"panic", "exit", "kill", "kill guard"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), probe+"="+how)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatalf("the victim said nothing: %v", err)
			}
			_ = cmd.Wait() // it dies badly on purpose
			said := strings.Fields(line)
			if len(said) != 4 {
				t.Fatalf("the victim said %q", line)
			}
			ctx, cancel := within(startLimit)
			defer cancel()
			for _, addr := range said[1:] {
				if !poll(ctx, func() bool { return !listening(addr) }) {
					t.Errorf("a server still listens on %s", addr)
				}
			}
			if how == "kill guard" {
				_ = os.RemoveAll(said[0]) // nobody was left to do it
				return
			}
			if !poll(ctx, func() bool { return !exists(said[0]) }) {
				t.Errorf("the folder %s is still there", said[0])
			}
		})
	}
}

func TestCloseStopsTheSharedServer(t *testing.T) {
	first := Postgres(t)
	root := process.root
	Close()
	Close() // harmless
	if exists(root) {
		t.Errorf("the folder %s is still there", root)
	}
	if addr := fmt.Sprintf("127.0.0.1:%d", first.server.port); listening(addr) {
		t.Errorf("a server still listens on %s", addr)
	}
	if conn := connect(t, Postgres(t).URL()); conn.Ping(t.Context()) != nil {
		t.Error("no server after Close, want a new one")
	}
}

func listening(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
