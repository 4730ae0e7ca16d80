package conformance

import (
	"bytes"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// socket is a raw connection whose replies are cut into frames as they come. It
// is for one goroutine.
type socket struct {
	nc     net.Conn
	raw    syscall.RawConn
	rest   []byte // came and is no whole frame yet
	broken bool   // rest is not RESP: it is kept as it is
	frames [][]byte
	closed bool // the peer has ended the connection
	buf    []byte
}

func dial(addr string) (*socket, error) {
	nc, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &socket{nc: nc, raw: raw, buf: make([]byte, 64<<10)}, nil
}

// send writes; that the peer has closed shows in what is read.
func (s *socket) send(bytes []byte) { _, _ = s.nc.Write(bytes) }

// poll takes what has arrived and does not wait.
func (s *socket) poll() {
	s.nc.SetReadDeadline(time.Time{}) // one that has passed would be an error
	for !s.closed {
		var n int
		var err error
		if rerr := s.raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), s.buf)
			return true
		}); rerr != nil {
			s.closed = true
			return
		}
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return
		case err != nil || n == 0:
			s.closed = true
			return
		}
		s.take(s.buf[:n])
	}
}

// await reads until enough says so, the peer closes, or patience is over.
func (s *socket) await(patience time.Duration, enough func() bool) {
	s.poll()
	deadline := time.Now().Add(patience)
	for !enough() && !s.closed {
		s.nc.SetReadDeadline(deadline)
		n, err := s.nc.Read(s.buf)
		s.take(s.buf[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			s.closed = true
		}
	}
}

// awaitFrames waits for n frames that have not been collected.
func (s *socket) awaitFrames(n int, patience time.Duration) {
	s.await(patience, func() bool { return len(s.frames) >= n })
}

// awaitClosed waits for the end of the connection.
func (s *socket) awaitClosed(patience time.Duration) {
	s.await(patience, func() bool { return false })
}

func (s *socket) take(bytes []byte) {
	s.rest = append(s.rest, bytes...)
	for !s.broken && len(s.rest) > 0 {
		n, err := cut(s.rest)
		if err != nil {
			s.broken = true
			return
		}
		if n == 0 {
			return
		}
		if frame := s.rest[:n]; !noise(frame) {
			s.frames = append(s.frames, append([]byte(nil), frame...))
		}
		s.rest = s.rest[n:]
	}
	if len(s.rest) == 0 {
		s.rest = nil
	}
}

// noise says of a line of MONITOR that it is not about a command of the tests'
// clients, whose keys begin with conf- where it matters: the harness, Sentinel and
// steadis itself use the servers too.
func noise(frame []byte) bool {
	return frame[0] == '+' && monitorLine.Match(frame[1:]) && !bytes.Contains(frame, []byte("conf-"))
}

// collect hands over the frames that have come, and as a last one what is no
// whole frame if the connection is over or was broken by it.
func (s *socket) collect() [][]byte {
	out := s.frames
	s.frames = nil
	if len(s.rest) > 0 && (s.closed || s.broken) {
		out = append(out, s.rest)
		s.rest = nil
	}
	return out
}

func (s *socket) close() { s.nc.Close() }
