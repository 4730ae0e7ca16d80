package scenario

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/test/fake"
)

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

// TestRefusedMultiTakesItsBatchAlong: what stands behind a MULTI for which there was
// no room does not run by itself, though there is room for it.
func TestRefusedMultiTakesItsBatchAlong(t *testing.T) {
	const room = 34 // of GET k, 20 bytes, and PING, 14, but not MULTI, 15
	inWorld(t, proxy.Options{HoldMaxBytes: room}, func(t *testing.T, w *world) {
		w.serve(w.a)
		w.holding()
		c := w.connect()
		c.send("GET k")
		c.send("MULTI", "PING", "EXEC")
		w.promote()
		w.serve(w.b)
		c.want("nil", "LOADING ...", "LOADING ...", "LOADING ...")
		c.send("MULTI", "SET k 1", "EXEC", "GET k")
		c.want("OK", "QUEUED", "[OK]", "1")
	})
}

// TestMultiRefusedByAFullHold: what was to be in a transaction that was refused does not run
// outside of it, though there is room for it by then.
func TestMultiRefusedByAFullHold(t *testing.T) {
	const full = "LOADING steadis: no master for 'mymaster' now, and as many commands wait ..."
	inWorld(t, proxy.Options{HoldMaxCommands: 2}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, first, behind, p := w.warm(), w.connect(), w.connect(), w.connect()
		w.holding()
		p.send("GET a")
		behind.send("GET a")
		first.send("MULTI") // in several pieces, as a long pipeline comes
		first.want(full)
		behind.send("MULTI")
		p.nc.Close()
		synctest.Wait()
		first.send("SET k first", "EXEC")
		first.want(full, full)
		behind.send("SET k behind", "EXEC", "GET a")
		c.send("MULTI")
		c.want(full)
		w.promote()
		w.serve(w.b)
		behind.want("nil", full, full, full, "nil")
		c.send("GET k", "SET k after", "GET k")
		c.want("nil", "OK", "after")
	})
}

// TestOpenTransactionsAreMemory: what is remembered of an open MULTI counts as long as it is
// open, also while steadis ends; who has most of it is closed when memory is short.
func TestOpenTransactionsAreMemory(t *testing.T) {
	const limit = 1 << 20
	for name, ending := range map[string]bool{"serving": false, "ending": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, proxy.Options{Drain: time.Minute, Limits: proxy.Limits{Memory: limit}}, func(t *testing.T, w *world) {
				w.serve(w.a)
				modest, greedy := w.warm(), w.warm()
				for _, c := range []*client{modest, greedy} {
					c.send("MULTI")
					c.want("OK")
				}
				modest.send(slices.Repeat([]string{"GET k"}, 100)...)
				if n := w.proxy.Memory(); n < 100*proxy.RequestCost {
					t.Errorf("%d bytes are counted of 100 commands in a transaction", n)
				}
				if ending {
					w.stop()
					synctest.Wait()
				}
				go func() { _, _ = io.Copy(io.Discard, greedy.nc) }()
				for range 20 {
					greedy.flood(slices.Repeat([]string{"GET k"}, 1000)...)
				}
				if n := w.proxy.Memory(); n > limit {
					t.Errorf("%d bytes are taken, and %d allowed", n, limit)
				}
				modest.want(slices.Repeat([]string{"QUEUED"}, 100)...)
				modest.send("EXEC")
				modest.want("[nil ...")
				if n := w.proxy.Memory(); n != 0 {
					t.Errorf("%d bytes are counted, and nothing is open", n)
				}
			})
		})
	}
}
