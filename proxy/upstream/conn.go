package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"steadis/proxy/resp"
	"steadis/proxy/ring"
)

// connState says what a Conn takes.
//
//	open ◀──Pause/Resume──▶ paused
//	  │ LOADING, untrusted READONLY      (both) │ Close, EOF, READONLY
//	  ▼                                         ▼
//	draining ───────────────────────────────▶ closed
type connState uint8

const (
	open     connState = iota
	paused             // takes no calls; what is in flight is still answered
	draining           // as paused, but for good: closed when nothing is in flight
	closed
)

// bufferCap is the largest write buffer that is kept for reuse.
const bufferCap = 1 << 20

// Conn is one pipelined connection to one node: calls of many clients go out in
// one order and their replies come back in it. Two goroutines serve it, both
// started by start and ended by Close or the connection's end: writeLoop sends
// everything that is waiting in one write, readLoop hands the replies on.
type Conn struct {
	nc         net.Conn
	generation uint64
	push       func(frame []byte) Owner // takes frames that answer no call
	subscribed atomic.Bool              // the connection may get frames that answer no call
	onEnd      func(*Conn, error)       // called once by readLoop, before the Lost calls
	wake       chan struct{}            // capacity 1; holds a token only while writing is set
	done       chan struct{}            // closed when readLoop ends

	// mu guards the fields below. It may be taken while a client's or a link's
	// lock is held, never the other way round. No I/O and no callback under it,
	// but AppendWire, which only copies.
	mu       sync.Mutex
	state    connState
	inflight ring.Ring[entry] // in the order of the wire
	unsent   int              // the last so many of inflight are wholly in pending
	pending  []byte           // bytes that writeLoop has not taken yet
	spare    []byte           // the buffer that writeLoop gave back
	writing  bool             // writeLoop is awake, or has a token in wake
	demoted  bool             // the node proved to be no master: nothing in flight ran
}

// entry is one call in flight.
type entry struct {
	call  Call
	left  int32 // frames still to come
	bad   bool  // a frame said "not executed"
	mixed bool  // and a later one spoke as if something had run
}

func newConn(nc net.Conn, generation uint64, push func([]byte) Owner, onEnd func(*Conn, error)) *Conn {
	return &Conn{
		nc: nc, generation: generation, push: push, onEnd: onEnd,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// start starts the connection's goroutines, counted in wg.
func (c *Conn) start(wg *sync.WaitGroup, bufferSize int) {
	wg.Add(2)
	go c.writeLoop(wg)
	go c.readLoop(wg, bufferSize)
}

// Generation returns the generation of the master that the connection was made under.
func (c *Conn) Generation() uint64 { return c.generation }

// Send queues calls contiguously, in order, all or none. It never blocks. It
// returns ErrNotSent if the connection takes no calls now.
func (c *Conn) Send(calls []Call) error {
	c.mu.Lock()
	if c.state != open {
		c.mu.Unlock()
		return ErrNotSent
	}
	for _, call := range calls {
		c.pending = call.AppendWire(c.pending)
		c.inflight.Push(entry{call: call, left: int32(call.Frames())})
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

// usable says whether Send would take calls now.
func (c *Conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == open
}

// Subscribed says whether the connection is in subscribed mode, in which frames
// come that answer no call. It is set before the first SUBSCRIBE is sent.
func (c *Conn) Subscribed(yes bool) { c.subscribed.Store(yes) }

// clean says whether the connection takes calls and has none in flight.
func (c *Conn) clean() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == open && c.inflight.Len() == 0
}

// Pause stops the sending at once: calls not yet handed to the network are Lost
// (NotSent), what is in flight is still answered.
func (c *Conn) Pause() {
	c.mu.Lock()
	if c.state != open {
		c.mu.Unlock()
		return
	}
	c.state = paused
	back := c.takeUnsentLocked()
	c.mu.Unlock()
	loseAll(back, NotSent)
}

// Resume lets calls be sent again after Pause.
func (c *Conn) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == paused {
		c.state = open
	}
}

// Close ends the connection. Its calls in flight are Lost, by readLoop.
func (c *Conn) Close() {
	c.mu.Lock()
	c.state = closed
	c.mu.Unlock()
	c.nc.Close()
}

// takeUnsentLocked removes and returns the calls that writeLoop has not taken,
// oldest first. c.mu must be held.
func (c *Conn) takeUnsentLocked() []Call {
	back := make([]Call, c.unsent)
	for i := range back {
		back[len(back)-1-i] = c.inflight.PopBack().call
	}
	c.unsent = 0
	c.pending = c.pending[:0]
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

// writeLoop writes what is pending, everything in one write, whenever woken.
func (c *Conn) writeLoop(wg *sync.WaitGroup) {
	defer wg.Done()
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		for {
			// Let the other clients that are ready to run add their commands: one
			// write for all of them is what makes Redis spend a third of its time
			// on a command.
			runtime.Gosched()
			buf := c.takePending()
			if buf == nil {
				break
			}
			if _, err := c.nc.Write(buf); err != nil {
				c.Close() // readLoop notices and gives the calls their fate
				return
			}
			c.giveBack(buf)
		}
	}
}

// takePending takes the bytes to write; nil says that writeLoop may sleep.
func (c *Conn) takePending() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		c.writing = false
		return nil
	}
	buf := c.pending
	c.pending, c.spare = c.spare, nil
	c.unsent = 0
	return buf
}

