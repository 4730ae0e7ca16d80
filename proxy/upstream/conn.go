package upstream

import (
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"steadis/proxy/ring"
)

// ErrStalled is why a shared connection was given up on which commands waited for
// replies and nothing came, while the node answered on another connection: the
// network drops this flow without a word. Options.Trouble is told of it.
var ErrStalled = errors.New("upstream: no reply on this connection while the node answers on another")

// connState says what a Conn takes.
//
//	open ◀──Pause/Resume──▶ paused
//	  │ LOADING, a script's READONLY     (both) │ Close, EOF, READONLY
//	  ▼                                         ▼
//	draining ───────────────────────────────▶ closed
type connState uint8

const (
	open     connState = iota
	paused             // takes no calls; what is in flight is still answered
	draining           // as paused, but for good: closed when nothing is in flight
	closed
)

// Conn is one pipelined connection to one node: calls of many clients go out in
// one order and their replies come back in it. Two goroutines serve it, both
// started by start and ended by Close or the connection's end: writeLoop sends
// everything that is waiting in one write, readLoop hands the replies on and ends
// last, so that it knows what was written when it gives the calls their fate.
type Conn struct {
	nc         net.Conn
	origin     Origin
	clientID   int64                    // what CLIENT ID says of it; 0 if it was not asked or may not ask
	replica    bool                     // of a pool of replicas: see verdictOn
	private    bool                     // of a pinned link: no other client's commands will come
	name       string                   // Name's, of a pinned link's owner
	push       func(frame []byte) Owner // takes frames that answer no call
	subscribed atomic.Bool              // RESP2: the connection may get messages
	resp3      atomic.Bool              // it speaks RESP3: pushes may come
	loose      atomic.Bool              // what Loose says
	durable    *Durability              // nil: replies are believed at once
	publish    bool                     // a barrier begins with a PUBLISH
	confirmed  func(error)              // told whether a barrier was passed
	monitoring atomic.Bool              // the connection gets what MONITOR shows
	onEnd      func(*Conn, error)       // called once by readLoop, before the Lost calls
	onLeave    func(*Conn)              // called when it takes no more calls, because of a large reply; may be nil
	wake       chan struct{}            // capacity 1; holds a token only while writing is set
	done       chan struct{}            // closed when readLoop has read the last frame
	wrote      chan struct{}            // closed when writeLoop has ended

	// progress counts reads, and the pieces of large writes: what shows that the
	// connection lives. Only stalled compares it.
	progress atomic.Uint64

	// mu guards the fields below. It may be taken while a client's or a link's
	// lock is held, never the other way round. No I/O and no callback under it,
	// but AppendWire, which only copies.
	mu          sync.Mutex
	state       connState
	inflight    ring.Ring[entry] // in the order of the wire
	unsent      int              // the last so many of inflight were not handed to the network
	pending     []byte           // bytes that writeLoop has not taken yet
	spare       []byte           // the buffer that writeLoop gave back
	writing     bool             // writeLoop is awake, or has a token in wake
	partial     bool             // a reply has begun and not ended
	parked      bool             // writeLoop waits for its end
	demoted     bool             // the node proved to be no master: nothing in flight ran
	bad         bool             // a frame of the first call in flight said "not executed"
	mixed       bool             // and a later one of it spoke as if something had run
	pausedSince time.Time        // of the state paused
	suspect     time.Time        // since when it is paused and another node may become master; zero: no time
	multi       bool             // behind all that is queued, a MULTI is open
	multiWas    bool             // the same, behind all that was handed to the network
	cause       error            // why it was closed, if that is neither Close nor the peer's doing

	withheld  []withheldFrame // in the order of the wire, before those in flight
	stream    io.ReadCloser   // what follows behind pending
	written   io.ReadCloser   // what is being written
	streaming Call            // whose stream it is; nil once all of it was written

	uncovered    Stake // of what has no barrier behind it
	uncoveredWas Stake // the same, of what was handed to the network: a stream's
	barriers     int   // that the network has: nothing else is sent meanwhile
	newBarriers  int   // that wait with what is pending

	seen  uint64    // progress when stalled last looked
	quiet time.Time // since when stalled has seen calls wait and no progress
}

// entry is one call in flight.
type entry struct {
	call Call
	left int32 // frames still to come
	size int32 // bytes on the wire; hugeCall stands for any number beyond
}

// hugeCall is the size of a call that is too large for its field.
const hugeCall = math.MaxInt32

// Origin says which master a connection was made to: in whose reign.
type Origin struct {
	Generation uint64 // how many masters this process has followed
	Epoch      uint64 // topology.View.Epoch, the same for every process
}

func newConn(g greeted, origin Origin, push func([]byte) Owner, onEnd func(*Conn, error)) *Conn {
	c := &Conn{
		nc: g.nc, origin: origin, clientID: g.clientID, push: push, onEnd: onEnd,
		wake: make(chan struct{}, 1), done: make(chan struct{}), wrote: make(chan struct{}),
	}
	c.resp3.Store(g.resp3)
	return c
}

