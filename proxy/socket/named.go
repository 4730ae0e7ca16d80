package socket

import (
	"net"
	"syscall"
)

// Named is a connection that comes by way of a load balancer, which has told who the
// client is and what it has connected to.
type Named struct {
	net.Conn
	Remote, Local net.Addr
}

// RemoteAddr returns the client's address.
func (n *Named) RemoteAddr() net.Addr { return n.Remote }

// LocalAddr returns the address that the client has connected to.
func (n *Named) LocalAddr() net.Addr { return n.Local }

// SyscallConn implements syscall.Conn.
func (n *Named) SyscallConn() (syscall.RawConn, error) { return rawConn(n.Conn) }

// SetLinger is net.TCPConn's, as far as the socket has it.
func (n *Named) SetLinger(seconds int) error { return setLinger(n.Conn, seconds) }

func rawConn(nc net.Conn) (syscall.RawConn, error) {
	if sc, ok := nc.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, syscall.ENOTSOCK
}

// setLinger does nothing where there is nothing that could linger.
func setLinger(nc net.Conn, seconds int) error {
	if l, ok := nc.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(seconds)
	}
	return nil
}
