package upstream

import (
	"context"
	"slices"
	"time"
)

// Gate is the data path's view of the master: where it is and whether commands
// may be sent there. It is immutable; the Pool swaps one for another.
//
// # Why nothing slips through
//
// A link decides what it may do by the gate. It reads the gate with its own lock
// held, and acts on what it read before it lets the lock go. The conductor stores
// the new gate first, then lists the links, then takes each link's lock once
// (pause, retire, wake, expire). So whatever a link does under its lock comes
// either before the conductor's visit, which then finds its effect (a connection
// that attach stored, a waiter that Await queued, connecting), or after it, and
// then has read the new gate. A link that is made after the list was taken was
// made after the gate was stored. Hence:
//
//   - attach and pause: no connection is open while the gate is shut. Attached
//     before, pause finds it; after, attach sees the shut gate and drops it.
//   - attach and retire, wake: no connection of another generation is open behind
//     an open gate, for wake looks at the generation too.
//   - Await and wake: nobody is forgotten. Queued before, wake tells or connects;
//     after, Await has seen the open gate and has connected or need not wait.
//   - Await and expire: the same, with Over.
//   - target and wake, Await: a connect that ends for want of a gate or of waiters
//     clears connecting under the lock, so that the next wish starts another.
//
// Link.Send takes no lock of the link's: it may hold a connection that has been
// paused or closed since, and that one then refuses.
//
// Calls and waiters are told once the locks are let go, as their owners may come
// back at once.
type Gate struct {
	Open bool
	Out  bool // closed for longer than the hold time: nobody waits any more
	Addr string
	Origin

	// ctx ends when the gate is replaced: dials under it, and pauses between dials,
	// are of no use then.
	ctx context.Context
	end context.CancelFunc
}

func (p *Pool) newGate(g Gate) *Gate {
	g.ctx, g.end = context.WithCancel(p.ctx)
	return &g
}

// move swaps the gate and ends what is under way for the former one.
func (p *Pool) move(g Gate) {
	p.gate.Swap(p.newGate(g)).end()
	p.pace.reset()
}

// Close shuts the gate: from its return on no call is handed to the network.
// What is in flight is still answered, and believed for a moment, as another node may
// become master.
func (p *Pool) Close() { p.shut(false) }

// CloseTrusted is Close while the node certainly stays master until Close is called as
// well.
func (p *Pool) CloseTrusted() { p.shut(true) }

func (p *Pool) shut(trusted bool) {
	old := p.gate.Load()
	p.move(Gate{Out: old.Out, Addr: old.Addr, Origin: old.Origin})
	for _, l := range p.links() {
		l.pause(trusted)
	}
}

// Busy says how many connections owe replies: shared ones, and those of a single client,
// which may owe one for long, as for a blocking command.
func (p *Pool) Busy() (shared, pinned int) {
	for _, l := range p.links() {
		for _, c := range l.conns() {
			switch {
			case !c.busy():
			case l.pinned:
				pinned++
			default:
				shared++
			}
		}
	}
	return shared, pinned
}

// Open lets commands go to addr, the master of generation, which Sentinel announces
// with the config epoch. Connections of other generations are given up first; their
// calls in flight are Lost.
func (p *Pool) Open(addr string, generation, epoch uint64) {
	if old := p.gate.Load(); old.Open && old.Generation != generation {
		p.Close() // or a link not yet visited would send to the former master
	}
	p.Retire(generation)
	p.move(Gate{Open: true, Addr: addr, Origin: Origin{generation, epoch}})
	for _, l := range p.links() {
		l.wake(generation)
	}
}

// Retire gives up every connection that was not made under generation.
func (p *Pool) Retire(generation uint64) {
	for _, l := range p.links() {
		l.retire(generation)
	}
}

