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
	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// The tests of this file were written to break the data path; each is named for
// what it shows when it fails.

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// inDialledWorld is inWorld with a dial of the test's own.
func inDialledWorld(t *testing.T, o proxy.Options, wrap func(dialFunc) dialFunc, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := fake.NewNetwork()
		w := &world{t: t, net: n, board: topology.NewBoard(), served: make(chan error, 1)}
		w.a, w.b = fake.StartRedis(n.MustListen("10.0.0.1:6379")), fake.StartRedis(n.MustListen("10.0.0.2:6379"))
		w.b.BecomeReplica("10.0.0.1:6379")
		w.a.Replicas(w.b)
		o.Board, o.Dial, o.MasterName = w.board, wrap(n.Dial), "mymaster"
		var err error
		if w.proxy, err = proxy.New(o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w.stop = cancel
		ln := n.MustListen(front)
		go func() { w.served <- w.proxy.Serve(ctx, ln) }()
		synctest.Wait()
		defer w.shutdown()
		f(t, w)
	})
}

// failover holds, makes b the master and serves it.
func (w *world) failover() {
	w.holding()
	w.promote()
	w.serve(w.b)
}

// TestGroupRepliesAreNotDoubledAfterREADONLY: a whole transaction that a demoted
// master refused halfway is sent again; the client must get one reply a command.
func TestGroupRepliesAreNotDoubledAfterREADONLY(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.BecomeReplica(w.b.Addr())
		w.b.BecomeMaster()
		c.send("MULTI", "RPUSH l 1", "EXEC", "GET k")
		c.silent()
		w.serve(w.b)
		c.want("OK", "QUEUED", "[1]", "nil")
	})
}

// TestGroupRepliesAreNotDoubledAfterACut: the same, for a read-only transaction
// whose connection was cut between two of its replies.
func TestGroupRepliesAreNotDoubledAfterACut(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.On(func(call fake.Call) string {
			if call.Args[0] == "EXEC" {
				return fake.CloseNow
			}
			time.Sleep(time.Millisecond) // replies go out one by one
			return ""
		})
		c.send("MULTI", "GET k", "EXEC", "GET k")
		time.Sleep(10 * time.Millisecond)
		w.a.On(nil)
		time.Sleep(time.Second)
		c.want("OK", "QUEUED", "[nil]", "nil")
	})
}

// TestNothingIsPoppedForAClientThatHungUpBehindAReply is promise P7: the blocking
// command had not been sent when its client went away.
func TestNothingIsPoppedForAClientThatHungUpBehindAReply(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.warm(), w.warm()
		d.send("RPUSH p 1", "BLPOP p 0") // leaves an idle connection for blocking commands
		d.want("1", "[p 1]")
		w.a.HoldReplies()
		c.send("GET k", "BLPOP q 0")
		c.nc.Close()
		synctest.Wait()
		w.a.ReleaseReplies()
		synctest.Wait()
		d.send("RPUSH q x")
		d.send("LRANGE q 0 -1")
		d.want("1", "[x]")
	})
}

// TestNothingIsPoppedForAClientThatHungUpBehindAFault is promise P7: after a
// protocol fault nobody reads the client's connection any more.
func TestNothingIsPoppedForAClientThatHungUpBehindAFault(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.warm(), w.warm()
		c.send("BLPOP q 0")
		c.nc.Write([]byte("*1\r\n$9223372036854775807\r\nx"))
		synctest.Wait()
		c.nc.Close()
		synctest.Wait()
		d.send("RPUSH q x", "LRANGE q 0 -1")
		d.want("1", "[x]")
	})
}

// TestHeldWriteBehindAFaultIsDroppedWithItsClient is promise P7.
func TestHeldWriteBehindAFaultIsDroppedWithItsClient(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.holding()
		c.send("SET gone 1")
		c.nc.Write([]byte("*1\r\n$9223372036854775807\r\nx"))
		synctest.Wait()
		c.nc.Close()
		synctest.Wait()
		w.promote()
		w.serve(w.b)
		if got := traffic(w.b); got != "" {
			t.Errorf("the new master got %q for a client that is gone", got)
		}
	})
}

// TestCrowdedHandlerNoticesTheHangUpInAHold is promise P7: redcon's goroutine
// waits in submit when the hold begins; it must go on, or nobody reads the client.
func TestCrowdedHandlerNoticesTheHangUpInAHold(t *testing.T) {
	inWorld(t, proxy.Options{Limits: proxy.Limits{Pipeline: 4}}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.HoldReplies()
		// SELECT waits for the GET, and everything else for SELECT.
		c.send("GET k", "SELECT 5", "SET gone 1", "SET gone 2", "SET gone 3", "SET gone 4", "SET gone 5")
		w.holding()
		w.a.ReleaseReplies()
		synctest.Wait()
		if n := w.counts().Waiting; n == 0 {
			t.Fatalf("nothing is held; the test is wrong")
		}
		c.nc.Close()
		synctest.Wait()
		if n := w.counts().Waiting; n != 0 {
			t.Errorf("%d commands of a client that is gone are held", n)
		}
		w.promote()
		w.serve(w.b)
		if got := traffic(w.b); got != "" {
			t.Errorf("the new master got %q for a client that is gone", got)
		}
	})
}

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
	const key = "STEADIS_REVIEW_CHILD"
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

// TestBlockedThroughTwoFailovers: the hold time counts for each outage, not from
// the first one on; P3 for UNBLOCKED.
func TestBlockedThroughTwoFailovers(t *testing.T) {
	inWorld(t, proxy.Options{Hold: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		c.send("BLPOP q 0")
		w.failover()
		time.Sleep(time.Minute)
		w.a.BecomeMaster()
		w.b.Replicas()
		w.holding()
		w.b.BecomeReplica(w.a.Addr())
		w.b.Disconnect()
		synctest.Wait()
		w.serve(w.a)
		d.send("RPUSH q x")
		d.want("1")
		c.want("[q x]")
	})
}

