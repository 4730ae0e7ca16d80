package proxy

import (
	"net"
	"testing"

	"steadis/sentinel/topology"
)

// TestEvictSparesOthers: who has most may be busy at the moment. Then nobody is closed in its
// place, and it is closed the next time.
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
	}
}
