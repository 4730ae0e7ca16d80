package scenario

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// TestHoldEnds is promises P10 and P11.
func TestHoldEnds(t *testing.T) {
	inWorld(t, proxy.Options{Hold: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, p := w.connect(), w.connect()
		w.holding()
		began := time.Now()
		c.send("SET k 1", "PING", "GET k")
		time.Sleep(3 * time.Second)
		p.send("PING")
		p.want("PONG")
		const outage = "LOADING steadis: no master for 'mymaster' since 10 s (+try-failover); the command was not run; ..."
		c.want(outage, outage, outage)
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("held for %v, want 10s", d)
		}
		time.Sleep(5 * time.Second)
		p.send("PING", "GET k", "SELECT 3")
		const later = "LOADING steadis: no master for 'mymaster' since 15 s ..."
		p.want(later, later, later)
		if ok, why := w.proxy.Ready(); ok {
			t.Errorf("ready after the hold time: %s", why)
		}
		w.promote()
		w.serve(w.b)
		p.send("PING", "SET k 2")
		p.want("PONG", "OK")
		c.send("GET k")
		c.want("2")
		if ok, why := w.proxy.Ready(); !ok {
			t.Errorf("not ready: %s", why)
		}
	})
}

// TestNoMasterAtTheStart: clients wait from the first moment on.
func TestNoMasterAtTheStart(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		if ok, why := w.proxy.Ready(); ok {
			t.Errorf("ready without a master: %s", why)
		}
		c := w.connect()
		c.send("PING", "SET k 1")
		c.want("PONG")
		c.silent()
		w.serve(w.a)
		c.want("OK")
	})
}

// TestHangUpWhileHeld is promise P7.
func TestHangUpWhileHeld(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c, d := w.connect(), w.connect()
		w.holding()
		c.send("SET gone 1", "SET gone 2", "PING")
		d.send("SET stays 1")
		c.nc.Close()
		synctest.Wait()
		if n := w.counts(); n.Dropped != 3 || n.Waiting != 1 {
			t.Errorf("after the hang-up: %+v, want 3 dropped and 1 waiting", n)
		}
		w.promote()
		w.serve(w.b)
		d.want("OK")
		if got := traffic(w.b); got != "SET stays 1" {
			t.Errorf("the new master got %q", got)
		}
	})
}

// TestHangUpBehindInFlight: a client that closes its sending side still gets the
// replies to what was sent, and what is lost then is not run again.
func TestHangUpBehindInFlight(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.HoldReplies()
		c.send("SET k 1", "GET k")
		c.nc.(interface{ CloseWrite() error }).CloseWrite()
		synctest.Wait()
		w.a.ReleaseReplies()
		c.want("OK", "1")
		c.closed()
	})
}

// TestHoldIsBounded is promise P9: beyond the bounds a clear error, in order; a
// client that floods costs no memory.
func TestHoldIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    proxy.Options
	}{
		{"commands", proxy.Options{HoldMaxCommands: 3}},
		{"bytes", proxy.Options{HoldMaxBytes: 3 * 31}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, tt.o, func(t *testing.T, w *world) {
				w.serve(w.a)
				w.holding()
				c := w.connect()
				c.send("RPUSH l 1", "RPUSH l 2", "RPUSH l 3")
				c.send(strings.Split(strings.Repeat("RPUSH l 4\n", 1000), "\n")[:1000]...)
				if n := w.counts(); n.Waiting != 3 || n.Refused["full"] != 1000 {
					t.Errorf("%+v, want 3 waiting and 1000 refused", n)
				}
				c.silent()
				w.promote()
				w.serve(w.b)
				c.want("1", "2", "3")
				for range 1000 {
					c.want("LOADING steadis: no master for 'mymaster' now, and as many commands wait ...")
				}
				c.send("LRANGE l 0 -1")
				c.want("[1 2 3]")
			})
		})
	}
}

// TestFloodedHoldTakesLittle: a few held commands do not keep all that came with them, be it
// before the hold was full or later, and be the client waiting already or not.
func TestFloodedHoldTakesLittle(t *testing.T) {
	const clients, pipeline, room, sent = 60, 1200, 120, 1200 * 22
	inWorld(t, proxy.Options{HoldMaxCommands: room}, func(t *testing.T, w *world) {
		w.serve(w.a)
		crowd := w.crowd(clients)
		w.holding()
		before := inUse()
		gets := slices.Repeat([]string{"GET k"}, pipeline)
		for _, c := range crowd {
			c.send(gets[:2]...) // each holds something
		}
		for range 2 {
			for _, c := range crowd {
				c.send(gets...)
			}
		}
		synctest.Wait()
		if n := w.counts(); n.Waiting != room || n.Refused["full"] != 2*clients*pipeline {
			t.Errorf("%+v, want %d waiting and %d refused", n, room, 2*clients*pipeline)
		}
		if grown := inUse() - before; grown > clients*mayTake(sent) {
			t.Errorf("%d held commands take %d bytes: %d for each client", room, grown, grown/clients)
		}
		w.promote()
		w.serve(w.b)
		for _, c := range crowd {
			c.want("nil", "nil")
			for range 2 * pipeline {
				c.want("LOADING steadis: no master for 'mymaster' now, and as many commands wait ...")
			}
		}
	})
}