// noPush is for connections on which nobody waits for what answers no call.
func noPush([]byte) Owner { return nil }

// start starts the connection's goroutines, counted in wg.
func (c *Conn) start(wg *sync.WaitGroup, bufferSize int) {
	wg.Add(2)
	go c.writeLoop(wg)
	go c.readLoop(wg, bufferSize)
}

// Generation returns the generation of the master that the connection was made under.
func (c *Conn) Generation() uint64 { return c.origin.Generation }

// Epoch returns Sentinel's config epoch of the master that the connection was made to.
func (c *Conn) Epoch() uint64 { return c.origin.Epoch }

// ClientID returns what CLIENT ID says of a pinned link's connection, or 0 if the
// user may not ask.
func (c *Conn) ClientID() int64 { return c.clientID }

// Send queues calls contiguously, in order, all or none. It never blocks. It
// returns ErrNotSent if the connection takes no calls now.
func (c *Conn) Send(calls []Call) error {
	c.mu.Lock()
	if c.state != open {
		c.mu.Unlock()
		return ErrNotSent
	}
	for _, call := range calls {
		if c.private || c.durable != nil {
			c.noteStakeLocked(call)
		}
		before := len(c.pending)
		c.pending = call.AppendWire(c.pending)
		size := int32(min(len(c.pending)-before, hugeCall))
		c.inflight.Push(entry{call: call, left: int32(call.Frames()), size: size})
		if s, ok := call.(Streamer); ok && c.private {
			if stream := s.Stream(); stream != nil {
				c.stream, c.streaming = stream, call
			}
		}
	}
	c.unsent += len(calls)
	wake := !c.writing
	c.writing = true
	c.mu.Unlock()
	if wake {
		c.wake <- struct{}{}
	}
	return nil
}

// Replace puts what with returns in the place of each call in flight, so that the former one
// is not kept until its reply. with is called under the connection's lock and may only look
// and copy; what it returns must be like the call but for AppendWire, which is over.
func (c *Conn) Replace(with func(Call) Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.inflight.Len() {
		e := c.inflight.At(i)
		if call := with(e.call); e.call != c.streaming {
			e.call = call
		}
	}
}

// usable says whether Send would take calls now.
func (c *Conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == open
}

// Subscribed says whether the connection is in subscribed mode, in which frames
// come that answer no call. It is set before the first SUBSCRIBE is sent.
func (c *Conn) Subscribed(yes bool) { c.subscribed.Store(yes) }

// OnlySubscribes says whether the connection is in RESP2's subscribed mode, in which Redis takes
// no other commands.
func (c *Conn) OnlySubscribes() bool { return c.subscribed.Load() && !c.resp3.Load() }

// Loose says that an EXEC on the connection has subscriptions in it: Redis counts its
// reply wrong then, and frames may come that nobody waits for.
func (c *Conn) Loose() { c.loose.Store(true) }

// Speaks says which protocol a HELLO that was sent over the connection has led to.
func (c *Conn) Speaks(protocol int) { c.resp3.Store(protocol == 3) }

// Name returns the name that SetName has noted. Both are for the owner of a pinned link.
func (c *Conn) Name() string { return c.name }

// SetName notes that the owner sends CLIENT SETNAME (Name command) over the connection.
func (c *Conn) SetName(name string) { c.name = name }

// Monitoring says that the connection shows what MONITOR shows, in frames that answer
// no call. It is set before MONITOR is sent.
func (c *Conn) Monitoring() { c.monitoring.Store(true) }

// clean says whether the connection takes calls and has none in flight.
func (c *Conn) clean() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == open && c.inflight.Len() == 0 && len(c.withheld) == 0
}

// owesFor is how long the connection may owe replies when it is to go on after a pause.
// Redis answers in less, and TCP, if the network has lost what was sent, may try again
// only after as long as it has tried in vain already.
const owesFor = 500 * time.Millisecond

// leave makes a shared connection that was paused for long and still owes replies take
// no more calls, and says whether it has done so. What is in flight is still answered.
func (c *Conn) leave() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.private || c.state != paused || c.inflight.Len() == 0 || len(c.withheld) > 0 || time.Since(c.pausedSince) < owesFor {
		return false
	}
	c.state, c.cause, c.suspect = draining, errLeft, time.Time{}
	return true
}

// busy says whether the connection owes replies.
func (c *Conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state != closed && c.inflight.Len()+len(c.withheld) > 0
}

// Pause stops the sending at once: calls not yet handed to the network are Lost
// (NotSent), what is in flight is still answered. What writeLoop has taken counts
// as handed over, also while its Write is still under way.
func (c *Conn) Pause() { loseAll(c.pause(false), NotSent) }

