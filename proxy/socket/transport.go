package socket

import (
	"errors"
	"net"
	"sync"
)

// transport is the socket below a TLS connection. After the handshake its Write never
// waits: what the socket does not take at once is kept, encrypted as it is, because
// crypto/tls cannot be asked for half a record, nor to go on with one. So whoever holds
// crypto/tls' lock for writing, which is an upstream's reader as a rule, gives it back at
// once. drain, which waits, runs without that lock.
type transport struct {
	net.Conn
	raw func([]byte) (int, error) // writes what the socket takes at once

	// Of the handshake's goroutine, until established.
	established bool
	hello       bool   // the client's first message has come
	release     func() // gives the turn to compute back; nil without one

	// mu guards the fields below. No I/O under it: writing marks who does it.
	mu      sync.Mutex
	rest    []byte // what the socket has not taken
	writing bool   // push or drain is writing rest
}

// mostRest bounds what is kept: a record and what the protocol itself has to say.
const mostRest = 64 << 10

var errRest = errors.New("socket: the client asks TLS for more and more and reads nothing")

func newTransport(nc net.Conn) *transport { return &transport{Conn: nc, raw: rawWriter(nc)} }

// Write implements net.Conn. crypto/tls calls it for one record at a time.
func (t *transport) Write(p []byte) (int, error) {
	if t.release != nil {
		t.release()
		t.release = nil
	}
	if !t.established || t.raw == nil {
		return t.Conn.Write(p)
	}
	t.mu.Lock()
	wait := t.writing || len(t.rest) > 0
	t.mu.Unlock()
	n := 0
	if !wait { // and nobody begins meanwhile: push and drain do so only for a rest
		var err error
		if n, err = t.raw(p); err != nil || n == len(p) {
			return n, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rest)+len(p)-n > mostRest {
		return n, errRest
	}
	t.rest = append(t.rest, p[n:]...)
	return len(p), nil
}

// behind says whether something waits to be written.
func (t *transport) behind() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writing || len(t.rest) > 0
}

// push writes what waits, as far as the socket takes it now. One goroutine may call push
// and drain.
func (t *transport) push() (whole bool, err error) { return t.send(t.raw) }

// drain writes what waits, and waits until that is done.
func (t *transport) drain() error {
	_, err := t.send(t.Conn.Write)
	return err
}

func (t *transport) send(write func([]byte) (int, error)) (whole bool, err error) {
	for {
		t.mu.Lock()
		b := t.rest
		t.rest, t.writing = nil, len(b) > 0
		t.mu.Unlock()
		if len(b) == 0 {
			return true, nil
		}
		n, err := write(b)
		t.mu.Lock()
		t.writing = false
		if n < len(b) {
			t.rest = append(b[n:], t.rest...)
		}
		t.mu.Unlock()
		if err != nil || n < len(b) {
			return false, err
		}
	}
}
