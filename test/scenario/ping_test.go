package scenario

import (
	"strings"
	"testing"

	"steadis/proxy"
)

// TestPingsWhileTheMasterIsFrozen: what steadis sends the master for its figures' sake does not
// count in what the client has in flight, so no PING waits for a master that does not answer.
func TestPingsWhileTheMasterIsFrozen(t *testing.T) {
	for _, output := range []int64{0, 1 << 20} {
		inWorld(t, proxy.Options{Limits: proxy.Limits{Output: output}}, func(t *testing.T, w *world) {
			w.serve(w.a)
			w.warm()
			w.a.Freeze()
			defer w.a.Thaw()
			c := w.connect()
			for range 40 {
				c.send("PING")
				c.want("PONG")
			}
			w.holding()
			c.send("PING")
			c.want("PONG")
		})
	}
}

// TestLongPingsAreShadowedShort: a PING is answered at once, so what the master gets of it may
// wait there, and nobody counts it: it must not be as long as the client likes.
func TestLongPingsAreShadowedShort(t *testing.T) {
	inWorld(t, proxy.Options{}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		w.a.Forget()
		long := strings.Repeat("x", 100_000)
		c.send("PING hello", "PING "+long)
		c.want("hello", long)
		c.send("GET k") // behind them
		c.want("nil")
		hello, bare := 0, 0
		for _, call := range w.a.Calls("PING") {
			switch text := strings.Join(call.Args, " "); {
			case text == "PING hello":
				hello++
			case text == "PING":
				bare++
			default:
				t.Errorf("the master was sent a PING of %d bytes", len(text))
			}
		}
		if hello != 1 || bare == 0 {
			t.Errorf("the master has seen PING hello %d times, PING %d times", hello, bare)
		}
	})
}
