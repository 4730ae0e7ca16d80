// Package sysio reads and writes sockets that never block, in the data path.
//
// Go's own way tells the scheduler of every system call, in case that it takes long: its
// monitor thread is woken (runtime.entersyscall), which with few clients costs more than the
// call. A socket that does not block cannot take long, so on Linux calls for up to a megabyte are
// made without a word. Waiting for a socket stays Go's poller's.
package sysio

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Raw returns the socket of nc, nil if it is none.
func Raw(nc net.Conn) syscall.RawConn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil // it is closed: whoever reads nc is told
	}
	return raw
}

// Read reads what has come to a socket that does not block. again says that nothing has; io.EOF
// that nothing will.
func Read(fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		n, errno := read(fd, p)
		switch errno {
		case 0:
			if n == 0 && len(p) > 0 {
				return 0, false, io.EOF
			}
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, os.NewSyscallError("read", errno)
		}
	}
}

// Write writes what a socket that does not block takes now, which may be nothing.
func Write(fd uintptr, p []byte) (n int, err error) {
	for n < len(p) {
		k, errno := write(fd, p[n:])
		switch errno {
		case 0:
			n += k
		case syscall.EINTR:
		case syscall.EAGAIN:
			return n, nil
		default:
			return n, os.NewSyscallError("write", errno)
		}
	}
	return n, nil
}

// Reader is a connection as an io.Reader that uses its socket directly, if it has one. Read
// must not be called concurrently.
type Reader struct {
	nc   net.Conn
	raw  syscall.RawConn
	some func(fd uintptr) bool // one function value for all reads: a new one for each would be allocated
	p    []byte
	n    int
	err  error
}

// NewReader returns a Reader of nc.
func NewReader(nc net.Conn) *Reader {
	r := &Reader{nc: nc, raw: Raw(nc)}
	r.some = r.readSome
	return r
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.raw == nil {
		return r.nc.Read(p)
	}
	r.p, r.n, r.err = p, 0, nil
	err := r.raw.Read(r.some)
	r.p = nil
	if err != nil {
		return 0, err
	}
	return r.n, r.err
}

func (r *Reader) readSome(fd uintptr) bool {
	var again bool
	r.n, again, r.err = Read(fd, r.p)
	return !again
}

// Writer is a socket as an io.Writer. Its methods must not be called concurrently.
type Writer struct {
	nc   net.Conn
	raw  syscall.RawConn
	some func(fd uintptr) bool
	p    []byte
	n    int
	err  error
}

// NewWriter returns a Writer of nc, nil if nc is no socket.
func NewWriter(nc net.Conn) *Writer {
	raw := Raw(nc)
	if raw == nil {
		return nil
	}
	w := &Writer{nc: nc, raw: raw}
	w.some = w.writeSome
	return w
}

// Try writes what the socket takes without waiting, which may be nothing.
func (w *Writer) Try(p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := w.raw.Write(w.some)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

func (w *Writer) writeSome(fd uintptr) bool {
	w.n, w.err = Write(fd, w.p)
	return true
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.Try(p)
	if err != nil || n == len(p) {
		return n, err
	}
	k, err := w.nc.Write(p[n:])
	return n + k, err
}

// Event is what a Poller tells of a socket: it has something to read, or, with Ended, nothing
// more will come behind that, or there is urgent data in it: then it is to be read until nothing is left.
type Event struct {
	Token uint64
	Ended bool
}
