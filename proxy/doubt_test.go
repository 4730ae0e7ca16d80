package proxy_test

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
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

// cutOnce is a connection that ends in the midst of a reply: behind the text at. cut is shared by
// all of them, and the first one that comes to it has it.
type cutOnce struct {
	net.Conn
	at  []byte
	cut *atomic.Bool
}

func (c *cutOnce) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if i := bytes.Index(p[:n], c.at); i >= 0 && c.cut.CompareAndSwap(true, false) {
		c.Conn.Close()
		return i + len(c.at), nil
	}
	return n, err
}

// TestHalfAnExecReply: Redis' reply to an EXEC that subscribes comes in pieces, and the client has
// some of them when the master is lost. Whatever in_doubt says, there is no reply that goes on there.
func TestHalfAnExecReply(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	for _, mode := range []proxy.InDoubt{proxy.InDoubtClose, proxy.InDoubtError, proxy.InDoubtRetry} {
		var cut atomic.Bool
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &cutOnce{Conn: nc, at: []byte("$1\r\nx\r\n:1\r\n*3\r\n$9\r\nsub"), cut: &cut}, nil
		}
		front, _, publish := inFront(t, proxy.Options{InDoubt: mode, Dial: dial}, a)
		k := newTalk(t, front)
		cut.Store(true)
		k.send(wire("MULTI", "SET k 1", "SUBSCRIBE x y", "EXEC"))
		const want = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"
		if got, _ := k.take(len(want), 10*time.Second); string(got) != want {
			t.Errorf("in_doubt %d: got %q, want %q", mode, got, want)
		}
		publish(topology.Serving, b)
		if got, closed := k.take(1, 10*time.Second); len(got) > 0 || !closed {
			t.Errorf("in_doubt %d: %q follows half a reply, closed %v", mode, got, closed)
		}
	}
}
