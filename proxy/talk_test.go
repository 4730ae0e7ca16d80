package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/proxy/resp"
	"steadis/sentinel/topology"
)

// realRedis runs a redis-server on a free port until the test ends.
func realRedis(t testing.TB, args ...string) (addr string) {
	t.Helper()
	addr = freeAddr(t)
	redisAt(t, addr, append([]string{"--dir", t.TempDir()}, args...)...)
	return addr
}

// freeAddr gives an address of this machine that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// redisAt runs a redis-server at addr, until the test ends or the returned function kills it.
func redisAt(t testing.TB, addr string, args ...string) (kill func()) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "",
		"--loglevel", "warning", "--enable-debug-command", "yes"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("redis-server is needed: %v", err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	for deadline := time.Now().Add(10 * time.Second); ; {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			return kill
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
		runtime.Gosched()
	}
}

// inFront serves a proxy in front of the redis-server at addr; the returned
// function moves it to another one, and returns once the data path has followed.
func inFront(t testing.TB, o proxy.Options, addr string) (front string, server *proxy.Server, publish func(topology.Phase, string)) {
	t.Helper()
	o.Board, o.MasterName = topology.NewBoard(), "mymaster"
	generation, master := uint64(0), ""
	publish = func(p topology.Phase, addr string) {
		if addr != master {
			generation, master = generation+1, addr
		}
		o.Board.Publish(topology.View{Master: addr, Epoch: generation, Generation: generation, Phase: p, Since: time.Now(), Reason: "test"})
		for deadline := time.Now().Add(10 * time.Second); server != nil; runtime.Gosched() {
			if st := server.State(); st.Generation == generation && (st.Phase == "serving") == (p == topology.Serving) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the data path does not follow: %+v", server.State())
			}
		}
	}
	publish(topology.Serving, addr)
	server, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Serve does not end")
		}
		if c := server.Status().Hold; !c.Balanced() || c.Waiting != 0 {
			t.Errorf("the hold's counters do not add up: %+v", c)
		}
	})
	return ln.Addr().String(), server, publish
}

// talk is a connection for raw bytes.
type talk struct {
	t   testing.TB
	nc  net.Conn
	odd bool // what is sent need not have replies
}

func newTalk(t testing.TB, addr string) *talk {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &talk{t: t, nc: nc}
}

// wire gives commands, as words, in RESP; a word in %q quotes may have spaces.
func wire(cmds ...string) string {
	var b strings.Builder
	for _, cmd := range cmds {
		words := strings.Fields(cmd)
		fmt.Fprintf(&b, "*%d\r\n", len(words))
		for _, w := range words {
			w = strings.ReplaceAll(w, "_", " ")
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
		}
	}
	return b.String()
}

func (k *talk) send(raw string) {
	k.t.Helper()
	if _, err := io.WriteString(k.nc, raw); err != nil {
		k.t.Logf("write: %v", err)
	}
}

// take reads n bytes, or less if no more come within d; closed says that the
// connection has ended.
func (k *talk) take(n int, d time.Duration) (got []byte, closed bool) {
	buf := make([]byte, 64<<10)
	for len(got) < n {
		k.nc.SetReadDeadline(time.Now().Add(d))
		m, err := k.nc.Read(buf[:min(len(buf), n-len(got))])
		got = append(got, buf[:m]...)
		if err != nil {
			return got, !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
	return got, false
}

// answerFor is for how long a talk waits for a reply that may not come.
const answerFor = time.Second

// ask sends commands and reads a reply to each, if all come within answerFor, and what else comes
// until nothing has come for a while.
func (k *talk) ask(cmds ...string) string {
	k.t.Helper()
	k.send(wire(cmds...))
	got, closed := k.hear(len(cmds), answerFor, 60*time.Millisecond)
	if closed {
		return string(got) + "<closed>"
	}
	return string(got)
}

// hear reads n replies or more, and what else comes until nothing has come for pause; after
// limit it waits for no more replies. closed says that the connection has ended.
func (k *talk) hear(n int, limit, pause time.Duration) (got []byte, closed bool) {
	buf := make([]byte, 64<<10)
	for end := time.Now().Add(limit); ; {
		wait := pause
		if replies(got) < n {
			wait = max(pause, time.Until(end))
		}
		k.nc.SetReadDeadline(time.Now().Add(wait))
		m, err := k.nc.Read(buf)
		got = append(got, buf[:m]...)
		if err != nil {
			return got, !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// want asks and compares the reply's beginning, however long that takes to come.
func (k *talk) want(cmd, want string) {
	k.t.Helper()
	k.send(wire(cmd))
	got, _ := k.take(len(want), 10*time.Second)
	if string(got) != want {
		k.t.Errorf("%s: got %q, want %q", cmd, got, want)
	}
	k.take(1<<30, 60*time.Millisecond)
}

// flushed empties servers. It returns once they have answered, however busy the
// machine is.
func flushed(t testing.TB, addrs ...string) {
	t.Helper()
	for _, addr := range addrs {
		k := newTalk(t, addr)
		k.send(wire("FLUSHALL", "SCRIPT FLUSH"))
		if got, _ := k.take(len("+OK\r\n+OK\r\n"), 10*time.Second); string(got) != "+OK\r\n+OK\r\n" {
			t.Fatalf("FLUSHALL at %s: %q", addr, got)
		}
		k.nc.Close()
	}
}

// replies counts the replies, and pushes, that got has whole.
func replies(got []byte) (n int) {
	var scanner resp.Scanner
	for {
		k, whole, err := scanner.Scan(got)
		if err != nil || !whole {
			return n
		}
		got = got[k:]
		n++
	}
}

// settle reads the replies to a chunk: one for each command or more, and whatever
// else comes at once; all that comes in a while if the chunk is odd.
func (k *talk) settle(chunk string) (got []byte, closed bool) {
	if k.odd {
		return k.hear(0, 0, quiet)
	}
	return k.hear(len(header.FindAllString(chunk, -1)), 3*time.Second, quiet/5)
}

// compare sends each chunk to Redis directly and through steadis and compares
// what comes back and whether the connection is closed.
func compare(t *testing.T, direct, front *talk, chunks []string) bool {
	t.Helper()
	for i, chunk := range chunks {
		direct.send(chunk)
		front.send(chunk)
		want, wantClosed := direct.settle(chunk)
		got, gotClosed := front.settle(chunk)
		if !bytes.Equal(got, want) || gotClosed != wantClosed {
			t.Errorf("chunk %d %q:\n direct  %q closed=%v\n steadis %q closed=%v", i, clip(chunk), clip(string(want)), wantClosed, clip(string(got)), gotClosed)
			return false
		}
		if wantClosed {
			return true
		}
	}
	return true
}

func clip(s string) string {
	if len(s) > 600 {
		return s[:300] + "..." + s[len(s)-300:]
	}
	return s
}

func heapAfterGC() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
