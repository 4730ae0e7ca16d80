package upstream

import (
	"errors"
	"slices"
	"time"

	"steadis/proxy/resp"
)

// connectLocked starts the connecting goroutine if the gate is open and there is
// no connection. l.mu must be held.
func (l *Link) connectLocked() {
	gate := l.pool.gate.Load()
	if l.connecting || l.closed || l.conn.Load() != nil || !gate.Open || l.pool.ctx.Err() != nil {
		return
	}
	l.connecting = true
	l.pool.wg.Add(1)
	go l.connect()
}

// connect dials until there is a connection, the identity is rejected, or the
// gate closes. It is the only goroutine that does so for this link.
func (l *Link) connect() {
	defer l.pool.wg.Done()
	var last uint64 // the generation that was dialled last
	for attempt := 0; ; attempt++ {
		gate := l.target()
		if gate == nil {
			return
		}
		if gate.Generation != last {
			attempt, last = 0, gate.Generation
		}
		id := l.Identity()
		g, err := l.pool.dial(gate, id, l.pinned)
		var rejected *Rejected
		switch {
		case err == nil:
			if l.attach(l.newConn(g, gate), gate, id) {
				return
			}
		case errors.As(err, &rejected):
			if l.reject(rejected, gate) {
				return
			}
		default:
			l.pool.trouble(gate, err)
			l.expireLate()
			l.pool.backoff(gate, attempt)
		}
	}
}

// target returns the gate to dial to. Nil ends connect: there is nothing to
// connect to or nobody to connect for. That is decided under the lock that Await
// and wake take, so that no wish for a connection falls between.
func (l *Link) target() *Gate {
	l.mu.Lock()
	defer l.mu.Unlock()
	gate := l.pool.gate.Load()
	if l.closed || !gate.Open || l.pool.ctx.Err() != nil || (len(l.waiters) == 0 && l.pinned && !l.keep) {
		l.connecting = false
		return nil
	}
	return gate
}

// standsLocked says whether what was learnt by dialling under gate holds now: the
// gate is open, to the same master, and the pool runs (Stop ends its context first and
// then closes the links that it finds). l.mu must be held.
func (l *Link) standsLocked(gate *Gate) bool {
	now := l.pool.gate.Load()
	return !l.closed && l.pool.ctx.Err() == nil && now.Open && now.Generation == gate.Generation
}

// busyCalls is for how many calls in flight a shared connection keeps memory while it has so
// many again and again: those of 50 clients that pipeline 16 each are 800.
const busyCalls = 4096

func (l *Link) newConn(g greeted, gate *Gate) *Conn {
	c := newConn(g, gate.Origin, l.push, l.connEnded)
	c.private, c.onLeave, c.replica = l.pinned, l.leave, l.pool.o.Replicas
	if !c.private {
		c.inflight.Busy(busyCalls)
	}
	c.durable, c.publish, c.confirmed = l.pool.o.Durable, !l.pool.waitCoversAll.Load(), l.pool.o.Confirmed
	return c
}

// attach makes c, whose handshake has made it id's, the link's connection and wakes
// those who wait, unless the master or the link's identity has changed since it was
// dialled.
func (l *Link) attach(c *Conn, gate *Gate, id Identity) bool {
	l.mu.Lock()
	if !l.standsLocked(gate) || l.id != id {
		l.mu.Unlock()
		c.nc.Close()
		return false
	}
	l.conn.Store(c)
	l.made.Store(true)
	l.reached = gate.Generation
	l.connecting = false
	waiters := l.takeWaitersLocked()
	l.mu.Unlock()
	c.start(&l.pool.wg, l.bufferSize())
	l.tell(waiters, Ready, nil)
	return true
}

func (l *Link) bufferSize() int {
	if l.pinned {
		return 4 << 10
	}
	return 64 << 10
}

// reject closes the link for good, unless the master has changed since it was
// asked: another one may know the user.
func (l *Link) reject(r *Rejected, gate *Gate) bool {
	l.mu.Lock()
	if !l.standsLocked(gate) {
		l.mu.Unlock()
		return false
	}
	l.connecting = false
	l.closed = true
	waiters := l.takeWaitersLocked()
	deleted := !l.pinned && l.id.Auth && l.reached == gate.Generation && resp.IsError(r.Frame, "WRONGPASS")
	id := l.id
	l.mu.Unlock()
	l.pool.remove(l)
	l.tell(waiters, Refused, r.Frame)
	if deleted && l.pool.o.Deleted != nil {
		l.pool.o.Deleted(id)
	}
	return true
}

// expireLate refuses those who have waited for the hold time for this link alone:
// the gate is open. Each gets the whole of it, however long the link has been
// without a connection.
func (l *Link) expireLate() {
	var late []Waiter
	l.mu.Lock()
	for _, w := range l.waiters { // first come, first served: the late ones are in front
		if time.Since(w.since) < l.pool.times.Load().Window {
			break
		}
		late = append(late, w.Waiter)
	}
	l.waiters = slices.Delete(l.waiters, 0, len(late))
	l.mu.Unlock()
	l.tell(late, Expired, nil)
}

// leave is a connection's word that it is left to a large reply: the link gets another
// one. What is in flight there is still the link's to pause, to retire and to close.
func (l *Link) leave(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn.Load() != c {
		return // it has been given up meanwhile
	}
	l.conn.Store(nil)
	l.leaving = append(l.leaving, c)
	if len(l.waiters) > 0 || l.keep || !l.pinned {
		l.connectLocked()
	}
}

// connEnded is the connection's word that it is over.
func (l *Link) connEnded(c *Conn, err error) {
	l.mu.Lock()
	l.leaving = slices.DeleteFunc(l.leaving, func(x *Conn) bool { return x == c })
	if l.conn.Load() == c {
		l.conn.Store(nil)
		// Of a user's shared connection it must be known whether he was deleted.
		if len(l.waiters) > 0 || l.keep || !l.pinned && l.users > 0 && l.id.Auth {
			l.connectLocked()
		}
	}
	owner := l.owner
	if l.closed {
		owner = nil
	}
	idle := l.pinned && l.owner == nil
	if idle {
		l.closed = true
	}
	l.mu.Unlock()
	if idle {
		l.pool.remove(l)
	}
	l.pool.connEnded(l, c, err)
	if owner != nil {
		owner.LinkEvent(l, Down, nil)
	}
}
