package socket

import (
	"net"
	"syscall"
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
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	var (
		b    []byte
		n    int
		werr error
	)
	// One function value for all writes: a new one for each would be allocated.
	write := func(fd uintptr) bool {
		for n < len(b) {
			k, err := syscall.Write(int(fd), b[n:])
			switch {
			case err == syscall.EINTR:
				continue
			case err == syscall.EAGAIN:
				return true
			case err != nil:
				werr = err
				return true
			}
			n += k
		}
		return true
	}
	return func(p []byte) (int, error) {
		b, n, werr = p, 0, nil
		err := raw.Write(write)
		b = nil
		if err == nil {
			err = werr
		}
		return n, err
	}
}
