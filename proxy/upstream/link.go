package upstream

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Event is what a Link tells those who wait for it.
type Event uint8

const (
	// Ready: there is a connection; send.
	Ready Event = iota
	// Refused: Redis rejected the link's identity for good.
	Refused
	// Expired: the hold time is over.
	Expired
	// Down: the connection of a pinned link is gone. Only its owner hears that.
	Down
)

// Waiter is who waits for a link, a client. LinkEvent is called from a goroutine
// of the pool with no lock held; frame is Redis' error reply for Refused.
type Waiter interface {
	LinkEvent(l *Link, e Event, frame []byte)
}

// Pinner is who a pinned link belongs to. Push is called by the connection's
// reader for frames that answer no call; its result is as Call.Reply's.
type Pinner interface {
	Waiter
	Push(l *Link, frame []byte) Owner
}

// Waiting is Await's answer.
type Waiting uint8

const (
	// Queued: the waiter will hear a LinkEvent.
	Queued Waiting = iota
	// Usable: the link takes calls (again); send now. No event will come.
	Usable
	// Over: the hold time is over already. No event will come.
	Over
	// Gone: the link is closed; get another one. No event will come.
	Gone
)

// Link keeps one connection for one identity, across masters: callers hold on to
// the link, the link changes its connections. It is shared by many clients or
// pinned to one.
type Link struct {
	pool   *Pool
	id     Identity
	pinned bool

	conn atomic.Pointer[Conn] // nil while there is none

	// mu guards the fields below. Order: a client's lock, then mu, then the
	// connection's. No I/O and no callback under it.
	mu         sync.Mutex
	owner      Pinner // of a pinned link; nil while it is idle
	keep       bool   // reconnect without being asked, and tell the owner
	waiters    []Waiter
	connecting bool
	closed     bool
	since      time.Time // when the link lost its connection or was first asked for one
	users      int       // clients that hold a shared link
	idleSince  time.Time // when users became 0
}

// Identity returns as whom, where and how the link's commands run.
func (l *Link) Identity() Identity { return l.id }

// Send hands calls to the link's connection. It never blocks. It returns
// ErrNotSent if there is none that takes calls; then Await.
func (l *Link) Send(calls []Call) error {
	c := l.conn.Load()
	if c == nil {
		return ErrNotSent
	}
	return c.Send(calls)
}

// Conn returns the current connection for comparison: two calls that went over
// the same Conn keep their order. It is nil if there is none.
func (l *Link) Conn() *Conn { return l.conn.Load() }

// Await puts w into the queue for the link, first come, first served. It may be
// called with the waiter's own lock held.
func (l *Link) Await(w Waiter) Waiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	gate := l.pool.gate.Load()
	switch {
	case l.closed:
		return Gone
	case gate.Out:
		return Over
	}
	if c := l.conn.Load(); gate.Open && c != nil && c.usable() {
		return Usable
	}
	l.waiters = append(l.waiters, w)
	l.connectLocked()
	return Queued
}

// Forget takes w out of the queue, if it is there.
func (l *Link) Forget(w Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, x := range l.waiters {
		if x == w {
			l.waiters = append(l.waiters[:i], l.waiters[i+1:]...)
			return
		}
	}
}

// Close gives the link and its connection up. Calls in flight are Lost.
func (l *Link) Close() {
	l.mu.Lock()
	l.closed = true
	c := l.conn.Swap(nil)
	l.waiters = nil
	l.mu.Unlock()
	l.pool.remove(l)
	if c != nil {
		c.Close()
	}
}

// connectLocked starts the connecting goroutine if the gate is open and there is
// no connection. l.mu must be held.
func (l *Link) connectLocked() {
	if l.connecting || l.closed || l.conn.Load() != nil || !l.pool.gate.Load().Open {
		return
	}
	if l.since.IsZero() {
		l.since = time.Now()
	}
	l.connecting = true
	l.pool.wg.Add(1)
	go l.connect()
}

// connect dials until there is a connection, the identity is rejected, or the
// gate closes. It is the only goroutine that does so for this link.
func (l *Link) connect() {
	defer l.pool.wg.Done()
	for attempt := 0; ; attempt++ {
		gate := l.pool.gate.Load()
		if l.giveUp(gate) {
			return
		}
		nc, err := l.pool.dial(gate, l.id)
		var rejected *Rejected
		switch {
		case err == nil:
			if l.attach(newConn(nc, gate.Generation, l.push, l.connEnded), gate) {
				return
			}
		case errors.As(err, &rejected):
			l.reject(rejected)
			return
		default:
			l.pool.trouble(gate, err)
			l.expireLate()
			l.pool.backoff(gate, attempt)
		}
	}
}

