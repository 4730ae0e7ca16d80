package proxy

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// seldomEvery is how often a line may be written that a client, or the system's state, can
// cause again and again.
const seldomEvery = 10 * time.Second

// seldom limits such a line. Its zero value is ready; it may be used concurrently.
type seldom struct {
	mu   sync.Mutex // guards what follows
	next time.Time
	left int
}

// due says whether the line is to be written now; it then has the field that says how
// many were left out since the last one.
func (s *seldom) due(now time.Time) (zap.Field, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.next) {
		s.left++
		return zap.Skip(), false
	}
	left := s.left
	s.next, s.left = now.Add(seldomEvery), 0
	if left == 0 {
		return zap.Skip(), true
	}
	return zap.Int("left_out", left), true
}
