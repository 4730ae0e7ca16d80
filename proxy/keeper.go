package proxy

import (
	"context"
	"net"
	"time"

	"go.uber.org/zap"
)

const (
	// keeperTick is how often the keeper looks at clients: as often as Redis, to whose
	// second all of these times are exact.
	keeperTick = time.Second
	// strangersOutput is how much a client that has not authenticated may leave unread.
	strangersOutput = 64 << 10
)

// keep is the one goroutine that closes clients for what they are, not for what they send:
// those that were idle for too long, that do not read, or that have most when memory is
// short. It ends with ctx.
func (s *Server) keep(ctx context.Context) {
	tick := keeperTick
	if idle := s.set.Load().Limits.Idle; idle > 0 {
		tick = min(tick, max(idle/4, time.Millisecond))
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer s.memory.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.memory.full:
			s.evict()
		case now := <-ticker.C:
			if s.set.Load().Limits.Idle > 0 || s.slow.Load() > 0 {
				s.inspect(now)
			}
		}
	}
}

// inspect looks at every client once.
func (s *Server) inspect(now time.Time) {
	for _, sess := range s.list() {
		sess.inspect(now)
	}
}

func (s *Session) inspect(now time.Time) {
	s.mu.Lock()
	defer s.out.flush() // it closes what has ended, without the lock
	defer s.mu.Unlock()
	switch {
	case s.dead:
	case s.out.overdue(now):
		s.server.noteOverflow(s)
		s.abort()
	case s.server.set.Load().Limits.Idle > 0 && s.idle(now):
		s.server.metrics.idle.Inc()
		s.close()
	}
}

// idle says whether the client has sent nothing for limits.idle (Redis 7.0 timeout.c
// clientsCronHandleTimeout): not while it waits for a reply, blocked or not, nor while it
// is subscribed or a monitor. s.mu must be held.
func (s *Session) idle(now time.Time) bool {
	if s.queue.Len() > 0 || s.monitoring || s.sub != nil && !s.sub.empty() {
		s.busyAt = now
		return false
	}
	last := s.created
	if seen := unixNano(s.face.seen); s.face.seen != 0 && seen.After(last) {
		last = seen
	}
	if s.busyAt.After(last) {
		last = s.busyAt
	}
	return now.Sub(last) > s.server.set.Load().Limits.Idle
}

// boundOutput puts the limits in force for what the client leaves unread, which depend on
// what it is. s.mu must be held, or the session be new.
func (s *Session) boundOutput() {
	l := &s.server.set.Load().Limits
	switch {
	case s.locked:
		s.out.bound(min(l.Output, strangersOutput), 0, 0)
	case s.sub != nil:
		s.out.bound(l.PubSubOutput, l.PubSubSoft, l.PubSubSoftTime)
	default:
		s.out.bound(l.Output, 0, 0)
	}
}

// probes is how TCP asks a silent client (Redis 7.0 anet.c anetKeepAlive: three times,
// a third of the time apart).
func probes(after time.Duration) net.KeepAliveConfig {
	if after <= 0 {
		return net.KeepAliveConfig{}
	}
	return net.KeepAliveConfig{Enable: true, Idle: after, Interval: max(after/3, time.Second), Count: 3}
}

// keepAlive sets that on a client's connection, which may be wrapped.
func (s *Server) keepAlive(nc net.Conn) {
	for {
		switch c := nc.(type) {
		case *net.TCPConn:
			if err := c.SetKeepAliveConfig(probes(s.set.Load().Limits.Keepalive)); err != nil {
				s.o.Log.Debug("keepalive was not set", zap.Error(err)) // the client has gone already
			}
			return
		case interface{ NetConn() net.Conn }:
			nc = c.NetConn()
		default:
			return
		}
	}
}
