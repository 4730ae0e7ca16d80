package upstream

import (
	"slices"
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
	// Expired: the hold time is over. Open brings a link that is kept up back.
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
	pinned bool

	conn atomic.Pointer[Conn] // nil while there is none
	made atomic.Bool          // there has been a connection

	// mu guards the fields below. Order: a client's lock, then mu, then the
	// connection's. No I/O and no callback under it.
	mu         sync.Mutex
	id         Identity // changes only by Become
	owner      Pinner   // of a pinned link; nil while it is idle
	keep       bool     // reconnect without being asked, and tell the owner
	waiters    []place
	leaving    []*Conn   // former connections with calls in flight
	connecting bool      // connect runs
	closed     bool      // for good
	reached    uint64    // the generation of the last connection
	users      int       // clients that hold a shared link
	idleSince  time.Time // when users became 0
}

// place is one in the queue for a link.
type place struct {
	Waiter
	since time.Time // when it came
}

// Identity returns as whom, where and how the link's commands run.
func (l *Link) Identity() Identity {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// Become says that on, a connection of a pinned link, has another identity from now on,
// because its owner has sent SELECT, AUTH or HELLO over it and was answered. All later
// connections get it by their handshake. If the link has one already that was made
// before, it is given up.
func (l *Link) Become(id Identity, on *Conn) {
	l.mu.Lock()
	l.id = id
	stale := l.conn.Load()
	if stale == on {
		stale = nil
	}
	if stale != nil {
		l.conn.Store(nil)
		if len(l.waiters) > 0 || l.keep {
			l.connectLocked()
		}
	}
	l.mu.Unlock()
	if stale != nil {
		stale.Close()
	}
}

// New says whether the link has never had a connection.
func (l *Link) New() bool { return !l.made.Load() }

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
	l.waiters = append(l.waiters, place{w, time.Now()})
	l.connectLocked()
	return Queued
}

func (l *Link) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Forget takes w out of the queue, if it is there.
func (l *Link) Forget(w Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, x := range l.waiters {
		if x.Waiter == w {
			l.waiters = slices.Delete(l.waiters, i, i+1)
			return
		}
	}
}

// Close gives the link and its connection up. Calls in flight are Lost.
func (l *Link) Close() {
	l.mu.Lock()
	l.closed = true
	conns := l.connsLocked()
	l.conn.Store(nil)
	l.waiters = nil
	l.mu.Unlock()
	l.pool.remove(l)
	closeAll(conns)
}

// connsLocked returns the link's connection and the former ones that have calls in flight.
func (l *Link) connsLocked() []*Conn {
	conns := slices.Clone(l.leaving)
	if c := l.conn.Load(); c != nil {
		conns = append(conns, c)
	}
	return conns
}

func (l *Link) conns() []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connsLocked()
}

func closeAll(conns []*Conn) {
	for _, c := range conns {
		c.Close()
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

// Keep makes a pinned link connect, and reconnect whenever it has lost its connection, without
// being asked, and tell its owner, who has subscriptions to restore, as if it were
// always in the queue: of Ready, of Refused, after which the link is Gone, and of
// Expired when the pool gives up.
func (l *Link) Keep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep = true
	l.connectLocked()
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

// takeWaitersLocked empties the queue. The owner of a link that is kept up is
// told of everything, once, whether it waits or not.
func (l *Link) takeWaitersLocked() []Waiter {
	told := make([]Waiter, 0, len(l.waiters)+1)
	queued := false
	for _, w := range l.waiters {
		told = append(told, w.Waiter)
		queued = queued || w.Waiter == Waiter(l.owner)
	}
	if l.keep && l.owner != nil && !queued {
		told = append(told, l.owner)
	}
	l.waiters = nil
	return told
}

func (l *Link) tell(waiters []Waiter, e Event, frame []byte) {
	for _, w := range waiters {
		w.LinkEvent(l, e, frame)
	}
}