// GiveUp says that the hold time is over: those who wait, and those whose calls
// were never answered, need wait no longer. The gate must be closed.
func (p *Pool) GiveUp() {
	old := p.gate.Load()
	p.move(Gate{Out: true, Addr: old.Addr, Origin: old.Origin})
	for _, l := range p.links() {
		l.expire()
	}
}

// Alive says that at now the node has just answered, on the Pilot's connection.
// A shared connection on which calls have waited for at least Options.Stall, and
// nothing was received, is dead then, whatever TCP says: the node is not busy, as
// it runs one command at a time and has run the Pilot's. It is closed, for
// ErrStalled, and its calls get their fate. A pinned connection may rightly wait,
// for a blocking command; TCP's keepalive looks after it. Within a reply no connection
// may stand still for brokenReply. Call it after every answered heartbeat: it needs two
// to see that time has passed.
func (p *Pool) Alive(now time.Time) {
	for _, l := range p.links() {
		limit := p.o.Stall
		if l.pinned {
			limit = 0
		}
		for _, c := range l.conns() {
			if c.stalled(now, limit) {
				c.fail(ErrStalled)
			}
		}
	}
}

// Answered says that the node has answered a question that the Pilot asked at asked.
func (p *Pool) Answered(asked time.Time) { p.answered.Store(asked.UnixNano()) }

// HasRead says whether the node has certainly read what was sent to it at sent: it has answered a
// question that was asked later, and Redis answers nobody before it has read what had come
// (Redis 7.0 ae.c: replies are written before it sleeps again). Else it may lie in a socket, and
// run when a node that is frozen wakes up.
func (p *Pool) HasRead(sent time.Time) bool {
	return p.answered.Load() > sent.Add(writeDelay).UnixNano()
}

// writeDelay is how long what was sent may wait here until it is written.
const writeDelay = 100 * time.Millisecond

// pause stops the link's connection, whose gate has closed.
func (l *Link) pause(trusted bool) {
	var back []Call
	l.mu.Lock()
	for _, c := range l.connsLocked() {
		back = append(back, c.pause(trusted)...)
	}
	l.mu.Unlock()
	loseAll(back, NotSent)
}

// retire closes a connection that was not made under generation.
func (l *Link) retire(generation uint64) {
	l.mu.Lock()
	conns := l.retireLocked(generation)
	l.mu.Unlock()
	closeAll(conns)
}

// retireLocked takes out connections that were not made under generation, to be
// closed.
func (l *Link) retireLocked(generation uint64) []*Conn {
	conns := slices.DeleteFunc(l.connsLocked(), func(c *Conn) bool { return c.origin.Generation == generation })
	if c := l.conn.Load(); slices.Contains(conns, c) {
		l.conn.Store(nil)
	}
	return conns
}

// wake resumes the connection or makes one, and lets those who wait go on: the
// gate has opened for generation. A connection that has owed replies for long is not
// used any more: new commands would wait for what the network has lost.
func (l *Link) wake(generation uint64) {
	var waiters []Waiter
	l.mu.Lock()
	old := l.retireLocked(generation)
	for _, c := range l.leaving {
		c.Resume()
	}
	if c := l.conn.Load(); c != nil && c.leave() {
		l.conn.Store(nil)
		l.leaving = append(l.leaving, c)
	}
	switch c := l.conn.Load(); {
	case c != nil:
		c.Resume()
		if c.usable() { // else it is ending, and the next one will wake them
			waiters = l.takeWaitersLocked()
		}
	case len(l.waiters) > 0 || l.keep || !l.pinned && l.users > 0:
		l.connectLocked()
	}
	l.mu.Unlock()
	closeAll(old)
	l.tell(waiters, Ready, nil)
}

// expire gives up the connection, which has not answered for the whole hold
// time, and refuses those who wait.
func (l *Link) expire() {
	l.mu.Lock()
	conns := l.connsLocked()
	l.conn.Store(nil)
	waiters := l.takeWaitersLocked()
	l.mu.Unlock()
	closeAll(conns)
	l.tell(waiters, Expired, nil)
}
