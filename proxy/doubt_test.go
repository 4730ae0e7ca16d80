package proxy_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// pidOf returns what sends signals to the redis-server at addr.
func pidOf(t testing.TB, addr string) (signal func(syscall.Signal)) {
	t.Helper()
	_, rest, _ := strings.Cut(newTalk(t, addr).ask("INFO server"), "process_id:")
	text, _, _ := strings.Cut(rest, "\r\n")
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 {
		t.Fatalf("process_id of %s: %q", addr, text)
	}
	return func(s syscall.Signal) {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingInDoubt: what only concerns the client's own connection was sent to a master that does
// not answer any more. It runs at the next one; nobody's connection is closed for it.
func TestNothingInDoubt(t *testing.T) {
	for _, tt := range []struct {
		name, before string
		cmds         []string
		reply        string
	}{
		{"CLIENT CACHING", "CLIENT TRACKING ON OPTIN", []string{"CLIENT CACHING YES", "GET k"}, ">2\r\n$10\r\ninvalidate\r\n_\r\n+OK\r\n_\r\n"},
		{"CLIENT CACHING, MULTI", "CLIENT TRACKING ON OPTIN", []string{"CLIENT CACHING YES", "MULTI", "GET k", "EXEC"},
			">2\r\n$10\r\ninvalidate\r\n_\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n_\r\n"},
		{"UNWATCH", "GET k", []string{"UNWATCH"}, "+OK\r\n"},
		{"DISCARD", "GET k", []string{"DISCARD"}, "-ERR DISCARD without MULTI\r\n"},
		{"EXEC", "GET k", []string{"EXEC"}, "-ERR EXEC without MULTI\r\n"},
		{"SELECT", "GET k", []string{"SELECT x"}, "-ERR "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := realRedis(t), realRedis(t)
			front, _, publish := inFront(t, proxy.Options{}, a)
			k := newTalk(t, front)
			k.want("HELLO 3", "%")
			k.ask(tt.before)
			signal := pidOf(t, a)
			signal(syscall.SIGSTOP)
			k.send(wire(tt.cmds...))
			if got, _ := k.take(1, quiet); len(got) > 0 {
				t.Fatalf("the master answers: %q", got)
			}
			signal(syscall.SIGKILL)
			publish(topology.Serving, b)
			if got, closed := k.take(len(tt.reply), 10*time.Second); string(got) != tt.reply {
				t.Errorf("%q: got %q, closed %v, want %q", tt.cmds, got, closed, tt.reply)
			}
		})
	}
}
