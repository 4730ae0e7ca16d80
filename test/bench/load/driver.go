package load

import "time"

// driver decides what the clients of a load send and which waits count. The loop
// calls it, from one goroutine.
type driver interface {
	// begin sends what starts the load.
	begin(l *Load)
	// replied takes n replies that came to c.
	replied(l *Load, c *client, n int)
	// tick sends what has fallen due, and says how long the loop may wait for
	// replies at most; a negative time means that nothing will fall due.
	tick(l *Load) time.Duration
}

// untimed is the tick of drivers that send only in answer to replies.
type untimed struct{}

func (untimed) tick(*Load) time.Duration { return -1 }
