package proxy

import (
	"sync/atomic"
	"time"
)

// apart is what stops a shared connection for long and so would stop clients that have
// nothing to do with it: CLIENT PAUSE that came through here, and a script that runs
// on. While there is such a thing, each client has a connection of its own, as it
// would have without steadis, and hears of it from Redis itself (-BUSY).
type apart struct {
	pausedUntil atomic.Int64 // ns since 1970; 0 is not paused
	scripts     atomic.Int64 // scripts in flight
	since       atomic.Int64 // ns since 1970 since when there was always one
}

// longScript is how long a script may run before other clients go around it.
const longScript = 50 * time.Millisecond

// apart says whether clients should not share connections now.
func (s *Server) apart() bool {
	if s.stops.pausedUntil.Load() == 0 && s.stops.scripts.Load() == 0 {
		return false
	}
	now := s.now().UnixNano()
	if s.stops.scripts.Load() > 0 && now-s.stops.since.Load() > int64(longScript) {
		return true
	}
	return now < s.stops.pausedUntil.Load()
}

// notePause notes a CLIENT PAUSE that is on its way.
func (s *Server) notePause(args [][]byte) {
	if len(args) > 2 {
		if ms := atoi(args[2]); ms > 0 {
			s.stops.pausedUntil.Store(s.now().Add(time.Duration(ms) * time.Millisecond).UnixNano())
		}
	}
}

// noteUnpause notes a CLIENT UNPAUSE that was answered.
func (s *Server) noteUnpause() { s.stops.pausedUntil.Store(0) }

// scriptSent and scriptDone count the scripts in flight.
func (s *Server) scriptSent() {
	if s.stops.scripts.Add(1) == 1 {
		s.stops.since.Store(s.now().UnixNano())
	}
}

func (s *Server) scriptDone() {
	if s.stops.scripts.Add(-1) > 0 {
		s.stops.since.Store(s.now().UnixNano())
	}
}

// unixNano is the time ns after the beginning of 1970.
func unixNano(ns int64) time.Time { return time.Unix(0, ns) }

// runsScript says whether a request may run long in Redis and stop all others there.
func runsScript(r *request) bool { return r.role == roleCommand && isScript(r.info) }
