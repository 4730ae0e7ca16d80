package resp

import (
	"net"
	"sync/atomic"
)

// Guard is a client's connection whose Next hands out only whole, legal commands
// in canonical multibulk form. It stands before redcon v1.6.4, whose own parser
// can be crashed, made to spin and made to rescan by a client, drops a good command
// before a bad one, and differs from Redis in what it accepts. What it means to be
// legal is as in Redis 7.0 (see query).
//
// Commands that arrive whole and canonical go straight through: they are read
// into the caller's memory and scanned there once. Only what is left over is
// kept, in memory from a pool that is given back as soon as it is empty. Nothing
// is reserved for sizes that were only announced.
//
// Large commands are kept in memory of their own, which becomes the command's: Next hands
// out a placeholder, and TakeLarge the command. Of one
// that is larger still the last argument is not kept at all: it comes as a Body, and the
// next Next waits until that has been read.
//
// Next, Read and TakeLarge may be called by one goroutine at a time; all other methods
// concurrently.
type Guard struct {
	net.Conn
	unauth  atomic.Bool
	partial atomic.Int64         // what Buffered says
	use     atomic.Int32         // reading and closed bits: who gives the memory back
	body    atomic.Pointer[Body] // q.stream, for Close

	// Owned by Next and TakeLarge, or by Close once neither is under way.
	q       query
	backlog []byte // read, but not to be judged before earlier commands are handled
	fault   error  // of the client; returned once all before it is handed out
	readErr error  // of the connection; the same
}

// Bits of Guard.use.
const (
	reading = 1
	closed  = 2
)

// NewGuard wraps conn. Fields of limits that are zero take their defaults.
func NewGuard(conn net.Conn, limits Limits) *Guard {
	g := &Guard{Conn: conn}
	g.q.limits = limits.orDefaults()
	g.q.account.budget = limits.Budget
	g.q.out.account, g.q.large.account = &g.q.account, &g.q.account
	g.q.streams = g.body.Store
	return g
}

// SetUnauthenticated says whether the client has yet to authenticate, which puts
// Redis' limits of 10 arguments of 16384 bytes in force. It counts from the next
// command that has not been scanned; a command that exceeds these limits is
// judged only in the Next after the one that handed out the command before it. So
// who handles AUTH has to say false before it is called.
func (g *Guard) SetUnauthenticated(yes bool) { g.unauth.Store(yes) }

// unauthenticated says whether the limits for clients that have yet to do so are in force.
func (g *Guard) unauthenticated() bool {
	return g.unauth.Load() || g.q.limits.Unauthenticated != nil && g.q.limits.Unauthenticated()
}

// SetMaxBulk changes Limits.MaxBulk. It must be called by the goroutine that reads.
func (g *Guard) SetMaxBulk(n int64) { g.q.limits.MaxBulk = n }

// Buffered returns how many bytes of an unfinished command are held.
func (g *Guard) Buffered() int { return int(g.partial.Load()) }

// NetConn returns the connection that is wrapped, for writing: reading it takes
// bytes away from the Guard.
func (g *Guard) NetConn() net.Conn { return g.Conn }

// Write writes to the connection. Nothing is done for no bytes: redcon writes that
// after each batch, and it would cost a system call.
func (g *Guard) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return g.Conn.Write(p)
}

// Close closes the connection and gives the memory back.
func (g *Guard) Close() error {
	err := g.Conn.Close()
	if b := g.body.Load(); b != nil {
		b.w.CloseWithError(ErrBodyCut) // pump may wait for a reader
	}
	if g.use.Or(closed) == 0 {
		g.free()
	}
	return err
}

// Memory is where Next puts what a client sends. Its methods are called by Next only.
type Memory interface {
	// Size returns how many bytes there are, at least 1.
	Size() int
	// Bytes returns the memory.
	Bytes() []byte
	// Fill waits until the client has sent something, and reads it to Bytes()[off:]; so
	// who is idle needs no memory.
	Fill(off int) (n int, err error)
	// Wait is called before Next waits for anything but Fill: for the rest of a long argument,
	// or for who reads one that is not kept. An error becomes Next's, which may be called again.
	Wait() error
	// Found returns where commands in the memory may be noted; nil if nowhere.
	Found() *Found
}

