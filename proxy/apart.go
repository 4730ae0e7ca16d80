package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"steadis/proxy/resp"
	"steadis/proxy/upstream"
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
	return s.scriptRuns() || s.paused()
}

// paused says whether a CLIENT PAUSE that came through here lasts.
func (s *Server) paused() bool {
	until := s.stops.pausedUntil.Load()
	return until != 0 && s.now().UnixNano() < until
}

// scriptRuns says whether a script has been running for long.
func (s *Server) scriptRuns() bool {
	return s.stops.scripts.Load() > 0 && s.now().UnixNano()-s.stops.since.Load() > int64(longScript)
}

// busyPatience is how long a PING, while a script runs for long, waits for the word of a master that may be busy with
// a script, or frozen.
const busyPatience = 100 * time.Millisecond

// busyOr answers a PING: BUSY, if the master says so at once, else as ever.
func (s *Server) busyOr(sess *Session, r *request) []byte {
	if pilot := s.pilot.Load(); pilot != nil {
		ctx, cancel := context.WithTimeout(context.Background(), busyPatience)
		defer cancel()
		if frame, err := pilot.Fetch(ctx, upstream.Ping); err == nil && resp.IsError(frame, "BUSY") {
			return frame
		}
	}
	return sess.pong(r)
}

// notePause notes a CLIENT PAUSE that is on its way. Of two the one that ends later counts
// (Redis 7.0 networking.c pauseClients).
func (s *Server) notePause(args [][]byte) {
	if len(args) <= 2 {
		return
	}
	until := s.now().Add(time.Duration(atoi(args[2])) * time.Millisecond).UnixNano()
	for before := s.stops.pausedUntil.Load(); until > before; before = s.stops.pausedUntil.Load() {
		if s.stops.pausedUntil.CompareAndSwap(before, until) {
			return
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
