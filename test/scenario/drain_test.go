package scenario

import (
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
)

// TestDrainGivesTransactionsTheirTime: an open transaction, and a WATCH, end as their
// clients want; then the clients are closed.
func TestDrainGivesTransactionsTheirTime(t *testing.T) {
	inWorld(t, proxy.Options{Drain: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		buyer, watcher := w.warm(), w.warm()
		buyer.send("MULTI")
		buyer.want("OK")
		watcher.send("WATCH k")
		watcher.want("OK")
		w.stop()
		synctest.Wait()
		time.Sleep(3 * time.Second)
		if ready, why := w.proxy.Ready(); ready {
			t.Errorf("ready while it ends: %s", why)
		}
		buyer.send("SET k 1")
		buyer.want("QUEUED")
		buyer.send("EXEC")
		buyer.want("[OK]")
		buyer.closed()
		watcher.send("UNWATCH")
		watcher.want("OK")
		watcher.closed()
	})
}

// TestDrainClosesThoseWhoWaitLast: a client that blocks stays while another one's command is
// under way, and is closed as soon as it is not.
func TestDrainClosesThoseWhoWaitLast(t *testing.T) {
	inWorld(t, proxy.Options{Drain: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		busy, blocked := w.warm(), w.warm()
		blocked.send("BLPOP l 0")
		synctest.Wait()
		w.a.HoldReplies()
		busy.send("SET k 1")
		synctest.Wait()
		w.stop()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := w.proxy.Status().Clients; n != 2 {
			t.Errorf("%d clients are left, want both", n)
		}
		began := time.Now()
		w.a.ReleaseReplies()
		busy.want("OK")
		busy.closed()
		blocked.closed()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it was closed %v later: not when the last other one was gone", took)
		}
	})
}

// TestDrainServesWhatHasCome: a command that has come when its client would be closed is
// answered first.
func TestDrainServesWhatHasCome(t *testing.T) {
	inWorld(t, proxy.Options{Drain: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.HoldReplies()
		c.send("SET k 1")
		c.send("SET k 2")
		synctest.Wait()
		w.stop()
		synctest.Wait()
		w.a.ReleaseReplies()
		c.want("OK")
		c.want("OK")
		c.closed()
	})
}
