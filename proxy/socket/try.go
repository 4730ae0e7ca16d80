package socket

import (
	"net"
	"syscall"

	"steadis/proxy/sysio"
)

// Try writes what the socket takes at once. It returns how much of b it has taken over;
// whole says that the socket has all of that too, and nothing from before waits. It
// must not be called concurrently.
type Try func(b []byte) (n int, whole bool, err error)

// TryWriter returns the Try of nc, or nil if nc is no socket. What it has not written is
// for nc.Write, which waits.
func TryWriter(nc net.Conn) Try {
	if s, ok := nc.(*Secure); ok {
		return s.try
	}
	write := rawWriter(nc)
	if write == nil {
		return nil
	}
	return func(b []byte) (int, bool, error) {
		n, err := write(b)
		return n, n == len(b), err
	}
}

// rawWriter returns a function that writes to nc without ever waiting, or nil if
// nc is no socket. It must not be called concurrently.
func rawWriter(nc net.Conn) func([]byte) (int, error) {
	w := sysio.NewWriter(nc)
	if w == nil {
		return nil
	}
	return w.Try
}

// Raw returns the socket of nc to read what the client sends from, or nil if nc is no socket,
// or what it reads there is not what the client sends.
func Raw(nc net.Conn) syscall.RawConn {
	if _, encrypted := nc.(*Secure); encrypted {
		return nil
	}
	return sysio.Raw(nc)
}