// pause is Pause without telling the calls, which it returns. A link's lock may
// be held. trusted says that the node is master for certain: what it answers is
// believed, however late (see trust). A pause that is trusted can become one that is not.
func (c *Conn) pause(trusted bool) []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !trusted && c.suspect.IsZero() {
		c.suspect = time.Now()
	}
	if c.state != open {
		return nil
	}
	c.state, c.pausedSince = paused, time.Now()
	return c.takeUnsentLocked()
}

// Resume lets calls be sent again after Pause.
func (c *Conn) Resume() {
	c.mu.Lock()
	if c.state != paused {
		left := c.state == draining && len(c.withheld) > 0 // nothing more can be asked
		c.suspect = time.Time{}
		c.mu.Unlock()
		if left {
			c.Close()
		}
		return
	}
	c.state, c.suspect = open, time.Time{}
	c.quiet = time.Time{} // the node itself may have stood still meanwhile
	recalled := c.recallLocked()
	wake := (len(c.pending) > 0 || c.owesBarrierLocked()) && !c.writing
	c.writing = c.writing || wake
	c.mu.Unlock()
	switch {
	case !recalled:
		c.Close()
	case wake:
		c.wake <- struct{}{}
	}
}

// Close ends the connection. Its calls in flight are Lost, by readLoop.
func (c *Conn) Close() { c.fail(nil) }

// Stalled says whether the connection was given up because it stood still.
func (c *Conn) Stalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause == ErrStalled
}

// fail is Close, for a reason that is told in place of "use of closed network
// connection". The first reason counts.
func (c *Conn) fail(cause error) {
	c.mu.Lock()
	c.closeLocked(cause)
	c.mu.Unlock()
	c.nc.Close()
}

func (c *Conn) closeLocked(cause error) {
	if c.state != closed {
		c.state = closed
		if c.cause == nil {
			c.cause = cause
		}
	}
}

// brokenReply is how long a reply that has begun may not go on while the node answers
// on another connection. Redis writes a reply without a pause.
const brokenReply = 2 * time.Second

// stalled says whether calls have waited for replies at least as long as limit
// and nothing has moved on the connection for so long; brokenReply is enough within a
// reply. A limit of 0 leaves only that. It sees only what it is
// called for: the time counts from the first call that found the connection
// waiting, so it is never too early, and late by at most two calls' distance. One
// goroutine calls it.
func (c *Conn) stalled(now time.Time, limit time.Duration) bool {
	progress := c.progress.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.partial && (limit == 0 || limit > brokenReply) {
		limit = brokenReply
	}
	switch {
	case limit == 0:
		return false
	case c.state == closed:
		return false
	case c.inflight.Len() == c.unsent || progress != c.seen:
		c.seen, c.quiet = progress, time.Time{}
		return false
	case c.quiet.IsZero():
		c.quiet = now
		return false
	}
	return now.Sub(c.quiet) >= limit
}

// takeUnsentLocked removes and returns the calls that were not handed to the
// network, oldest first. c.mu must be held.
func (c *Conn) takeUnsentLocked() []Call {
	back := make([]Call, c.unsent)
	for i := range back {
		back[len(back)-1-i] = c.inflight.PopBack().call
	}
	c.unsent = 0
	c.pending = c.pending[:0]
	c.uncovered, c.newBarriers, c.multi = c.uncoveredWas, 0, c.multiWas
	if len(back) > 0 && c.stream != nil {
		c.stream, c.streaming = nil, nil
	}
	return back
}

// loseAll tells calls their fate and settles their owners.
func loseAll(calls []Call, fate Fate) {
	var dirty []Owner
	for _, call := range calls {
		if o := call.Lost(fate); o != nil {
			dirty = append(dirty, o)
		}
	}
	settleAll(dirty)
}

// end is the last thing that happens to a connection. It is closed, and writeLoop
// has ended.
func (c *Conn) end(err error) {
	c.mu.Lock()
	if c.cause != nil {
		err = c.cause
	}
	unsent := c.takeUnsentLocked()
	sent := make([]Call, c.inflight.Len())
	for i := range sent {
		sent[i] = c.inflight.Pop().call
	}
	c.pending, c.spare = nil, nil
	withheld, half := c.withheld, c.streaming
	c.withheld = nil
	fate := InDoubt
	if c.demoted {
		// Promotion closes a node's connections in the same transaction (Sentinel
		// sends MULTI; SLAVEOF NO ONE; ...; CLIENT KILL TYPE normal; EXEC), so
		// nothing behind a refused write on one connection can have run.
		fate = NotExecuted
	}
	c.mu.Unlock()
	c.onEnd(c, err)
	var dirty []Owner
	for _, w := range withheld {
		if !w.last {
			continue // it is still in flight
		}
		if o := w.call.Lost(Withheld); o != nil {
			dirty = append(dirty, o)
		}
	}
	for i, call := range append(sent, unsent...) {
		f := fate
		if i >= len(sent) || call == half {
			f = NotSent // not all of it
		}
		if o := call.Lost(f); o != nil {
			dirty = append(dirty, o)
		}
	}
	settleAll(dirty)
}
