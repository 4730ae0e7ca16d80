package proxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"steadis/proxy/socket"
)

// chunk is the size up to which a client's output buffer is kept for reuse.
const chunk = 16 << 10

var chunks = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// output is what a client has yet to read. Whoever has replies for the client
// adds them and flushes; nobody ever waits for the client: what its socket does
// not take at once goes out by a goroutine of its own, and beyond the limit the
// client is cut off.
type output struct {
	nc      net.Conn
	try     socket.Try     // nil if nothing can be written without waiting
	spawn   func(func())   // runs trickle, its goroutine, counted by the server
	drained func()         // called, with no lock held, when trickle has caught up
	broken  func()         // called, with no lock held, when trickle finds the connection gone
	closed  func()         // called, with o.mu not held, when the connection has been closed; may be nil
	memory  *memory        // of all clients; may be nil
	slow    *atomic.Int64  // counts outputs beyond their soft limit; nil without one
	sent    *atomic.Uint64 // counts the bytes that were written; nil: nobody does

	// mu guards the fields below. No I/O under it: flushing marks the one
	// goroutine that writes meanwhile.
	mu       sync.Mutex
	limit    int64 // of bytes that wait
	soft     int64 // of bytes that may wait for softTime; 0: none
	softTime time.Duration
	over     time.Time // since when more wait than soft; zero if not
	charged  int64     // what memory knows of
	buf      []byte
	home     *[]byte // where buf's memory came from
	lately   int     // bytes that were written at one time last
	behind   int64   // bytes that trickle has taken and not written yet
	parting  bool    // a reply is under way in parts
	aside    []byte  // what has come unasked meanwhile
	flushing bool
	last     bool      // nothing comes after what is here: close when it is written
	err      error     // the client cannot be written to any more
	room     sync.Cond // signalled when less waits for the client
}

// newOutput returns the output of nc.
func newOutput(nc net.Conn, limit int64, spawn func(func())) *output {
	o := &output{nc: nc, try: socket.TryWriter(nc), limit: limit, spawn: spawn}
	o.room.L = &o.mu
	return o
}

// add queues b, copied. It returns false if the client had not read more than
// the limit before: it must be cut off.
func (o *output) add(b []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.roomLocked() {
		return o.err != nil || o.last // who is gone needs nothing
	}
	o.buf = append(o.buf, b...)
	o.chargeLocked()
	return true
}

// addUnasked is add for what answers no command; head takes the place of its first byte.
// It must not come between the parts of a reply.
func (o *output) addUnasked(head byte, b []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.roomLocked() {
		return o.err != nil || o.last
	}
	to := &o.buf
	if o.parting {
		to = &o.aside
	}
	*to = append(append(*to, head), b[1:]...)
	o.chargeLocked()
	return true
}

// inParts says whether what add gets next is a part of a reply, with more to come.
func (o *output) inParts(yes bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.parting = yes; yes || len(o.aside) == 0 {
		return
	}
	if o.err == nil && !o.last {
		o.buf = append(o.buf, o.aside...)
	}
	o.aside = nil
	o.chargeLocked()
}

// unreadLocked is how much the client has not read, in bytes. o.mu must be held.
func (o *output) unreadLocked() int64 { return int64(len(o.buf)+len(o.aside)) + o.behind }

// roomLocked says whether more may be queued, and makes a buffer for it. o.mu must be
// held.
func (o *output) roomLocked() bool {
	if o.err != nil || o.last || !o.withinLocked() {
		return false
	}
	if o.buf == nil {
		o.home = chunks.Get().(*[]byte)
		o.buf = (*o.home)[:0]
	}
	return true
}

// withinLocked says whether the client has read enough to get more. o.mu must be held.
func (o *output) withinLocked() bool {
	n := o.unreadLocked()
	return n <= o.limit && (n <= o.soft || o.soft == 0 || !o.overdueLocked(time.Now()))
}

// overdueLocked says whether more than the soft limit has waited for too long without a
// break (Redis 7.0 networking.c checkClientOutputBufferLimits). o.mu must be held.
func (o *output) overdueLocked(now time.Time) bool {
	n := o.unreadLocked()
	switch {
	case o.soft == 0 || n <= o.soft:
		o.noteOverLocked(time.Time{})
		return false
	case o.over.IsZero():
		o.noteOverLocked(now)
	}
	return now.Sub(o.over) >= o.softTime
}

// noteOverLocked notes since when more waits than the soft limit. o.mu must be held.
func (o *output) noteOverLocked(since time.Time) {
	if o.slow != nil && o.over.IsZero() != since.IsZero() {
		n := int64(1)
		if since.IsZero() {
			n = -1
		}
		o.slow.Add(n)
	}
	o.over = since
}

// overdue says at now whether the client has not read for so long that it must be cut off.
func (o *output) overdue(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err == nil && !o.last && o.overdueLocked(now)
}

// bound sets the limits. soft 0 means none.
func (o *output) bound(limit, soft int64, softTime time.Duration) {
	o.mu.Lock()
	o.limit, o.soft, o.softTime = limit, soft, softTime
	o.mu.Unlock()
}

// bounds returns the limits.
func (o *output) bounds() (limit, soft int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.limit, o.soft
}

// waiting returns how many bytes memory knows of.
func (o *output) waiting() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.charged
}

// chargeLocked tells memory what waits for a client that is behind. What goes out at once
// does not count. o.mu must be held.
func (o *output) chargeLocked() {
	n := o.behind + int64(len(o.aside))
	if o.behind > 0 {
		n += int64(len(o.buf))
	}
	if d := n - o.charged; o.memory != nil && (d >= chargeStep || d <= -chargeStep || n == 0 && d != 0) {
		o.charged = n
		o.memory.add(d)
	}
}

