package scenario

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
)

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

// TestHangUpBehindABlockingCommand is promise P7 for a client that has sent more behind its
// BLPOP than it may have under way: it is read all the same, or its end would not be seen.
func TestHangUpBehindABlockingCommand(t *testing.T) {
	const pipeline = 10
	for name, before := range map[string]int{"at once": 0, "after others": pipeline} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, proxy.Options{Limits: proxy.Limits{Pipeline: pipeline}}, func(t *testing.T, w *world) {
				w.serve(w.a)
				c, d := w.warm(), w.warm()
				c.send("WATCH k") // and has a connection of its own
				c.want("OK")
				w.a.HoldReplies()
				c.send(slices.Concat(slices.Repeat([]string{"GET k"}, before), []string{"BLPOP l 0"}, slices.Repeat([]string{"GET k"}, 3*pipeline))...)
				w.a.ReleaseReplies()
				synctest.Wait()
				c.nc.Close()
				synctest.Wait()
				d.send("RPUSH l x")
				d.want("1")
				d.send("LRANGE l 0 -1")
				d.want("[x]")
			})
		})
	}
}

// The randomised stress: many clients, each with a list of its own to which it
// appends values that occur once, against faults in random order. All on fake
// time and under fixed seeds; TEST_STRESS=n runs n more seeds.
