package scenario

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
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
		d.send("RPUSH q x")
		d.send("LRANGE q 0 -1")
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

// TestRefusedMultiLeavesNoTransaction is promise P4: a MULTI that was answered with
// an error opened nothing, so a write behind it that loses its reply is in doubt
// and must not run again.
func TestRefusedMultiLeavesNoTransaction(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    proxy.Options
	}{
		{"full", proxy.Options{HoldMaxCommands: 1}},
		{"expired", proxy.Options{Hold: 2 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, tt.o, func(t *testing.T, w *world) {
				w.serve(w.a)
				c, d := w.warm(), w.warm()
				w.holding()
				d.send("GET x")
				c.send("MULTI")
				c.want("LOADING ...")
				w.released()
				c.send("GET x")
				c.want("nil")
				w.a.HoldReplies()
				c.send("RPUSH l 1")
				w.a.Disconnect()
				w.a.ReleaseReplies()
				c.closed()
				if got := w.a.List("l"); len(got) != 1 {
					t.Errorf("a write that lost its reply was run again: l=%v", got)
				}
			})
		})
	}
}

// TestRetriedWriteIsNotCalledUnexecuted: LOADING says "was not run"; a write in
// doubt that waits to be retried (in_doubt: retry) may have run.
func TestRetriedWriteIsNotCalledUnexecuted(t *testing.T) {
	inWorld(t, proxy.Options{InDoubt: proxy.InDoubtRetry, Hold: 2 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.HoldReplies()
		c.send("RPUSH l 1")
		w.holding()
		w.a.Disconnect()
		w.a.ReleaseReplies()
		if got := c.reply(); strings.HasPrefix(got, "LOADING") && len(w.a.List("l")) > 0 {
			t.Errorf("the command ran; the client is told %q", got)
		}
		w.released()
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
		c.want("OK", "QUEUED", "QUEUED", "QUEUED")
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

// The randomised stress: many clients, each with a list of its own to which it
// appends values that occur once, against faults in random order. All on fake
// time and under fixed seeds; STEADIS_STRESS=n runs n more seeds.

// fortune is what a client knows of a value.
type fortune uint8

const (
	refused fortune = iota // certainly not run
	unsure                 // may have run
	acknowledged
)

// stressed is one client of the stress.
type stressed struct {
	w     *world
	id    int
	r     *rand.Rand
	kinds string // what it does: p(lain) g(roup) t(ransaction) w(atch) b(locking) h(ang-up) s(elect)
	mode  proxy.InDoubt
	n     int
	fate  map[string]fortune
	c     *client
	fault string
}

func (s *stressed) failf(format string, args ...any) {
	if s.fault == "" {
		s.fault = fmt.Sprintf(format, args...)
	}
}

func (s *stressed) value() string {
	s.n++
	v := fmt.Sprintf("%d-%d", s.id, s.n)
	s.fate[v] = refused
	return v
}

func (s *stressed) list() string { return fmt.Sprintf("l%d", s.id) }

func encode(cmds ...string) []byte {
	var b []byte
	for _, cmd := range cmds {
		words := strings.Fields(cmd)
		b = fmt.Appendf(b, "*%d\r\n", len(words))
		for _, w := range words {
			b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
		}
	}
	return b
}

// exchange sends commands and reads a reply for each. ok is false once the
// connection has been closed; what it has not answered is "".
func (s *stressed) exchange(cmds ...string) (replies []string, ok bool) {
	replies = make([]string, len(cmds))
	s.c.nc.SetDeadline(time.Now().Add(3 * time.Minute))
	if _, err := s.c.nc.Write(encode(cmds...)); err != nil {
		return replies, false
	}
	if strings.Contains(s.kinds, "h") && s.r.IntN(20) == 0 {
		s.c.nc.Close()
		return replies, false
	}
	for i := range replies {
		got, err := s.c.read()
		if err != nil {
			if isTimeout(err) {
				s.failf("client %d: no reply to %q (%d of %v) in 3 minutes", s.id, cmds[i], i, cmds)
			}
			return replies, false
		}
		replies[i] = got
		switch {
		case strings.HasPrefix(got, "LOADING "), strings.HasPrefix(got, "INDOUBT ") && s.mode != proxy.InDoubtClose:
		case strings.HasPrefix(cmds[i], "ECHO ") && got != strings.TrimPrefix(cmds[i], "ECHO ") && got != "QUEUED":
			s.failf("client %d: %s got %q among %v -> %q", s.id, cmds[i], got, cmds, replies)
		case cmds[i] == "PING" && got != "PONG":
			s.failf("client %d: PING got %q among %v -> %v", s.id, got, cmds, replies)
		case strings.HasPrefix(got, "ERR"), strings.HasPrefix(got, "READONLY"), strings.HasPrefix(got, "UNBLOCKED"), strings.HasPrefix(got, "INDOUBT"):
			s.failf("client %d: %s got %q among %v -> %q", s.id, cmds[i], got, cmds, replies)
		}
	}
	return replies, true
}

// judge notes the fate of a value by the reply to the command that decides it.
func (s *stressed) judge(v, reply string, sent bool) {
	switch {
	case reply == "":
		if sent {
			s.fate[v] = unsure
		}
	case strings.HasPrefix(reply, "LOADING"), strings.HasPrefix(reply, "EXECABORT"), reply == "nil":
		s.fate[v] = refused
	case strings.HasPrefix(reply, "INDOUBT"):
		s.fate[v] = unsure
	default:
		s.fate[v] = acknowledged
	}
}

// step does one thing; false: the connection is gone.
func (s *stressed) step() bool {
	kind := s.kinds[s.r.IntN(len(s.kinds))]
	switch kind {
	case 'g':
		v, e := s.value(), s.value()
		got, ok := s.exchange("ECHO "+e, "MULTI", "RPUSH "+s.list()+" "+v, "ECHO "+e, "EXEC", "ECHO "+e)
		s.judge(v, got[4], true)
		return ok
	case 't', 'w':
		v := s.value()
		if kind == 'w' {
			if _, ok := s.exchange("WATCH x"); !ok {
				return false
			}
		}
		got, ok := s.exchange("MULTI")
		if !ok {
			return false
		}
		if strings.HasPrefix(got[0], "LOADING") {
			_, ok = s.exchange("UNWATCH")
			return ok
		}
		if _, ok = s.exchange("RPUSH " + s.list() + " " + v); !ok {
			return false
		}
		got, ok = s.exchange("EXEC")
		s.judge(v, got[0], true)
		return ok
	case 'b':
		v := s.value()
		got, ok := s.exchange("RPUSH q"+v+" x", "BLPOP q"+v+" 1", "ECHO "+v)
		if ok && got[0] == "1" && got[1] != "[q"+v+" x]" && got[1] != "nil" && !strings.HasPrefix(got[1], "LOADING") {
			s.failf("client %d: BLPOP got %q", s.id, got[1])
		}
		return ok
	case 's':
		v := s.value()
		got, ok := s.exchange("SELECT 1", "ECHO "+v, "SELECT 0", "PING", "ECHO "+v)
		return ok && got[2] == "OK" // refused: in which database it is does not matter, a new connection is in 0
	case 'h':
		_, ok := s.exchange("PING")
		return ok
	}
	var cmds, values []string
	for range 1 + s.r.IntN(8) {
		v := s.value()
		values = append(values, v)
		if s.r.IntN(3) > 0 {
			cmds = append(cmds, "RPUSH "+s.list()+" "+v)
		} else {
			cmds = append(cmds, "ECHO "+v)
		}
	}
	got, ok := s.exchange(cmds...)
	for i, cmd := range cmds {
		if strings.HasPrefix(cmd, "RPUSH") {
			s.judge(values[i], got[i], true)
		}
	}
	return ok
}

func (s *stressed) run(stop <-chan struct{}, done *sync.WaitGroup) {
	defer done.Done()
	for {
		select {
		case <-stop:
			if s.c != nil {
				s.c.nc.Close()
			}
			return
		default:
		}
		if s.c == nil {
			nc, err := s.w.net.Dial(context.Background(), "tcp", front)
			if err != nil {
				s.failf("dial: %v", err)
				return
			}
			s.c = &client{t: s.w.t, nc: nc, br: bufio.NewReader(nc)}
		}
		if !s.step() {
			s.c.nc.Close()
			s.c = nil
		}
		if s.fault != "" {
			return
		}
		time.Sleep(time.Duration(s.r.IntN(200)) * time.Millisecond)
	}
}

// afflict does the faults, each of which leaves a master that serves.
func afflict(w *world, r *rand.Rand, kinds string) (log []string) {
	master, other := w.a, w.b
	pause := func(ms int) { time.Sleep(time.Duration(1+r.IntN(ms)) * time.Millisecond) }
	move := func(planned bool) {
		if planned {
			w.republishPhase(topology.Holding)
			pause(300)
		}
		master.BecomeReplica(other.Addr())
		other.BecomeMaster()
		other.Disconnect()
		pause(1200)
		w.generation++
		w.board.Publish(topology.View{Master: other.Addr(), Epoch: w.generation, Generation: w.generation, Phase: topology.Serving,
			Since: time.Now(), Reason: "stress"})
		master, other = other, master
		pause(300)
		if r.IntN(2) == 0 {
			other.Disconnect()
		}
		other.Thaw()
		other.ReleaseReplies()
		other.Delay(0)
		other.Disconnect()
		pause(100)
		master.Replicas(other)
	}
	for range 20 {
		pause(700)
		kind := kinds[r.IntN(len(kinds))]
		log = append(log, string(kind))
		switch kind {
		case 'h': // hold and release
			w.republishPhase(topology.Holding)
			pause(900)
			w.republishPhase(topology.Serving)
		case 'p': // planned
			move(true)
		case 'c': // crash
			w.net.Cut(master.Addr())
			master.Disconnect()
			old := master
			pause(900)
			move(r.IntN(2) == 0)
			w.net.Mend(old.Addr())
		case 'f': // freeze, then failover
			master.Freeze()
			pause(3000)
			move(r.IntN(2) == 0)
		case 'z': // freeze and thaw
			master.Freeze()
			pause(3000)
			master.Thaw()
		case 'd': // connections lost
			master.Disconnect()
		case 'x': // replies lost
			master.HoldReplies()
			pause(200)
			master.Disconnect()
			master.ReleaseReplies()
		case 'l': // loading
			master.Loading(true)
			pause(1500)
			master.Loading(false)
		case 's': // slow
			master.Delay(time.Duration(r.IntN(20)) * time.Millisecond)
			pause(1000)
			master.Delay(0)
		case 'o': // longer than the hold time
			w.republishPhase(topology.Holding)
			time.Sleep(6 * time.Second)
			w.republishPhase(topology.Serving)
		}
	}
	pause(2000)
	return log
}

func (w *world) republishPhase(p topology.Phase) {
	v := *w.board.Load()
	v.Phase, v.Since = p, time.Now()
	w.board.Publish(v)
}

func (w *world) master() *fake.Redis {
	if w.board.Load().Master == w.a.Addr() {
		return w.a
	}
	return w.b
}

// stress runs one seed and audits it.
func stress(t *testing.T, seed uint64, mode proxy.InDoubt, kinds, faults string) {
	inWorld(t, proxy.Options{InDoubt: mode, Hold: 5 * time.Second, HoldMaxCommands: 40, Drain: time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		stop := make(chan struct{})
		var done sync.WaitGroup
		clients := make([]*stressed, 16)
		for i := range clients {
			clients[i] = &stressed{w: w, id: i, r: rand.New(rand.NewPCG(seed, uint64(i+1))), kinds: kinds, mode: mode, fate: map[string]fortune{}}
			done.Add(1)
			go clients[i].run(stop, &done)
		}
		log := afflict(w, rand.New(rand.NewPCG(seed, 0)), faults)
		close(stop)
		done.Wait()
		synctest.Wait()
		if c := w.counts(); !c.Balanced() || c.Waiting != 0 {
			t.Errorf("counters: %+v", c)
		}
		audit(t, w.master(), clients, mode)
		if t.Failed() {
			t.Logf("seed %d, clients do %q, faults %v", seed, kinds, log)
		}
	})
}

func audit(t *testing.T, master *fake.Redis, clients []*stressed, mode proxy.InDoubt) {
	acked, unknown := 0, 0
	for _, s := range clients {
		if s.fault != "" {
			t.Error(s.fault)
		}
		seen, last := map[string]int{}, 0
		for _, v := range master.List(s.list()) {
			seen[v]++
			n := 0
			fmt.Sscanf(v, fmt.Sprintf("%d-%%d", s.id), &n)
			// What a client left in flight when it hung up may run behind what it sends
			// over its next connection, as with Redis itself.
			if n < last && seen[v] == 1 && mode != proxy.InDoubtRetry && s.fate[v] != unsure {
				t.Errorf("client %d: %s was appended behind number %d", s.id, v, last)
			}
			last = max(last, n)
		}
		for v, f := range s.fate {
			switch n := seen[v]; {
			case n > 1 && mode != proxy.InDoubtRetry:
				t.Errorf("%s was appended %d times", v, n)
			case f == acknowledged && n == 0:
				t.Errorf("%s was acknowledged and is not there", v)
			case f == refused && n > 0:
				t.Errorf("%s was refused and is there", v)
			}
			switch f {
			case acknowledged:
				acked++
			case unsure:
				unknown++
			}
		}
	}
	if acked == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d acknowledged, %d unsure", acked, unknown)
}

func TestStress(t *testing.T) {
	more := 0
	fmt.Sscan(os.Getenv("STEADIS_STRESS"), &more)
	for _, tt := range []struct {
		name          string
		kinds, faults string
	}{
		{"plain", "pppppps", "hpcfzdxso"},
		{"plain and hang-ups", "ppphs", "hpcfzdxso"},
		{"loading", "ppps", "lhpd"},
		{"groups", "pgggs", "hpcfzdxso"},
		{"transactions", "ptttw", "hpcfzdxso"},
		{"blocking", "pbbs", "hpcfzdxso"},
		{"all", "pgtwbhs", "hpcfzdxslo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3 + more) {
				for _, mode := range []proxy.InDoubt{proxy.InDoubtClose, proxy.InDoubtError, proxy.InDoubtRetry} {
					t.Run(fmt.Sprintf("%d-%d", seed, mode), func(t *testing.T) { stress(t, seed, mode, tt.kinds, tt.faults) })
				}
			}
		})
	}
}