// Next hands out whole commands, a long one over several calls, in m's memory. found is
// m's, and says where they and their arguments are; it is nil if Next has not looked.
// It returns a *ProtocolError for ever once the client has broken the
// protocol or a limit, after all commands before the fault were handed out; io.EOF at the end,
// also within a command; and the connection's errors, after which it may be called again if
// they are temporary, as that of a read deadline.
func (g *Guard) Next(m Memory) (b []byte, found *Found, err error) {
	if m.Size() == 0 {
		return nil, nil, nil
	}
	if !g.use.CompareAndSwap(0, reading) {
		return nil, nil, net.ErrClosed
	}
	n, found, err := g.read(m)
	if held := g.q.partial() + int64(len(g.backlog)); held != g.partial.Load() {
		g.partial.Store(held)
	}
	g.leave()
	if n == 0 {
		return nil, nil, err
	}
	return m.Bytes()[:n], found, err
}

// Read is Next with the caller's memory.
func (g *Guard) Read(p []byte) (int, error) {
	b, _, err := g.Next(given{g.Conn, p})
	return len(b), err
}

// given is memory of a caller who waits with it.
type given struct {
	conn net.Conn
	p    []byte
}

func (m given) Size() int                 { return len(m.p) }
func (m given) Bytes() []byte             { return m.p }
func (m given) Fill(off int) (int, error) { return m.conn.Read(m.p[off:]) }
func (m given) Wait() error               { return nil }
func (m given) Found() *Found             { return nil }

// leave ends a Next or a TakeLarge.
func (g *Guard) leave() {
	if !g.use.CompareAndSwap(reading, 0) { // Close left the memory to us
		g.free()
	}
}

// TakeLarge is to be called with the arguments of each command that Read has
// handed out, in their order. placeholder says whether they stand for a command of
// more than Limits.MaxInPlace bytes; then raw is that command, in canonical form,
// and largeArgs are its arguments, which are parts of raw. Both are the caller's,
// and no longer count in the Budget. If the last argument has at least
// Limits.StreamFrom bytes, raw may end before it, it is empty in largeArgs, and comes as body,
// which must be read or closed. They are nil if the Guard has been closed: the
// command is gone, and so is what follows it. Nothing but the lengths is looked at
// for all other commands.
func (g *Guard) TakeLarge(args [][]byte) (raw []byte, largeArgs [][]byte, body *Body, placeholder bool) {
	if len(args) != 1 || len(args[0]) != len(placeholderArg) {
		return nil, nil, nil, false
	}
	if !g.use.CompareAndSwap(0, reading) {
		return nil, nil, nil, true
	}
	raw = g.q.large.take()
	if g.q.stream != nil && len(g.q.large.whole) == 0 {
		body = g.body.Load() // the last command that was handed out
	}
	g.leave()
	if body != nil {
		return raw, splitHead(raw), body, true
	}
	return raw, SplitCommand(raw), nil, true
}

// read is Next between its entry and its exit.
func (g *Guard) read(m Memory) (int, *Found, error) {
	for {
		if g.q.ready > 0 {
			return g.q.take(m.Bytes()), nil, nil
		}
		if len(g.backlog) > 0 {
			b := g.backlog
			g.backlog = nil
			g.feed(b, false)
			continue
		}
		if g.fault != nil {
			g.q.free()
			return 0, nil, g.fault
		}
		if err := g.readErr; err != nil {
			g.readErr = nil
			return 0, nil, err
		}
		if g.waits(m) {
			if err := m.Wait(); err != nil {
				return 0, nil, err
			}
		}
		if g.q.phase == inBodyStream {
			g.pump()
			continue
		}
		if n, found := g.fill(m); n > 0 {
			return n, found, nil
		}
	}
}

