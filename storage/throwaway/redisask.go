//go:build unix

package throwaway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// ready asks the server for its process id, because somebody else's Redis on
// the port would answer too, and whether it has read its files: until then it
// refuses every command but a few.
func (s *RedisServer) ready(ctx context.Context, pid string) bool {
	answer, err := s.ask(ctx, "INFO")
	return err == nil && strings.Contains(answer, "process_id:"+pid+"\r\n") && strings.Contains(answer, "\r\nloading:0\r\n")
}

// ask sends one command in Redis's inline form and returns its answer.
func (s *RedisServer) ask(ctx context.Context, command string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	in := bufio.NewReader(conn)
	if s.opts.Password != "" {
		if _, err := say(conn, in, "AUTH "+s.opts.Password); err != nil {
			return "", err
		}
	}
	return say(conn, in, command)
}

// say sends one line on a connection and reads the answer.
func say(conn io.Writer, in *bufio.Reader, command string) (string, error) {
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch line[:min(1, len(line))] {
	case "+":
		return line[1:], nil
	case "$":
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return "", fmt.Errorf("redis answered %q", line)
		}
		text := make([]byte, n)
		_, err = io.ReadFull(in, text)
		return string(text), err
	}
	return "", fmt.Errorf("redis answered %q", line)
}
