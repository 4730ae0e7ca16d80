package fake

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// bufferSize is how much one direction of a connection holds before a writer
// waits, about what loopback TCP does.
const bufferSize = 256 << 10

// conn is one end of a connection: a net.Conn.
type conn struct {
	in, out       *half // in is the peer's out
	local, remote address
	read, write   *deadline
	once          sync.Once
}

// pipe returns the two ends of a connection.
func pipe(client, server address) (*conn, *conn) {
	up, down := newHalf(), newHalf()
	return &conn{in: down, out: up, local: client, remote: server, read: newDeadline(), write: newDeadline()},
		&conn{in: up, out: down, local: server, remote: client, read: newDeadline(), write: newDeadline()}
}

// half is one direction of a connection.
type half struct {
	mu      sync.Mutex // guards the fields below; nothing blocks under it
	buf     []byte
	ended   bool          // the writer has closed: EOF after buf
	gone    bool          // the reader has closed: writes fail
	changed chan struct{} // closed and replaced at every change
}

func newHalf() *half { return &half{changed: make(chan struct{})} }

// touchLocked wakes everybody who waits for a change. The caller holds mu.
func (h *half) touchLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// take reads what is there. wait is non-nil if nothing is, and closes when
// something may be.
func (h *half) take(p []byte) (n int, wait <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.gone:
		return 0, nil, net.ErrClosed
	case len(h.buf) > 0:
		n = copy(p, h.buf)
		h.buf = append(h.buf[:0], h.buf[n:]...)
		h.touchLocked()
		return n, nil, nil
	case h.ended:
		return 0, nil, io.EOF
	case len(p) == 0:
		return 0, nil, nil
	}
	return 0, h.changed, nil
}

// put writes what fits. wait is as in take.
func (h *half) put(p []byte) (n int, wait <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch room := bufferSize - len(h.buf); {
	case h.ended:
		return 0, nil, net.ErrClosed
	case h.gone:
		return 0, nil, syscall.EPIPE
	case len(p) == 0:
		return 0, nil, nil
	case room > 0:
		n = min(room, len(p))
		h.buf = append(h.buf, p[:n]...)
		h.touchLocked()
		return n, nil, nil
	}
	return 0, h.changed, nil
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		if c.read.passed() {
			return 0, c.fault("read", os.ErrDeadlineExceeded)
		}
		n, wait, err := c.in.take(p)
		if wait == nil {
			if err != nil && err != io.EOF {
				err = c.fault("read", err)
			}
			return n, err
		}
		select {
		case <-wait:
		case <-c.read.over():
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	written := 0
	for {
		if c.write.passed() {
			return written, c.fault("write", os.ErrDeadlineExceeded)
		}
		n, wait, err := c.out.put(p[written:])
		written += n
		if err != nil {
			return written, c.fault("write", err)
		}
		if written == len(p) {
			return written, nil
		}
		if wait == nil {
			continue
		}
		select {
		case <-wait:
		case <-c.write.over():
		}
	}
}

// Close ends both directions: the peer reads what is buffered, then EOF.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.CloseWrite()
		c.in.mu.Lock()
		c.in.gone, c.in.buf = true, nil
		c.in.touchLocked()
		c.in.mu.Unlock()
		c.read.stop()
		c.write.stop()
	})
	return nil
}

// CloseWrite ends one direction, like that of net.TCPConn.
func (c *conn) CloseWrite() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if !c.out.ended {
		c.out.ended = true
		c.out.touchLocked()
	}
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}
func (c *conn) SetReadDeadline(t time.Time) error  { c.read.set(t); return nil }
func (c *conn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }

func (c *conn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// deadline is a moment that can be moved while somebody waits for it.
type deadline struct {
	mu     sync.Mutex // guards the fields below; nothing blocks under it
	at     time.Time
	timer  *time.Timer
	signal chan struct{} // closed when the moment has come or has been moved
}

func newDeadline() *deadline { return &deadline{signal: make(chan struct{})} }

// set moves the deadline; zero means never. Whoever waits looks again.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	close(d.signal)
	signal := make(chan struct{})
	d.signal = signal
	if t.IsZero() {
		return
	}
	d.timer = time.AfterFunc(max(time.Until(t), 0), func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.signal == signal {
			close(signal)
			d.signal = make(chan struct{})
		}
	})
}

// stop frees the timer.
func (d *deadline) stop() { d.set(time.Time{}) }

func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at)
}

// over closes when it is time to look at passed again. Take it after passed and
// before blocking: a set in between closes it.
func (d *deadline) over() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.signal
}
