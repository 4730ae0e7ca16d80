package load

import "time"

// schedule says when the requests of an open load fall due: evenly, from its
// beginning on. It is pure; times count from the beginning.
type schedule struct {
	rate float64 // requests a second
	next int     // the first request that was not handed out
}

// dueAt is when request n falls due. It is computed anew for each, so that no error
// adds up.
func (s *schedule) dueAt(n int) time.Duration {
	return time.Duration(float64(n) / s.rate * float64(time.Second))
}

// take hands out the next request if it is due at now.
func (s *schedule) take(now time.Duration) (n int, due time.Duration, ok bool) {
	due = s.dueAt(s.next)
	if due > now {
		return 0, 0, false
	}
	n = s.next
	s.next++
	return n, due, true
}

// wait is how long after now the next request falls due; 0 if it is.
func (s *schedule) wait(now time.Duration) time.Duration {
	return max(0, s.dueAt(s.next)-now)
}