// More says whether Next would return without reading. It must not be called concurrently with
// Next.
func (g *Guard) More() bool {
	return g.q.ready > 0 || len(g.backlog) > 0 || g.fault != nil || g.readErr != nil
}

// waits says whether m is not what is read into next.
func (g *Guard) waits(m Memory) bool {
	return g.q.phase == inBodyStream || g.q.phase == inBody && g.q.body >= int64(m.Size())
}

// fill reads from the connection once. It returns how many bytes of whole commands
// it has put into m, and leaves the rest, and all errors, in g.
func (g *Guard) fill(m Memory) (int, *Found) {
	size := int64(m.Size())
	if g.waits(m) {
		g.fillBody()
		return 0, nil
	}
	// What is held of a command goes before what is read now. If it is short,
	// leave room for it, so that what follows the command need not be moved.
	off := 0
	if held := g.q.partial(); held <= size/2 {
		off = int(held)
	}
	n, err := m.Fill(off)
	g.readErr = err
	if n == 0 {
		return 0, nil
	}
	p := m.Bytes()
	b := p[off : off+n]
	if g.q.partial() == 0 {
		found := m.Found()
		found.reset()
		return g.pass(p[:n], 0, found), found
	}
	used, e, fault := g.q.feed(b, g.unauthenticated(), false)
	if e != gotWhole {
		g.stop(b[used:], e, fault)
		return 0, nil
	}
	if off > 0 && g.q.ready == int64(off+used) {
		g.q.take(p[:off+used])
		found := m.Found()
		found.reset()
		found.note(p[:off+used])
		return g.pass(p[:off+n], off+used, found), found
	}
	g.feed(b[used:], true)
	return 0, nil
}

// pass hands out b[:from], which is whole commands, and those that follow it in b;
// the rest it keeps. It returns how many bytes are handed out.
func (g *Guard) pass(b []byte, from int, found *Found) int {
	whole := g.q.limits.whole(b, from, g.unauthenticated(), found)
	if whole < len(b) {
		g.feed(b[whole:], whole > 0)
	}
	return whole
}

// fillBody reads a piece of a long argument to where it is kept.
func (g *Guard) fillBody() {
	space := g.q.space()
	if space == nil {
		g.fail(errBudget)
		return
	}
	n, err := g.Conn.Read(space[:min(int64(len(space)), g.q.body)])
	g.readErr = err
	g.q.wrote(n)
	if g.q.due() {
		if _, fault := g.q.beginStream(); fault != nil {
			g.fail(fault)
		}
		return
	}
	if g.q.size() > g.q.limits.MaxBuffered {
		g.fail(errCommandTooBig(g.q.limits.MaxBuffered))
	}
}

// feed gives b to the query, command by command. prior says that commands before
// b are being handed out.
func (g *Guard) feed(b []byte, prior bool) {
	for len(b) > 0 {
		used, e, fault := g.q.feed(b, g.unauthenticated(), prior)
		b = b[used:]
		if e != gotWhole {
			g.stop(b, e, fault)
			return
		}
	}
}

// stop deals with the end of feeding: rest was not used because of e.
func (g *Guard) stop(rest []byte, e event, fault *ProtocolError) {
	switch e {
	case blocked:
		g.backlog = append([]byte(nil), rest...)
	case gotFault:
		g.fail(fault)
	case needMore, gotWhole:
	}
}

// fail ends reading with fault, after what is whole.
func (g *Guard) fail(fault *ProtocolError) {
	g.fault = fault
	g.backlog = nil
}

// free gives all memory back. The caller is the only one who uses it.
func (g *Guard) free() {
	g.q.free()
	for g.q.large.take() != nil {
	}
	g.backlog = nil
	if b := g.q.stream; b != nil {
		b.w.CloseWithError(ErrBodyCut)
	}
	g.partial.Store(0)
}
