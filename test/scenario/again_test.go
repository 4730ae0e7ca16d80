package scenario

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/test/fake"
)

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

// TestWaitDoesNotVouchForTheOldMastersPops: a blocking pop is a write as well.
func TestWaitDoesNotVouchForTheOldMastersPops(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		d.send("RPUSH q x")
		d.want("1")
		w.a.Replicas() // b gets no more: what is popped now comes back
		c.send("BLPOP q 0")
		c.want("[q x]")
		w.b.On(func(call fake.Call) string {
			if call.Args[0] == "WAIT" {
				return ":1\r\n"
			}
			return ""
		})
		w.failover()
		c.send("WAIT 1 100")
		c.want("0")
	})
}

// TestWaitBehindARefusedPublish: where WAIT waits for what its own connection has written, and the
// user may write nothing there, nothing is known.
func TestWaitBehindARefusedPublish(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.a.NoHello() // no version is known
		refused := ""
		w.a.On(func(call fake.Call) string {
			switch call.Args[0] {
			case "PUBLISH":
				return refused
			case "WAIT":
				return ":1\r\n"
			}
			return ""
		})
		w.serve(w.a)
		c := w.connect()
		refused = "-NOPERM no\r\n"
		c.send("SET k 1", "WAIT 1 100")
		c.want("OK", "0")
		refused = ":0\r\n"
		c.send("WAIT 1 100")
		c.want("1")
	})
}

// TestScriptLoadedInVain: the master that has lost a script is lost in turn, between the answer to
// the SCRIPT LOAD that brings it back and the one to the EVALSHA.
func TestScriptLoadedInVain(t *testing.T) {
	const script = "return_redis.call('incr','k')"
	sum := sha1.Sum([]byte(script))
	sha := hex.EncodeToString(sum[:])
	inWorld(t, proxy.Options{InDoubt: proxy.InDoubtRetry}, func(t *testing.T, w *world) {
		evals := 0
		scripts := func(call fake.Call) string {
			switch call.Args[0] {
			case "EVAL":
				return ":1\r\n"
			case "SCRIPT":
				return "$40\r\n" + sha + "\r\n"
			case "EVALSHA":
				switch evals++; evals {
				case 1:
					return "-NOSCRIPT No matching script.\r\n"
				case 2:
					time.Sleep(time.Second)
					return fake.CloseNow
				}
				return ":2\r\n"
			}
			return ""
		}
		w.a.On(scripts)
		w.serve(w.a)
		c := w.connect()
		c.send("EVAL "+script+" 0", "EVALSHA "+sha+" 0", "GET x")
		time.Sleep(2 * time.Second)
		c.want("1", "2", "nil")
		c.send("GET x")
		c.want("nil")
	})
}
