package scenario

import (
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
