package scenario

import (
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/test/fake"
)

func TestTransactionInOneBatch(t *testing.T) {
	inWorld(t, proxy.Options{InDoubt: proxy.InDoubtError}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("MULTI", "SET k 1", "GET k", "EXEC", "GET k")
		c.want("OK", "QUEUED", "QUEUED", "[OK 1]", "1")
		w.holding()
		c.send("MULTI", "RPUSH l 1", "EXEC", "PING")
		c.silent()
		w.promote()
		w.serve(w.b)
		c.want("OK", "QUEUED", "[1]", "PONG")

		w.b.HoldReplies()
		c.send("MULTI", "RPUSH l 2", "EXEC", "GET k")
		w.b.Disconnect()
		w.b.ReleaseReplies()
		c.want("OK", "QUEUED", "INDOUBT ...", "1")
		if counts := w.counts(); counts.Waiting != 0 {
			t.Errorf("%+v", counts)
		}
	})
}

// TestOpenTransactionMovesOn: what was queued is replayed on the new master.
func TestOpenTransactionMovesOn(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("MULTI")
		c.want("OK")
		c.send("RPUSH l 1")
		c.want("QUEUED")
		w.holding()
		c.send("RPUSH l 2")
		c.silent()
		w.promote()
		w.serve(w.b)
		c.want("QUEUED")
		c.send("EXEC", "LRANGE l 0 -1")
		c.want("[1 2]", "[1 2]")
	})
}

// TestWatchLost: keys watched on the old master may have changed: nil.
func TestWatchLost(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("WATCH k", "GET k", "MULTI", "SET k 1")
		c.want("OK", "nil", "OK", "QUEUED")
		w.holding()
		c.send("EXEC", "GET k")
		w.promote()
		w.serve(w.b)
		c.want("nil", "nil")
		c.send("WATCH k", "MULTI", "SET k 2", "EXEC", "GET k")
		c.want("OK", "OK", "QUEUED", "[OK]", "2")
	})
}

func TestExecInDoubt(t *testing.T) {
	inWorld(t, proxy.Options{InDoubt: proxy.InDoubtError}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("MULTI")
		c.send("SET k 1")
		c.want("OK", "QUEUED")
		w.a.HoldReplies()
		c.send("EXEC")
		w.holding()
		c.send("GET k")
		w.promote()
		w.serve(w.b)
		w.a.ReleaseReplies()
		c.want("INDOUBT ...", "1") // it had run, and had been replicated: that is the doubt
	})
}

// TestBlockedIsReissued: with what is left of its time.
func TestBlockedIsReissued(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		began := time.Now()
		c.send("BLPOP q 20", "GET k")
		time.Sleep(5 * time.Second)
		w.holding()
		w.promote()
		time.Sleep(time.Second)
		w.serve(w.b)
		calls := w.b.Calls("BLPOP")
		if len(calls) != 1 || calls[0].Args[2] != "14" {
			t.Fatalf("the new master got %v, want one BLPOP with 14 s left", calls)
		}
		c.want("nil", "nil")
		if took := time.Since(began); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("answered after %v, want 20s", took)
		}
		c.send("BLPOP q 0")
		d.send("RPUSH q x")
		d.want("1")
		c.want("[q x]")
	})
}

// TestBlockedClientHangsUp is promise P7: nothing is popped for nobody.
func TestBlockedClientHangsUp(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		c.send("BLPOP q 0")
		c.nc.Close()
		synctest.Wait()
		d.send("RPUSH q x", "LRANGE q 0 -1")
		d.want("1", "[x]")
	})
}

// TestOneConnectionForEachIdentity: databases and users do not mix, and a wrong
// password is Redis' to refuse.
func TestIdentities(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.a.Require("alice", "secret")
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		c.send("GET k", "AUTH alice wrong", "AUTH alice secret", "SET k alice", "SELECT 2", "SET k two", "SELECT 0", "GET k")
		c.want("NOAUTH ...", "WRONGPASS ...", "OK", "OK", "OK", "OK", "OK", "alice")
		d.send("GET k")
		d.want("NOAUTH ...")
		c.send("RESET", "GET k")
		c.want("RESET", "NOAUTH ...")
	})
}

func TestProtocolFaultIsAnsweredInOrder(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.HoldReplies()
		c.nc.Write([]byte("*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n*1\r\n$9223372036854775807\r\nx"))
		synctest.Wait()
		c.want("PONG")
		c.silent()
		w.a.ReleaseReplies()
		c.want("OK", "ERR Protocol error: invalid bulk length")
		c.closed()
	})
}

func TestQuitEndsBehindItsReplies(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SET k 1", "QUIT", "SET k 2")
		c.want("OK", "OK")
		c.closed()
		if got := traffic(w.a); got != "SET k 1" {
			t.Errorf("the master got %q", got)
		}
	})
}

// TestExecInDoubtWithWhatItRuns: an EXEC may be in flight together with what it runs, of which
// no +QUEUED has come yet: of a client that pipelines, or of one that watches keys.
func TestExecInDoubtWithWhatItRuns(t *testing.T) {
	for name, begin := range map[string][]string{"": {"MULTI"}, "watched": {"WATCH x", "MULTI"}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, proxy.Options{InDoubt: proxy.InDoubtError}, func(t *testing.T, w *world) {
				w.serve(w.a)
				c := w.connect()
				for _, cmd := range begin {
					c.send(cmd)
					c.want("OK")
				}
				w.a.HoldReplies()
				c.send("RPUSH l 1", "EXEC", "LRANGE l 0 -1")
				w.failover()
				w.a.ReleaseReplies()
				c.want("QUEUED", "INDOUBT ...", "[1]")
			})
		})
	}
}

// TestExecThatDidNotRun: where a watched key has changed, nothing of an EXEC is unconfirmed or in doubt.
func TestExecThatDidNotRun(t *testing.T) {
	changed := func(t *testing.T, w *world, f func(c *client)) {
		waits := func(call fake.Call) string {
			if call.Args[0] == "WAIT" {
				return ":0\r\n"
			}
			return ""
		}
		w.a.On(waits)
		w.serve(w.a)
		c := w.connect()
		c.send("WATCH k", "MULTI", "SET k 1")
		c.want("OK", "OK", "QUEUED")
		direct := w.dial(w.a.Addr())
		direct.send("SET k 2")
		direct.want("OK")
		f(c)
	}
	t.Run("too few replicas", func(t *testing.T) {
		inWorld(t, proxy.Options{Durable: proxy.Durable{Replicas: 1, Timeout: time.Second}}, func(t *testing.T, w *world) {
			changed(t, w, func(c *client) {
				c.send("EXEC")
				c.want("nil")
			})
		})
	})
	t.Run("answered late in a hold", func(t *testing.T) {
		inWorld(t, proxy.Options{InDoubt: proxy.InDoubtError}, func(t *testing.T, w *world) {
			changed(t, w, func(c *client) {
				w.a.HoldReplies()
				c.send("EXEC")
				w.holding()
				time.Sleep(time.Second)
				w.a.ReleaseReplies()
				synctest.Wait()
				w.promote()
				w.serve(w.b)
				c.want("nil")
			})
		})
	})
}
