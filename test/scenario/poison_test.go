package scenario

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
	"steadis/test/fake"
)

// slowDial makes every dial take so long, as it does on a network: attempts that took
// no time would all come at one moment of fake time.
func slowDial(d time.Duration) func(dialFunc) dialFunc {
	return func(dial dialFunc) dialFunc {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			time.Sleep(d)
			return dial(ctx, network, addr)
		}
	}
}

// kills makes a node hang up on every GET poison, after a while.
func kills(node *fake.Redis, after time.Duration) {
	node.On(func(call fake.Call) string {
		if len(call.Args) < 2 || call.Args[1] != "poison" {
			return ""
		}
		time.Sleep(after)
		return fake.CloseNow
	})
}

// asked counts the GET poison that a node was sent.
func asked(node *fake.Redis) (n int) {
	for _, call := range node.Traffic() {
		if len(call.Args) > 1 && call.Args[1] == "poison" {
			n++
		}
	}
	return n
}

// lookAway is holding for a node's own goroutine, which cannot wait until all is settled.
func (w *world) lookAway() {
	v := *w.board.Load()
	v.Phase, v.Since = topology.Holding, time.Now()
	w.board.Publish(v)
}

// TestPoison: a read that ends its connection whenever it is asked is given up after
// three attempts, however fast they are made (they were counted in a byte, and more
// than 255 in 250 ms were none), and nobody else notices.
func TestPoison(t *testing.T) {
	for _, dial := range []time.Duration{10 * time.Microsecond, 500 * time.Microsecond, 5 * time.Millisecond, 100 * time.Millisecond} {
		t.Run(dial.String(), func(t *testing.T) {
			inDialledWorld(t, proxy.Options{Hold: 3 * time.Second}, slowDial(dial), func(t *testing.T, w *world) {
				w.serve(w.a)
				kills(w.a, 0)
				time.Sleep(time.Second)
				c, d := w.warm(), w.warm()
				begin := time.Now()
				c.send("GET poison", "GET k")
				d.send("GET k")
				d.want("nil")
				c.closed()
				if took := time.Since(begin); took > time.Second {
					t.Errorf("the client has waited for %v", took)
				}
				if n := asked(w.a); n != 3 {
					t.Errorf("the master was asked %d times", n)
				}
			})
		})
	}
}

// TestPoisonAtLongIntervals: losses that are so far apart that each might have another
// cause end with the hold time all the same.
func TestPoisonAtLongIntervals(t *testing.T) {
	inWorld(t, proxy.Options{Hold: 30 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		kills(w.a, 11*time.Second)
		c := w.warm()
		begin := time.Now()
		c.send("GET poison")
		c.want("LOADING steadis: ...")
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("the client has waited for %v", took)
		}
		c.send("GET k")
		c.want("nil")
	})
}

// TestPoisonKillsMasters: nor may a read wait longer than the hold time that costs one
// master after the other, although each of these losses is a failover's.
func TestPoisonKillsMasters(t *testing.T) {
	inWorld(t, proxy.Options{Hold: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		for _, node := range []*fake.Redis{w.a, w.b} {
			node.On(func(call fake.Call) string {
				if len(call.Args) < 2 || call.Args[1] != "poison" {
					return ""
				}
				w.lookAway()
				return fake.CloseNow
			})
		}
		w.b.BecomeMaster()
		begin := time.Now()
		c.send("GET poison")
		answered := make(chan string, 1)
		go func() { answered <- c.reply() }()
		for n := 0; ; n++ {
			time.Sleep(6 * time.Second)
			select {
			case got := <-answered:
				if took := time.Since(begin); took > 13*time.Second {
					t.Errorf("the client has waited for %v and got %q", took, got)
				}
				w.serve(w.a)
				return
			default:
			}
			if n == 6 {
				t.Fatal("the client still waits")
			}
			w.serve([]*fake.Redis{w.b, w.a}[n%2])
		}
	})
}

// TestLostThenHeld: a read whose connection was lost waits for another master no longer
// than the hold time in all, also if the wait begins anew.
func TestLostThenHeld(t *testing.T) {
	inWorld(t, proxy.Options{Hold: 10 * time.Second}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		begin := time.Now()
		kills(w.a, 0)
		c.send("GET poison") // lost twice; it rests
		w.holding()
		time.Sleep(9 * time.Second)
		w.b.BecomeMaster()
		w.b.On(func(call fake.Call) string {
			if len(call.Args) > 1 && call.Args[1] == "poison" {
				w.lookAway()
				return fake.CloseNow
			}
			return ""
		})
		w.serve(w.b)
		synctest.Wait()
		c.want("LOADING steadis: ...")
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the client has waited for %v", took)
		}
		w.serve(w.a)
	})
}
