// Package seldom keeps lines of the log rare that many clients may give cause for.
package seldom

import (
	"sync/atomic"
	"time"
)

// Every is the least time between two lines of one kind.
const Every = 10 * time.Second

// Gate lets one line pass in Every. The zero value is ready; it may be used concurrently.
type Gate struct {
	last   atomic.Int64 // when a line has passed, in ns since 1970
	missed atomic.Int64
}

// Pass says at now whether a line may be written, and how many were not since the last one.
func (g *Gate) Pass(now time.Time) (missed int64, ok bool) {
	at, last := now.UnixNano(), g.last.Load()
	if last != 0 && at-last < int64(Every) || !g.last.CompareAndSwap(last, at) {
		g.missed.Add(1)
		return 0, false
	}
	return g.missed.Swap(0), true
}
