package proxy

import (
	"errors"
	"os"
	"runtime"
	"sync"

	"go.uber.org/zap"

	"steadis/proxy/resp"
	"steadis/proxy/sysio"
)

// loop reads many clients in one goroutine, each when it has sent something, in the order in
// which they have. There is one for each thread. So nobody is woken for a command, what came
// at the same time goes out together, and an idle client has no goroutine. With one thread
// clients have their turn as Redis itself would give it to them: see turns for those who are
// not read by a loop.
//
// Nothing in a loop waits. A client whose reading would have to wait for something else than
// its next command (room for its commands, memory, the rest of a long value), that
// sends more than is read at one time, or whose read is broken off, is read by a goroutine of its
// own (clientConn.serve), which gives it back when it has caught up. So are clients
// whose connection is no plain socket, always.
type loop struct {
	server *Server
	poller *sysio.Poller
	alone  bool // there is one thread

	// Owned by run.
	now     []turn
	leaving []turn

	// mu guards the fields below and the seats of clients. A session's lock may be held when
	// it is taken, never the other way round. No I/O under it.
	mu      sync.Mutex
	clients map[uint64]*clientConn // by seat.token
	last    uint64
}

// seat is a client's place in its loop.
type seat struct {
	token     uint64 // 0: it is read by a goroutine of its own
	busy      bool   // it has a turn
	calledOut bool   // and is to leave behind that
}

// turn is a client that has sent something.
type turn struct {
	client *clientConn
	ended  bool // and will send nothing more, see sysio.Event
	next   next
}

// next is how a client is read on after a turn.
type next uint8

const (
	byLoop   next = iota
	onItsOwn      // by a goroutine of its own
	notAny        // not at all
)

// startLoops makes a loop for each thread, or none if the system has nothing for them.
func (s *Server) startLoops() {
	n := runtime.GOMAXPROCS(0)
	for range n {
		p, err := sysio.NewPoller()
		if err != nil {
			if !errors.Is(err, errors.ErrUnsupported) {
				s.o.Log.Warn("not every thread reads its clients in one loop, which is faster", zap.Int("loops", len(s.loops)), zap.Error(err))
			}
			return
		}
		l := &loop{server: s, poller: p, alone: n == 1, clients: make(map[uint64]*clientConn)}
		s.loops = append(s.loops, l)
		s.spawn(l.run)
	}
}

// endLoops has the loops end, now that there are no clients any more.
func (s *Server) endLoops() {
	s.looping.Do(func() {}) // and none is made
	for _, l := range s.loops {
		_ = l.poller.Close()
	}
}

// run is the loop's goroutine; it ends when its poller is closed.
func (l *loop) run() {
	_ = l.poller.Run(l.round) // the error says that it was closed
	l.mu.Lock()
	left := l.clients
	l.clients = nil
	for _, c := range left {
		c.seat.token = 0
	}
	l.mu.Unlock()
	for _, c := range left {
		l.server.spawn(c.serve)
	}
}

// round gives clients their turn.
func (l *loop) round(events []sysio.Event) {
	l.mu.Lock()
	for _, e := range events {
		if c := l.clients[e.Token]; c != nil {
			c.seat.busy = true
			l.now = append(l.now, turn{client: c, ended: e.Ended})
		}
	}
	l.mu.Unlock()
	for i := range l.now {
		t := &l.now[i]
		t.next = t.client.advance(t.ended)
		if l.alone && t.client.session.private.Load() != nil {
			runtime.Gosched() // the turn of its own connection's writer, before the next one's
		}
	}
	l.mu.Lock()
	for _, t := range l.now {
		seat := &t.client.seat
		seat.busy = false
		if t.next != byLoop || seat.calledOut {
			l.emptyLocked(t.client)
			l.leaving = append(l.leaving, t)
		}
	}
	l.mu.Unlock()
	for _, t := range l.leaving {
		l.release(t)
	}
	clear(l.now)
	clear(l.leaving)
	l.now, l.leaving = l.now[:0], l.leaving[:0]
}

// emptyLocked takes the client's seat away.
func (l *loop) emptyLocked(c *clientConn) {
	delete(l.clients, c.seat.token)
	c.seat = seat{}
}

// release has a client that has lost its seat read on.
func (l *loop) release(t turn) {
	_ = l.poller.Remove(t.client.in.raw) // an error: it is closed, and watched no more
	if t.next != notAny {
		l.server.spawn(t.client.serve)
	}
}

// attend has somebody read a client that has come.
func (s *Server) attend(c *clientConn) {
	if c.in.raw != nil {
		s.looping.Do(s.startLoops)
	}
	if c.in.raw != nil && len(s.loops) > 0 {
		c.loop.Store(s.loops[c.session.id%uint64(len(s.loops))])
	}
	if !c.toLoop() {
		s.spawn(c.serve)
	}
}

// toLoop gives the client to its loop, if that can read it. Then the caller has lost it.
func (c *clientConn) toLoop() bool {
	l := c.loop.Load()
	if l == nil || c.in.full || c.More() || c.Buffered() > 0 || len(c.carry) > 0 || c.session.server.ending.Load() != serving {
		return false
	}
	l.mu.Lock()
	if l.clients == nil {
		l.mu.Unlock()
		return false
	}
	c.in.prompt = true
	l.last++
	token := l.last
	c.seat.token = token
	l.clients[token] = c
	l.mu.Unlock()
	if l.poller.Add(c.in.raw, token) == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.seat.token != token {
		return true // it was called out meanwhile: another goroutine has it
	}
	l.emptyLocked(c)
	c.in.prompt = false
	return false
}

// callOut has the client read by a goroutine of its own, which looks why: its connection was
// closed, or its read was broken off. A session's lock may be held.
func (c *clientConn) callOut() {
	l := c.loop.Load()
	if l == nil {
		return
	}
	l.mu.Lock()
	out := c.seat.token != 0 && !c.seat.busy
	c.seat.calledOut = c.seat.busy
	if out {
		l.emptyLocked(c)
	}
	l.mu.Unlock()
	if out {
		l.release(turn{client: c, next: onItsOwn})
	}
}

// advance is the client's turn: it reads what has come.
func (c *clientConn) advance(ended bool) next {
	c.in.reads = mostReads
	for {
		err := c.next()
		switch {
		case err == nil:
			if crowded := c.take(); crowded || c.in.full {
				return onItsOwn
			}
		case err == errNothing:
			return byLoop
		case goesOnAlone(err):
			return onItsOwn
		default:
			c.Close()
			return notAny
		}
		if !ended && !c.More() {
			return byLoop // there was room for more, so there is no more
		}
	}
}

// goesOnAlone says whether an error is for serve to deal with: it will see it, too.
func goesOnAlone(err error) bool {
	var fault *resp.ProtocolError
	return err == errMustWait || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &fault)
}