// TestTransactionWithARefusedCommandIsVoid: a command that was refused because the
// hold is full does not run; nor may the rest of its transaction.
func TestTransactionWithARefusedCommandIsVoid(t *testing.T) {
	t.Run("open", func(t *testing.T) {
		inWorld(t, proxy.Options{HoldMaxCommands: 2}, func(t *testing.T, w *world) {
			w.serve(w.a)
			c, d := w.connect(), w.connect()
			c.send("MULTI")
			c.want("OK")
			w.holding()
			d.send("GET x")
			c.send("RPUSH l 1")
			c.send("RPUSH l 2") // full
			d.nc.Close()
			synctest.Wait()
			c.send("EXEC")
			w.promote()
			w.serve(w.b)
			c.want("QUEUED", "LOADING ...", "EXECABORT ...")
			if got := w.b.List("l"); len(got) != 0 {
				t.Errorf("half a transaction ran: l=%v", got)
			}
		})
	})
	t.Run("held whole", func(t *testing.T) {
		inWorld(t, proxy.Options{HoldMaxCommands: 3}, func(t *testing.T, w *world) {
			w.serve(w.a)
			c, d := w.connect(), w.connect()
			w.holding()
			d.send("GET x")
			c.send("MULTI", "RPUSH l 1")
			c.send("RPUSH l 2") // full
			d.nc.Close()
			synctest.Wait()
			c.send("EXEC")
			w.promote()
			w.serve(w.b)
			c.want("OK", "QUEUED", "LOADING ...", "EXECABORT ...")
			if got := w.b.List("l"); len(got) != 0 {
				t.Errorf("half a transaction ran: l=%v", got)
			}
		})
	})
}

// TestHeldTransactionCountsItsBytes is promise P9.
func TestHeldTransactionCountsItsBytes(t *testing.T) {
	inWorld(t, proxy.Options{HoldMaxBytes: 1000}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.holding()
		c.send("MULTI", "SET k "+strings.Repeat("x", 3000), "EXEC") // one read of redcon's
		if n := w.counts(); n.Bytes > 0 && n.Bytes < 3000 && n.Refused["full"] == 0 {
			t.Errorf("3,000 bytes are held and counted as %d (%d commands)", n.Bytes, n.Waiting)
		}
		w.promote()
		w.serve(w.b)
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

// TestExecRefusedAfterTheHoldEndsTheTransaction: an EXEC that was answered with an
// error has ended the transaction, as it does in Redis.
func TestExecRefusedAfterTheHoldEndsTheTransaction(t *testing.T) {
	inWorld(t, proxy.Options{Hold: 5 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("MULTI")
		c.send("SET k 1")
		c.want("OK", "QUEUED")
		w.holding()
		c.send("EXEC")
		c.want("LOADING ...")
		w.promote()
		w.serve(w.b)
		c.send("GET k")
		c.want("nil")
	})
}

// TestSelectThatFailsInExecLeavesTheDatabase: EXEC's SELECT may have failed.
func TestSelectThatFailsInExecLeavesTheDatabase(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SET k 0", "MULTI", "SELECT 99", "EXEC", "GET k")
		c.want("OK", "OK", "QUEUED", "[ERR DB index is out of range]", "0")
	})
}

// TestSelectInExecDoesNotLeakToOthers: a pinned connection goes back to the pool
// in the database that it was made for.
func TestSelectInExecDoesNotLeakToOthers(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		c.send("MULTI", "SELECT 2", "SELECT x", "SET leak 2", "EXEC", "GET leak")
		c.want("OK", "QUEUED", "QUEUED")
		c.reply()
		if got := c.reply(); got != "2" {
			t.Errorf("after EXEC with SELECT 2 and a SELECT that failed: GET leak = %q, want 2", got)
		}
		d.send("WATCH z", "GET leak", "UNWATCH")
		d.want("OK", "nil", "OK")
	})
}

// TestWaitDoesNotVouchForTheOldMastersWrites: a WAIT held over a failover says
// nothing of what was written before it (semantics.md section 7: reply 0).
func TestWaitDoesNotVouchForTheOldMastersWrites(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		w.a.Replicas() // b gets no more: what is written now is lost
		c := w.connect()
		c.send("SET k 1")
		c.want("OK")
		w.holding()
		c.send("WAIT 1 100")
		w.b.BecomeMaster()
		w.b.On(func(call fake.Call) string {
			switch call.Args[0] {
			case "PUBLISH":
				return ":0\r\n"
			case "WAIT":
				return ":1\r\n"
			}
			return ""
		})
		w.serve(w.b)
		c.want("0")
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

// TestHalfClosedClientInTransactionMode and the like must not hang the shutdown:
// covered by inWorld's shutdown, for clients in every mode at once.
func TestShutdownWithClientsInEveryMode(t *testing.T) {
	inWorld(t, proxy.Options{Drain: 3 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		for _, cmds := range [][]string{{"MULTI", "SET a 1"}, {"WATCH k"}, {"BLPOP q 0"}, {"SELECT 3", "GET k"}, {"GET k"}, {}} {
			c := w.warm()
			if len(cmds) > 0 {
				c.send(cmds...)
			}
		}
		w.a.HoldReplies()
		c := w.connect()
		c.send("SET k 1")
		w.holding()
		c.send("MULTI", "SET k 2", "EXEC", "BLPOP q 0")
		began := time.Now()
		w.stop()
		c.reply()
		if d := time.Since(began); d > 4*time.Second {
			t.Errorf("shutdown took %v", d)
		}
		w.a.ReleaseReplies()
	})
}
