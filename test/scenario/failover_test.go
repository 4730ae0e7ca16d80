package scenario

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/test/fake"
)

func TestServesAndPassesCommandsInOrder(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SET k 1", "PING", "GET k", "PING hello", "RPUSH l x", "GET l2")
		c.want("OK", "PONG", "1", "hello", "1", "nil")
	})
}

// TestHoldsInOrderAndMoves is promises P1 and P2: what was not sent waits in its
// client's order and runs on the new master; the old one sees none of it.
func TestHoldsInOrderAndMoves(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		c.send("RPUSH l 1")
		c.want("1")
		w.holding()
		c.send("RPUSH l 2", "RPUSH l 3")
		d.send("SET x d")
		c.send("GET x", "PING", "RPUSH l 4")
		c.silent()
		d.silent()
		if n := w.counts().Waiting; n != 6 {
			t.Errorf("%d commands waiting, want 6 (PING waits behind held ones)", n)
		}
		w.promote()
		w.serve(w.b)
		d.want("OK")
		c.want("2", "3")
		got := c.reply()
		if got != "d" && got != "nil" { // another client's SET may come before or after
			t.Errorf("GET x = %q", got)
		}
		c.want("PONG", "4")
		if got, want := traffic(w.a), "RPUSH l 1"; got != want {
			t.Errorf("the old master got %q, want %q", got, want)
		}
	})
}

// TestReleasesOnAbort: the failover is given up; everything goes on at the old
// master over the same connections.
func TestReleasesOnAbort(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SET k 1")
		c.want("OK")
		before := w.a.Accepted()
		w.holding()
		c.send("SET k 2", "GET k")
		c.silent()
		w.released()
		c.want("OK", "2")
		if n := w.a.Accepted(); n != before {
			t.Errorf("%d new connections to the master, want none", n-before)
		}
	})
}

// TestInFlightIsAnsweredDuringTheHold: what was sent before the hold is still
// answered by the old master.
func TestInFlightIsAnsweredDuringTheHold(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.HoldReplies()
		c.send("SET k 1")
		w.holding()
		c.send("GET k")
		w.a.ReleaseReplies()
		synctest.Wait()
		c.want("OK")
		c.silent()
		w.promote()
		w.serve(w.b)
		c.want("1")
	})
}

// TestNotExecutedIsSentAgain is promise P3: READONLY proves that a command, and
// what was in flight behind it, did not run; the client never sees it.
func TestNotExecutedIsSentAgain(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.warm(), w.warm()
		w.a.HoldReplies()
		w.a.BecomeReplica("10.0.0.2:6379")
		w.b.BecomeMaster()
		c.send("RPUSH l 1", "GET l2", "RPUSH l 2", "PING")
		d.send("RPUSH m 1")
		w.a.ReleaseReplies()
		c.silent()
		w.serve(w.b)
		c.want("1", "nil", "2", "PONG")
		d.want("1")
		if n := w.proxy.Status().Hold.Held; n < 4 {
			t.Errorf("%d commands counted as held, want at least 4", n)
		}
	})
}

// TestLoadingIsSentAgain: a node that answers LOADING gets its commands again
// once it serves.
func TestLoadingIsSentAgain(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SET k 1")
		c.want("OK")
		w.a.Loading(true)
		c.send("RPUSH l 1", "GET k")
		c.silent()
		time.Sleep(5 * time.Second)
		c.silent()
		w.a.Loading(false)
		c.want("1", "1")
	})
}

// TestLostReply is promise P4.
func TestLostReply(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mode  proxy.InDoubt
		check func(t *testing.T, w *world, c *client)
	}{
		{"close", proxy.InDoubtClose, func(t *testing.T, w *world, c *client) { c.closed() }},
		{"error", proxy.InDoubtError, func(t *testing.T, w *world, c *client) {
			c.want("INDOUBT steadis: ...", "nil", "OK")
		}},
		{"retry", proxy.InDoubtRetry, func(t *testing.T, w *world, c *client) { c.want("2", "nil", "OK") }}, // at least once
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, proxy.Options{InDoubt: tt.mode}, func(t *testing.T, w *world) {
				w.serve(w.a)
				c, reader := w.warm(), w.warm()
				w.a.HoldReplies()
				c.send("RPUSH l 1", "GET x")
				reader.send("GET x", "LRANGE l 0 -1")
				w.holding()
				c.send("SET y 1")
				w.promote()
				w.serve(w.b)
				tt.check(t, w, c)
				if got := reader.reply(); got != "nil" {
					t.Errorf("the read was not run again: %q", got)
				}
				w.a.ReleaseReplies()
				if tt.mode == proxy.InDoubtClose {
					if got := traffic(w.b); got != "GET x; LRANGE l 0 -1" {
						t.Errorf("the new master got %q", got)
					}
				}
			})
		})
	}
}

