package proxy

import (
	"errors"
	"io"
	"net"
	"testing"

	"steadis/sentinel/topology"
)

// TestEvictSparesOthers: who has most may be busy at the moment. Then its connection is closed,
// nobody else's in its place, and the rest of it goes the next time, or when it ends itself.
func TestEvictSparesOthers(t *testing.T) {
	const limit = 1 << 20
	s, err := New(Options{Board: topology.NewBoard(), Limits: Limits{Memory: limit}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.wg.Wait)
	using := func(bytes int32) *Session {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close(); theirs.Close() })
		sess := s.welcome(ours).session
		sess.mu.Lock()
		defer sess.mu.Unlock()
		sess.push(&request{s: sess, info: refusedInfo, size: bytes, rare: &plainRequest})
		sess.charge()
		return sess
	}
	greedy, modest := using(limit), using(8<<10)
	for _, busy := range []bool{true, false} {
		if busy {
			greedy.mu.Lock()
		}
		s.evict()
		if busy {
			greedy.mu.Unlock()
		}
		if modest.dead || greedy.dead == busy {
			t.Errorf("busy %v: who has most is closed %v, who has little %v", busy, greedy.dead, modest.dead)
		}
		if _, err := greedy.out.nc.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("busy %v: the connection of who has most: %v", busy, err)
		}
	}
}
