package scenario

import (
	"testing"

	"steadis/proxy"
)

// TestMutedCommandsInAFullHold: refusals in a row share one place in the queue, but those that
// the client wants no reply to are not counted among those that it waits for.
func TestMutedCommandsInAFullHold(t *testing.T) {
	inWorld(t, proxy.Options{HoldMaxCommands: 1}, func(t *testing.T, w *world) {
		w.serve(w.a)
		c := w.warm()
		const full = "LOADING steadis: no master for 'mymaster' now, and as many commands wait ..."
		for _, cmds := range [][]string{
			{"CLIENT REPLY SKIP", "SET k 1", "GET k", "GET k"},
			{"GET k", "CLIENT REPLY SKIP", "SET k 1", "GET k"},
		} {
			w.holding()
			c.send("GET k") // it is the one that waits
			c.send(cmds...)
			w.released()
			c.want("nil", full, full)
			c.send("ECHO behind")
			c.want("behind")
		}
	})
}