func (c *Conn) giveBack(buf []byte) {
	if cap(buf) > bufferCap {
		return
	}
	c.mu.Lock()
	c.spare = buf[:0]
	c.mu.Unlock()
}

// readLoop hands each reply frame to its call and, at the connection's end,
// gives the calls that are left their fate.
func (c *Conn) readLoop(wg *sync.WaitGroup, size int) {
	defer wg.Done()
	err := c.readFrames(size)
	c.nc.Close()
	close(c.done)
	c.end(err)
}

func (c *Conn) readFrames(size int) error {
	var (
		scanner              resp.Scanner
		buf                  = make([]byte, size)
		start, scanned, fill int // buf[start:scanned] is the frame so far, buf[:fill] was read
		dirty                []Owner
	)
	for {
		n, err := c.nc.Read(buf[fill:])
		if err != nil {
			return err
		}
		fill += n
		for scanned < fill && err == nil {
			k, whole, serr := scanner.Scan(buf[scanned:fill])
			if serr != nil {
				err = fmt.Errorf("upstream: reply that is not RESP: %w", serr)
				break
			}
			scanned += k
			if !whole {
				break
			}
			dirty, err = c.deliver(buf[start:scanned], dirty)
			start = scanned
		}
		dirty = settleAll(dirty)
		if err != nil {
			return err
		}
		switch {
		case start == fill:
			start, scanned, fill = 0, 0, 0
			if len(buf) > 16*size {
				buf = make([]byte, size)
			}
		case fill == len(buf) && start > len(buf)/2:
			fill = copy(buf, buf[start:fill])
			scanned -= start
			start = 0
		case fill == len(buf):
			bigger := make([]byte, 2*len(buf))
			fill = copy(bigger, buf[start:fill])
			scanned -= start
			start, buf = 0, bigger
		}
	}
}

var (
	errUnasked = errors.New("upstream: a reply that answers no command")
	errDemoted = errors.New("upstream: the node is not a master any more")
	errDrained = errors.New("upstream: the node answered that it cannot serve now")

	queued    = []byte("+QUEUED\r\n")
	execAbort = []byte("-EXECABORT ")
)

// deliver hands one frame to the call that it answers. An error ends the
// connection.
func (c *Conn) deliver(frame []byte, dirty []Owner) ([]Owner, error) {
	if c.subscribed.Load() && isPush(frame) {
		if o := c.push(frame); o != nil {
			dirty = append(dirty, o)
		}
		return dirty, nil
	}
	e, back, err := c.match(frame)
	if e.call == nil {
		return dirty, err
	}
	last := e.left == 0
	var o Owner
	switch {
	case !e.bad:
		o = e.call.Reply(frame, last)
	case last && e.mixed:
		o = e.call.Lost(InDoubt)
	case last:
		o = e.call.Lost(NotExecuted)
	}
	if o != nil {
		dirty = append(dirty, o)
	}
	loseAll(back, NotSent)
	return dirty, err
}

// match finds the call that frame answers and, where it says something of the
// node itself, acts on it: back are the calls that must not be sent to that node
// any more. An entry with a call and an error: deal with it, then end.
func (c *Conn) match(frame []byte) (entry, []Call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inflight.Len() <= c.unsent {
		return entry{}, nil, errUnasked
	}
	e := c.inflight.At(0)
	var back []Call
	v := noVerdict
	if frame[0] == '-' {
		v = judge(frame)
	}
	switch {
	case v == demotes && e.call.Trusted():
		c.demoted = true
		return entry{}, nil, errDemoted
	case v != noVerdict:
		e.bad = true
		if c.state == open || c.state == paused {
			c.state = draining
			back = c.takeUnsentLocked()
		}
	case e.bad && !bytes.HasPrefix(frame, queued) && !bytes.HasPrefix(frame, execAbort):
		e.mixed = true
	}
	e.left--
	if frame[0] == '-' && e.call.ErrorEnds() {
		e.left = 0
	}
	found := *e
	if e.left == 0 {
		c.inflight.Pop()
		if c.state == draining && c.inflight.Len() == 0 {
			return found, back, errDrained
		}
	}
	return found, back, nil
}

// end is the last thing that happens to a connection.
func (c *Conn) end(err error) {
	c.mu.Lock()
	c.state = closed
	unsent := c.takeUnsentLocked()
	sent := make([]Call, c.inflight.Len())
	for i := range sent {
		sent[i] = c.inflight.Pop().call
	}
	c.pending, c.spare = nil, nil
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
	for i, call := range append(sent, unsent...) {
		f := fate
		if i >= len(sent) {
			f = NotSent
		}
		if o := call.Lost(f); o != nil {
			dirty = append(dirty, o)
		}
	}
	settleAll(dirty)
}