// endLocked drops what will not be written any more. o.mu must be held.
func (o *output) endLocked(err error) {
	o.err = err
	o.buf, o.aside, o.behind = nil, nil, 0
	o.chargeLocked()
	o.noteOverLocked(time.Time{})
}

// awaitRoom waits until at most n bytes wait for the client, or until nothing will be
// written any more.
func (o *output) awaitRoom(n int64) {
	o.mu.Lock()
	for o.err == nil && !o.last && int64(len(o.buf))+o.behind > n {
		o.room.Wait()
	}
	o.mu.Unlock()
}

// awaitWritten waits until all that was queued is written, or until nothing will be any
// more.
func (o *output) awaitWritten() {
	o.mu.Lock()
	for o.err == nil && !o.last && (o.flushing || len(o.buf) > 0) {
		o.room.Wait()
	}
	o.mu.Unlock()
}

// crowdShare is the share of the limit that may be unread before no more commands
// are sent on the client's behalf.
const crowdShare = 16

// crowded says whether the client has so much to read that it should get no more
// for now. Then trickle runs, and drained will be called.
func (o *output) crowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.behind > 0 && o.behind+int64(len(o.buf)) > o.limit/crowdShare
}

// size is how large a buffer the client's replies needed of late, in bytes: within the
// bounds of Redis' reply buffer (Redis 7.0 networking.c clientsCronResizeOutputBuffer),
// for CLIENT LIST.
func (o *output) size() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int64(min(max(o.lately, 1<<10), chunk))
}

// finish says that nothing comes behind what is queued: the flush that has
// written it closes the connection.
func (o *output) finish() {
	o.mu.Lock()
	o.last = true
	o.room.Broadcast()
	o.mu.Unlock()
	o.nc.SetWriteDeadline(time.Now().Add(lastWords))
}

// lastWords is how long a client has to read what was queued when its session
// ended.
const lastWords = 5 * time.Second

// abort closes the connection at once, and throws away what the kernel still has
// for a client that does not read it. Who has read all gets what is on its way yet, as from
// Redis, and then the end. It returns false if it was broken before.
func (o *output) abort() (first bool) {
	o.mu.Lock()
	first = o.err == nil
	unread := o.unreadLocked() > 0
	o.last = true
	o.endLocked(net.ErrClosed)
	o.room.Broadcast()
	o.mu.Unlock()
	if tcp, ok := o.nc.(interface{ SetLinger(int) error }); ok && unread {
		_ = tcp.SetLinger(0)
	}
	o.close()
	return first
}

// flush writes what is queued, as far as the client takes it now. It never
// blocks. It may be called concurrently; one caller writes, the others leave
// their bytes to it.
func (o *output) flush() {
	for {
		b, home := o.take()
		if b == nil {
			return
		}
		var (
			n     int
			whole bool
			err   error
		)
		if o.try != nil {
			n, whole, err = o.try(b)
		}
		if err == nil && !whole {
			o.mu.Lock()
			if o.err == nil {
				o.behind = int64(len(b) - n)
				o.chargeLocked()
			}
			o.mu.Unlock()
			o.spawn(func() { o.trickle(b, n, home) })
			return
		}
		if o.wrote(b, home, err) {
			return
		}
	}
}

// trickle is the goroutine that waits for a slow client. It ends when the client
// has read everything, or with the connection.
func (o *output) trickle(b []byte, n int, home *[]byte) {
	for {
		_, err := o.nc.Write(b[n:])
		if o.wrote(b, home, err) {
			o.broken()
			return
		}
		if b, home = o.take(); b == nil {
			o.drained()
			return
		}
		n = 0
		o.mu.Lock()
		if o.err == nil {
			o.behind = int64(len(b))
			o.chargeLocked()
		}
		o.mu.Unlock()
	}
}

// take makes the caller the one who writes and gives it all that is queued; nil
// if there is nothing to do for it.
func (o *output) take() ([]byte, *[]byte) {
	o.mu.Lock()
	if o.flushing || o.err != nil {
		o.mu.Unlock()
		return nil, nil
	}
	if len(o.buf) == 0 {
		last := o.last
		o.mu.Unlock()
		if last {
			o.close()
		}
		return nil, nil
	}
	b, home := o.buf, o.home
	o.buf, o.home = nil, nil
	o.lately = len(b)
	o.flushing = true
	o.mu.Unlock()
	return b, home
}

// wrote ends a turn of writing. It returns true if the connection is broken.
func (o *output) wrote(b []byte, home *[]byte, err error) bool {
	if o.sent != nil && err == nil {
		o.sent.Add(uint64(len(b)))
	}
	if cap(b) <= chunk {
		*home = b[:0]
		chunks.Put(home)
	}
	o.mu.Lock()
	o.flushing = false
	o.behind = 0
	if err != nil {
		o.endLocked(err)
	} else {
		o.chargeLocked()
		o.noteOverLocked(o.stillOverLocked())
	}
	o.room.Broadcast()
	o.mu.Unlock()
	if err != nil {
		o.close() // the reading side notices and ends the session
		return true
	}
	return false
}

// stillOverLocked is since when the client has had more to read than the soft limit, if it
// has so now. o.mu must be held.
func (o *output) stillOverLocked() time.Time {
	if o.unreadLocked() <= o.soft {
		return time.Time{}
	}
	return o.over
}

// close closes the connection.
func (o *output) close() {
	o.nc.Close()
	if o.closed != nil {
		o.closed()
	}
}

// fd returns the number of the connection's file descriptor, -1 if it has none.
func (o *output) fd() int {
	fd := -1
	_ = control(o.nc, func(n int) { fd = n }) // an error: it is no socket, or closed already
	return fd
}