// TestFloodAtOnceTakesLittle: the hold is full before most clients have begun to wait.
func TestFloodAtOnceTakesLittle(t *testing.T) {
	const clients, pipeline, room, sent = 60, 1200, 120, 1200 * 22
	inWorld(t, proxy.Options{HoldMaxCommands: room}, func(t *testing.T, w *world) {
		w.serve(w.a)
		crowd := w.crowd(clients)
		w.a.HoldReplies()
		for _, c := range crowd {
			c.send("GET k") // behind it the others stay in the queue, whatever becomes of them
		}
		synctest.Wait()
		w.holding()
		before := inUse()
		for _, c := range crowd {
			c.send(slices.Repeat([]string{"GET k"}, pipeline)...)
		}
		synctest.Wait()
		if grown := inUse() - before; grown > clients*mayTake(sent) {
			t.Errorf("%d held commands take %d bytes: %d for each client", w.counts().Waiting, grown, grown/clients)
		}
	})
}

// TestRefusalsAreBounded: refusals that cannot share a place in the queue take memory, too.
// Who has most of them is closed when memory is short, though it waits for a master, and the
// others go on.
func TestRefusalsAreBounded(t *testing.T) {
	const limit = 1 << 20
	for name, flood := range map[string][]string{
		"transactions":  {"MULTI", "EXEC"},
		"some of muted": {"CLIENT REPLY SKIP", "GET k", "GET k"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, proxy.Options{HoldMaxCommands: 2, Limits: proxy.Limits{Memory: limit}}, func(t *testing.T, w *world) {
				w.serve(w.a)
				other, greedy := w.warm(), w.warm()
				w.holding()
				other.send("GET k")
				greedy.send("GET k")
				for range 20 {
					greedy.flood(slices.Repeat(flood, 1000)...)
				}
				if n := w.proxy.Memory(); n > limit+2*proxy.RequestCost+64 {
					t.Errorf("%d bytes are taken, and %d allowed", n, limit)
				}
				w.released()
				other.want("nil")
				if n := w.proxy.Status().Clients; n != 1 {
					t.Errorf("%d clients are left, want the other one", n)
				}
			})
		})
	}
}

// crowd connects so many clients that have had a reply.
func (w *world) crowd(n int) []*client {
	all := make([]*client, n)
	for i := range all {
		all[i] = w.warm()
	}
	return all
}

// mayTake is for a client of a flood that has sent so many bytes: the network of these tests
// keeps as much memory as it has carried at one time.
func mayTake(sent int) int { return sent + 10<<10 }

// inUse is what is in use of the heap, in bytes.
func inUse() int {
	runtime.GC()
	runtime.GC() // the first one only empties the pools' first halves
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestSetUpDuringAHold: a new connection can be made ready while there is no
// master, if its identity is known.
func TestSetUpDuringAHold(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		c.send("SELECT 3", "SET k 1")
		c.want("OK", "OK")
		w.holding()
		d := w.connect()
		d.send("CLIENT SETNAME app", "SELECT 3", "CLIENT GETNAME", "PING")
		d.want("OK", "OK", "app", "PONG")
		d.send("SELECT 4")
		d.silent() // nobody has asked for database 4 before: Redis is to judge
		w.promote()
		w.serve(w.b)
		d.want("OK")
	})
}

// TestDrainsAtShutdown: commands under way are answered, then the client is
// closed; nothing new is accepted.
func TestDrainsAtShutdown(t *testing.T) {
	inWorld(t, proxy.Options{Drain: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		busy, idle, held := w.warm(), w.warm(), w.warm()
		w.a.HoldReplies()
		busy.send("SET k 1")
		w.stop()
		synctest.Wait()
		idle.closed()
		w.a.ReleaseReplies()
		busy.want("OK")
		busy.closed()
		held.closed()
	})
}

// TestDrainIsLimited: what cannot be answered is refused when the time is over.
func TestDrainIsLimited(t *testing.T) {
	inWorld(t, proxy.Options{Drain: 2 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		w.holding()
		c.send("SET k 1")
		began := time.Now()
		w.stop()
		c.want("LOADING steadis: this proxy is shutting down; ...")
		c.closed()
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("the drain took %v", d)
		}
		if n := w.counts(); n.Refused["closing"] != 1 {
			t.Errorf("%+v, want 1 refused as closing", n)
		}
	})
}

// TestFlappingKeepsTheDeadline: a hold that is interrupted for a moment does not
// let a command wait longer than the hold time in all.
func TestFlappingKeepsTheDeadline(t *testing.T) {
	inWorld(t, proxy.Options{Hold: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.connect()
		w.holding()
		c.send("GET k")
		began := time.Now()
		for range 5 {
			time.Sleep(3 * time.Second)
			w.net.Cut(w.a.Addr())
			w.a.Disconnect()
			w.republish(topology.Serving)
			w.republish(topology.Holding)
		}
		c.want("LOADING ...")
		if d := time.Since(began); d > 16*time.Second {
			t.Errorf("answered after %v", d)
		}
		w.net.Mend(w.a.Addr())
	})
}
