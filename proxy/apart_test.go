package proxy

import (
	"testing"
	"time"

	"steadis/proxy/resp"
)

// Of two pauses the one that ends later counts, as in Redis.
func TestLongerPauseCounts(t *testing.T) {
	for _, order := range [][]string{{"60000", "1"}, {"1", "60000"}} {
		s := &Server{}
		for _, ms := range order {
			s.notePause(resp.SplitCommand(resp.AppendCommand(nil, "CLIENT", "PAUSE", ms)))
		}
		if left := time.Until(unixNano(s.stops.pausedUntil.Load())); left < 50*time.Second {
			t.Errorf("after pauses of %v ms %v are left", order, left)
		}
	}
}
