package proxy

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// How a Server ends. Readiness goes first, then the listeners, then every client whose
// turn has come: one that is between two commands is closed, or given to another process
// (handover.go); one whose commands are under way when they are answered; one with an
// open transaction when that has ended; one that waits for what may never come, in a
// blocking command or subscribed, after all others. After Options.Drain the rest is
// closed.
//
// Only the goroutine that reads a client can know that nothing of it is on its way: so its
// read is broken off by a deadline, and it looks (clientConn.leave).

// ending is how far the end of a Server has come.
type ending = int32

const (
	serving  ending = iota
	draining        // clients are closed
	leaving         // clients are given to another process
	keeping         // clients are kept for the next process
)

const (
	// lastAccepts is how long clients are still accepted that have connected before
	// the end: the system resets those that nobody accepts.
	lastAccepts = 50 * time.Millisecond
	// drainLook is how often clients are looked at that could not be closed yet.
	drainLook = 20 * time.Millisecond
	// leastLeave is how long clients that can be given away have at least, whatever
	// Options.Drain says: they need no more than a moment.
	leastLeave = time.Second
)

// past is a deadline that breaks off a read.
var past = time.Unix(1, 0)

// stopAccepting ends the accepting on all listeners and closes them. Those who have
// connected already are accepted first, but if the socket lives on in another process:
// they are for that one. It returns once no more are accepted.
func stopAccepting(listeners []net.Listener, handedOn bool, accepting *sync.WaitGroup) {
	until := past
	if !handedOn {
		until = time.Now().Add(lastAccepts)
	}
	for _, ln := range listeners {
		if d, ok := ln.(interface{ SetDeadline(time.Time) error }); !ok || d.SetDeadline(until) != nil {
			ln.Close()
		}
	}
	accepting.Wait()
	for _, ln := range listeners {
		ln.Close()
	}
}

// drain ends every session, as this file's beginning says.
func (s *Server) drain() {
	s.mu.Lock()
	if len(s.sessions) == 0 {
		s.closeEmptyLocked()
	}
	n := len(s.sessions)
	s.mu.Unlock()
	limit := s.set.Load().Drain
	if s.ending.Load() != draining {
		limit = max(limit, leastLeave)
	}
	s.o.Log.Info("draining", zap.Int("clients", n), zap.Duration("limit", limit))
	timer, ticker := time.NewTimer(limit), time.NewTicker(drainLook)
	defer timer.Stop()
	defer ticker.Stop()
	for {
		s.windAll()
		select {
		case <-s.empty:
			return
		case <-ticker.C:
		case <-timer.C:
			late := s.list()
			s.o.Log.Warn("drain time is over; closing the clients that are left", zap.Int("clients", len(late)))
			for _, sess := range late {
				sess.kill()
			}
			return
		}
	}
}

// windAll has every session look whether it can end. Those that only wait are ended once
// they are the last, but if another process serves already: then there is time.
func (s *Server) windAll() {
	all := s.list()
	last := s.ending.Load() != leaving
	for _, sess := range all {
		last = sess.wind() && last
	}
	if last {
		for _, sess := range all {
			sess.kill()
		}
	}
}

// wind has the session look whether it can end. It returns whether it only waits for
// something that may never come.
func (s *Session) wind() (waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nudge()
	return s.dead || s.sub != nil || s.monitoring || s.blocked()
}

func (s *Session) blocked() bool { return s.barrier != nil && s.barrier.role == roleBlock }

// nudge breaks off the read of the client, so that the reader looks whether the session
// can end. s.mu must be held.
func (s *Session) nudge() {
	if s.dead {
		return
	}
	s.room.Broadcast()
	if s.ended {
		return // nothing is read any more; the last reply ends it
	}
	if s.out.nc.SetReadDeadline(past) != nil && s.queue.Len() == 0 {
		s.close() // it cannot be asked
	}
	s.client.callOut()
}

// settled says whether nothing of the client is under way and nothing is open that only this
// connection has. s.mu must be held.
func (s *Session) settled() bool {
	return s.queue.Len() == 0 && s.sub == nil && !s.monitoring && (s.tx == nil || !s.tx.multi && !s.tx.watched)
}

// underWay says whether replies are due from Redis, for which it is worth to wait. s.mu must
// be held.
func (s *Session) underWay() bool {
	return !s.dead && s.queue.Len() > 0 && s.waiting == nil && !s.blocked() && (s.tx == nil || !s.tx.multi)
}

// leave is called by the goroutine that reads, when its read was broken off, and ends the
// session if it can. It returns false if the client is to be read on.
func (c *clientConn) leave() bool {
	s := c.session
	// First, for who nudges after the look below must not be undone.
	if s.out.nc.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	if c.Buffered() > 0 || len(c.carry) > 0 {
		return false // within a command
	}
	s.mu.Lock()
	for s.underWay() {
		s.room.Wait()
	}
	can := s.settled()
	s.mu.Unlock()
	if !can {
		return false
	}
	s.out.flush()
	s.out.awaitWritten()
	if s.server.ending.Load() != draining {
		return s.giveAway()
	}
	if unread(s.out.nc) {
		return false // a command has come, and is answered
	}
	s.mu.Lock()
	if s.settled() {
		s.close()
	}
	gone := s.dead
	s.mu.Unlock()
	s.out.flush()
	return gone
}

// unread says whether bytes have come that nobody has read.
func unread(nc net.Conn) bool {
	some := false
	_ = control(nc, func(fd int) {
		n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		some = err == nil && n > 0
	})
	return some
}

// control calls f with the file descriptor of a connection of the system's own.
func control(nc net.Conn, f func(fd int)) error {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return os.ErrInvalid
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}
