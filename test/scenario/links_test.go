package scenario

import (
	"context"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
)

// lateEnd is a connection whose reader hears of Close a second late, as a
// goroutine does that does not get to run.
type lateEnd struct{ net.Conn }

func (c lateEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		time.Sleep(time.Second)
	}
	return n, err
}

// TestWatchedExecDoesNotRunOnANewConnection: whoever is first, the news that the
// watching connection is gone or the new connection, EXEC must answer nil.
func TestWatchedExecDoesNotRunOnANewConnection(t *testing.T) {
	late := func(d dialFunc) dialFunc {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := d(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return lateEnd{nc}, nil
		}
	}
	inDialledWorld(t, proxy.Options{}, late, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		c.send("WATCH k", "GET k")
		c.want("OK", "nil")
		w.holding()
		c.send("MULTI", "SET k mine", "EXEC")
		w.b.BecomeMaster()
		w.b.On(nil)
		w.serve(w.b)
		c.want("OK", "QUEUED", "nil")
		if got := w.b.Value("k"); got != "" {
			t.Errorf("EXEC ran without its WATCH: k=%q", got)
		}
	})
}

// TestPinnedIdentityRefusedByTheNewMasterDoesNotKillTheProcess: ACLs are not
// replicated, so a new master may refuse a user who is in the midst of a WATCH.
// It runs in a process of its own because the fault ends it.
func TestPinnedIdentityRefusedByTheNewMasterDoesNotKillTheProcess(t *testing.T) {
	const key = "TEST_REVIEW_CHILD"
	if os.Getenv(key) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), key+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			text := string(out)
			t.Fatalf("%v\n%s", err, text[:min(len(text), 1500)])
		}
		return
	}
	debug.SetMaxStack(8 << 20)
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.a.Require("alice", "secret")
		w.b.Require("bob", "other")
		w.serve(w.a)
		c := w.connect()
		c.send("AUTH alice secret", "WATCH k")
		c.want("OK", "OK")
		w.holding()
		c.send("GET k")
		w.promote()
		w.serve(w.b)
		c.want("WRONGPASS ...")
		c.send("GET k")
		if got := c.reply(); got == "" {
			t.Error("no reply")
		}
	})
}

// TestIdleLinkThatLostItsConnectionLongAgoStillWaits is promise P2: the first
// dial that fails must not use up a hold time that began when an idle connection
// was closed.
func TestIdleLinkThatLostItsConnectionLongAgoStillWaits(t *testing.T) {
	var (
		fail atomic.Bool
		last atomic.Pointer[net.Conn]
	)
	flaky := func(d dialFunc) dialFunc {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			if fail.CompareAndSwap(true, false) {
				return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
			}
			nc, err := d(ctx, network, addr)
			last.Store(&nc)
			return nc, err
		}
	}
	inDialledWorld(t, proxy.Options{Hold: 10 * time.Second}, flaky, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		(*last.Load()).Close() // as Redis' own timeout closes what is idle
		time.Sleep(time.Minute)
		fail.Store(true)
		c.send("GET k")
		c.want("nil")
	})
}

// TestLateLinkErrorNamesARealTime: the outage reply of a link that cannot connect
// while the gate is open.
func TestLateLinkErrorNamesARealTime(t *testing.T) {
	var on atomic.Bool
	flaky := func(d dialFunc) dialFunc {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			if on.Load() {
				return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
			}
			return d(ctx, network, addr)
		}
	}
	inDialledWorld(t, proxy.Options{Hold: 10 * time.Second}, flaky, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		on.Store(true)
		c.send("GET k")
		if got := c.reply(); strings.Contains(got, "since 9223372036 s") || strings.Contains(got, "()") {
			t.Errorf("the client is told %q", got)
		}
		on.Store(false)
	})
}

// blackhole is a connection that can go deaf and dumb without an error.
type blackhole struct {
	net.Conn
	hole *atomic.Bool
}

func (c blackhole) Write(p []byte) (int, error) {
	if c.hole.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// TestOneDeadUpstreamConnectionIsNoticed: design.md: "heartbeat every upstream
// connection that has waited too long for a reply". One flow is lost by a
// firewall, the pilot's lives.
func TestOneDeadUpstreamConnectionIsNoticed(t *testing.T) {
	var (
		dials atomic.Int32
		hole  atomic.Bool
	)
	second := func(d dialFunc) dialFunc {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := d(ctx, network, addr)
			if n := dials.Add(1); err == nil && n == 2 { // the first is the pilot's
				return blackhole{nc, &hole}, nil
			}
			return nc, err
		}
	}
	inDialledWorld(t, proxy.Options{}, second, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		hole.Store(true)
		c.send("GET k")
		time.Sleep(40 * time.Second)
		c.nc.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.br.Peek(1); err != nil && isTimeout(err) {
			t.Error("a GET on a dead upstream connection has no reply after 40 s")
		}
	})
}

// TestDialIntoTheVoidDelaysNothing: while the conductor dials a master that accepts
// and never answers, another master is announced, or the hold time ends.
func TestDialIntoTheVoidDelaysNothing(t *testing.T) {
	o := proxy.Options{Hold: 5 * time.Second, Upstream: proxy.UpstreamOptions{DialTimeout: 4 * time.Second}}
	inWorld(t, o, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.Freeze()
		w.a.Disconnect()
		synctest.Wait()
		began := time.Now()
		c.send("GET k")
		time.Sleep(2 * time.Second)
		w.promote()
		w.serve(w.b)
		c.want("nil")
		if d := time.Since(began); d > 2100*time.Millisecond {
			t.Errorf("moved after %v, the other master was there after 2s", d)
		}
	})
	inWorld(t, o, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.Freeze()
		w.a.Disconnect()
		synctest.Wait()
		began := time.Now()
		c.send("GET k")
		c.want("LOADING ...")
		if d := time.Since(began); d > 5100*time.Millisecond {
			t.Errorf("refused after %v, want 5s", d)
		}
		w.a.Thaw()
		time.Sleep(5 * time.Second)
		c.send("GET k")
		c.want("nil")
	})
}
