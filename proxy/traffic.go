package proxy

import (
	"net"
	"sync/atomic"
	"time"
)

// traffic counts what goes through. It costs an addition for each batch of commands, each
// read and each write of a client's, and one look at the clock for each batch.
type traffic struct {
	_        pad // apart from what is read with every command
	commands atomic.Uint64
	_        pad
	in       atomic.Uint64 // bytes from clients
	_        pad
	out      atomic.Uint64 // bytes to clients
	_        pad
	latency  histogram
}

// pad keeps counters that different threads move on cache lines of their own.
type pad [64]byte

// nextTimed says which command of a batch of n has its latency measured: from its arrival to
// its reply, with the time for which it was held. One, since the clock costs as much as a
// tenth of a pipelined command; another place in the batch each time, since the last ones
// wait longest. s.mu must be held.
func (s *Session) nextTimed(n int) int {
	s.turn++
	return int(s.turn % uint32(n))
}

// time begins to measure the latency of r, which has come now.
func (s *Session) time(r *request, now time.Time) {
	r.came = max(1, int64(now.Sub(s.server.started)))
}

// timed notes the latency of a command that has been answered, if it is to be measured.
// Those that wait for others' doing, such as BLPOP, are not.
func (s *Session) timed(r *request) {
	if r.came != 0 && (r.role == roleCommand || r.role == roleGroup || r.role == roleScan) {
		s.server.traffic.latency.add(time.Since(s.server.started) - time.Duration(r.came))
	}
}

// borrowed is a connection that the guard may not close. What is read from it is counted.
type borrowed struct {
	net.Conn
	read *atomic.Uint64
}

func (b borrowed) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	b.read.Add(uint64(n))
	return n, err
}

func (borrowed) Close() error { return nil }