// giveUp ends connect where there is nothing to connect to or nobody to connect
// for. It decides under the lock that Await and wake take, so that no wish for a
// connection falls between.
func (l *Link) giveUp(gate *Gate) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.pool.gate.Load().Open || (len(l.waiters) == 0 && l.pinned && !l.keep) {
		l.connecting = false
		return true
	}
	return false
}

// attach makes c the link's connection, unless the master has changed since it
// was dialled, and wakes those who wait.
func (l *Link) attach(c *Conn, gate *Gate) bool {
	l.mu.Lock()
	now := l.pool.gate.Load()
	if l.closed || !now.Open || now.Generation != gate.Generation {
		l.mu.Unlock()
		c.nc.Close()
		return false
	}
	l.conn.Store(c)
	l.connecting = false
	l.since = time.Time{}
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

func (l *Link) reject(r *Rejected) {
	l.mu.Lock()
	l.connecting = false
	l.closed = true
	waiters := l.takeWaitersLocked()
	l.mu.Unlock()
	l.pool.remove(l)
	l.tell(waiters, Refused, r.Frame)
}

// expireLate refuses those who wait for this link alone (the gate is open) once
// the hold time is over.
func (l *Link) expireLate() {
	l.mu.Lock()
	if time.Since(l.since) < l.pool.o.Window {
		l.mu.Unlock()
		return
	}
	waiters := l.takeWaitersLocked()
	l.mu.Unlock()
	l.tell(waiters, Expired, nil)
}

// connEnded is the connection's word that it is over.
func (l *Link) connEnded(c *Conn, err error) {
	l.mu.Lock()
	if l.conn.Load() == c {
		l.conn.Store(nil)
		l.since = time.Now()
		if len(l.waiters) > 0 || l.keep {
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

// push hands a frame that answers no call to a pinned link's owner.
func (l *Link) push(frame []byte) Owner {
	l.mu.Lock()
	owner := l.owner
	l.mu.Unlock()
	if owner == nil {
		return nil
	}
	return owner.Push(l, frame)
}

// Keep makes a pinned link reconnect whenever it has lost its connection, without
// being asked, and tell its owner (Ready), who has subscriptions to restore.
func (l *Link) Keep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep = true
}

// own gives an idle pinned link to owner, if its connection is still good.
func (l *Link) own(owner Pinner) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.conn.Load(); l.closed || c == nil || !c.usable() {
		return false
	}
	l.owner = owner
	return true
}

// disown makes a pinned link idle, if it has a connection worth keeping.
func (l *Link) disown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conn.Load()
	if l.closed || len(l.waiters) > 0 || c == nil || !c.clean() {
		return false
	}
	l.owner, l.keep = nil, false
	return true
}

// pause, wake and retire are the pool's: the gate has closed, opened, or moved
// to another master.

func (l *Link) pause() {
	if c := l.conn.Load(); c != nil {
		c.Pause()
	}
}

// retire closes a connection that was not made under generation.
func (l *Link) retire(generation uint64) {
	l.mu.Lock()
	c := l.conn.Load()
	if c != nil && c.generation != generation {
		l.conn.Store(nil)
		l.since = time.Now()
	} else {
		c = nil
	}
	l.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// wake resumes the connection or makes one, and lets those who wait go on.
func (l *Link) wake() {
	l.mu.Lock()
	c := l.conn.Load()
	if c == nil {
		if len(l.waiters) > 0 || l.keep || !l.pinned && l.users > 0 {
			l.connectLocked()
		}
		l.mu.Unlock()
		return
	}
	c.Resume()
	waiters := l.takeWaitersLocked()
	l.mu.Unlock()
	l.tell(waiters, Ready, nil)
}

// expire gives up the connection, which has not answered for the whole hold
// time, and refuses those who wait.
func (l *Link) expire() {
	l.mu.Lock()
	c := l.conn.Swap(nil)
	waiters := l.takeWaitersLocked()
	l.mu.Unlock()
	if c != nil {
		c.Close()
	}
	l.tell(waiters, Expired, nil)
}

// takeWaitersLocked empties the queue. The owner of a link that is kept up is
// told of everything, whether it waits or not.
func (l *Link) takeWaitersLocked() []Waiter {
	w := l.waiters
	l.waiters = nil
	if l.keep && l.owner != nil && len(w) == 0 {
		w = append(w, l.owner)
	}
	return w
}

func (l *Link) tell(waiters []Waiter, e Event, frame []byte) {
	for _, w := range waiters {
		w.LinkEvent(l, e, frame)
	}
}
