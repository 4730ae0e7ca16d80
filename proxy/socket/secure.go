package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
)

// Secure is a client's TLS connection after its handshake. Beside what net.Conn promises,
// its Close never waits for the client.
type Secure struct {
	*tls.Conn
	below *transport
}

// recordSize is the most plaintext that goes into one record.
const recordSize = 16 << 10

// Turns bounds how many handshakes compute at one time, so that the clients that are
// served already are not kept waiting when many come at once: a handshake takes as long
// as hundreds of commands. A nil Turns bounds nothing.
type Turns chan struct{}

// take waits for a turn, which ends with release.
func (t Turns) take(ctx context.Context) (release func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ErrSilent is why a handshake failed whose client has hung up without a word, as those
// do who only look whether a port is open.
var ErrSilent = errors.New("socket: the client hung up without a word")

// Server does the handshake as a server of c, made by Configure, and returns the
// connection. ctx bounds it. The connection is the caller's to close if it fails.
func Server(ctx context.Context, nc net.Conn, c *tls.Config) (*Secure, error) {
	below := newTransport(nc)
	s := &Secure{Conn: tls.Server(below, c), below: below}
	err := s.HandshakeContext(ctx)
	if below.release != nil {
		below.release()
		below.release = nil
	}
	switch {
	case err == nil:
		below.established = true
		return s, nil
	case !below.hello && ctx.Err() == nil && HungUp(err):
		return nil, ErrSilent
	}
	return nil, err
}

// HungUp says whether err is about the client's end of the connection.
func HungUp(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) }

// Configure returns what Server takes: c with turns. A Config may be shared by any
// number of connections, and should be: it has the keys of its session tickets.
func Configure(c *tls.Config, turns Turns) *tls.Config {
	c = c.Clone()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		below, ok := hello.Conn.(*transport)
		if !ok {
			return nil, nil
		}
		below.hello = true
		release, err := turns.take(hello.Context())
		below.release = release // until the server's part is on its way
		return nil, err
	}
	return c
}

// Write writes b and waits until the socket has taken it. Calls of Write and of a Try
// exclude each other.
func (s *Secure) Write(b []byte) (int, error) {
	n := 0
	for {
		if err := s.below.drain(); err != nil {
			return n, err
		}
		if n == len(b) {
			return n, nil
		}
		k, err := s.Conn.Write(b[n:min(n+recordSize, len(b))])
		n += k
		if err != nil {
			return n, err
		}
	}
}

// try is the connection's Try. At most one record of what it has taken over waits.
func (s *Secure) try(b []byte) (n int, whole bool, err error) {
	if s.below.raw == nil {
		return 0, false, nil
	}
	if whole, err := s.below.push(); err != nil || !whole {
		return 0, false, err
	}
	for n < len(b) {
		k, err := s.Conn.Write(b[n:min(n+recordSize, len(b))])
		n += k
		if err != nil {
			return n, false, err
		}
		if s.below.behind() {
			return n, false, nil
		}
	}
	return n, true, nil
}

// SyscallConn implements syscall.Conn, for who looks at the socket. What is written to
// it is no TLS.
func (s *Secure) SyscallConn() (syscall.RawConn, error) { return rawConn(s.below.Conn) }

// SetLinger is net.TCPConn's, as far as the socket has it.
func (s *Secure) SetLinger(seconds int) error { return setLinger(s.below.Conn, seconds) }