// TestFrozenWhileItIsAsked: a master that stops in the middle of what is asked only now and then
// is noticed as soon as any, and its successor is followed at once.
func TestFrozenWhileItIsAsked(t *testing.T) {
	for name, await := range map[string]time.Duration{"another master": 100 * time.Millisecond, "no answer": 2100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
				w.serve(w.a)
				c := w.warm()
				frozen := make(chan struct{})
				w.a.On(func(call fake.Call) string {
					if call.Args[0] == "INFO" {
						w.a.Freeze()
						close(frozen)
					}
					return ""
				})
				<-frozen
				time.Sleep(await)
				if name == "another master" {
					w.promote()
					w.serve(w.b)
					began := time.Now()
					c.send("SET k 1")
					c.want("OK")
					if d := time.Since(began); d > 50*time.Millisecond {
						t.Errorf("followed after %v", d)
					}
					return
				}
				c.send("SET k 1")
				if n := w.counts().Waiting; n != 1 {
					t.Errorf("%d commands held at a master that does not answer, want 1", n)
				}
				w.promote()
				w.serve(w.b)
				c.want("OK")
			})
		})
	}
}

// TestFrozenMaster: no FIN, no reply. Nothing new is sent into the void, and what
// was sent gets its fate at the switch. Thawed, the old master gets nothing.
func TestFrozenMaster(t *testing.T) {
	inWorld(t, proxy.Options{InDoubt: proxy.InDoubtError}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, late := w.warm(), w.warm()
		c.send("SET k 1")
		c.want("OK")
		w.a.Freeze()
		c.send("SET k 2")
		time.Sleep(3 * time.Second)
		late.send("SET late 1")
		if n := w.counts().Waiting; n != 1 {
			t.Errorf("%d commands held at a master that does not answer, want 1", n)
		}
		w.promote()
		w.serve(w.b)
		late.want("OK")
		c.want("INDOUBT ...")
		w.a.Thaw()
		time.Sleep(time.Second)
		if got := w.a.Value("late"); got != "" {
			t.Errorf("the thawed master got a write: late=%q", got)
		}
		if n := w.a.Connections(); n != 0 {
			t.Errorf("%d connections to the old master are open", n)
		}
	})
}

// TestMasterFallsSilentAndComesBack: without any word from Sentinel the gate
// shuts, and opens when the master answers again.
func TestMasterFallsSilentAndComesBack(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.Freeze()
		time.Sleep(2500 * time.Millisecond)
		c.send("SET k 1")
		c.silent()
		w.a.Thaw()
		c.want("OK")
		if got := traffic(w.a); got != "SET k 1" {
			t.Errorf("the master got %q", got)
		}
	})
}

// TestMasterRestarts: connection refused for a while, then the same master again.
func TestMasterRestarts(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SET k 1")
		c.want("OK")
		w.net.Cut(w.a.Addr())
		w.a.Disconnect()
		synctest.Wait()
		c.send("GET k")
		c.silent()
		time.Sleep(4 * time.Second)
		w.net.Mend(w.a.Addr())
		c.want("1")
	})
}

// TestReadsBehindARefusedScript is P3 where the node keeps its connections when it becomes a replica:
// what is in flight behind a script that it refused is not answered from what it has.
func TestReadsBehindARefusedScript(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SET k old")
		c.want("OK")
		var ran atomic.Bool
		script := func(call fake.Call) string {
			switch {
			case call.Args[0] != "EVAL":
			case ran.Load():
				return "+new\r\n"
			default:
				return "-READONLY You can't write against a read only replica.\r\n"
			}
			return ""
		}
		w.a.On(script)
		w.b.On(script)
		w.a.Replicas()
		w.a.BecomeReplica("10.0.0.2:6379")
		w.b.BecomeMaster()
		w.a.HoldReplies()
		c.send("EVAL x 0", "GET k", "MULTI", "GET k", "EXEC", "GET k", "PING")
		w.holding()
		w.a.ReleaseReplies()
		c.silent()
		direct := w.dial(w.b.Addr())
		direct.send("SET k new")
		direct.want("OK")
		ran.Store(true)
		w.serve(w.b)
		c.want("new", "new", "OK", "QUEUED", "[new]", "new", "PONG")
		c.send("GET k")
		c.want("new")
	})
}
