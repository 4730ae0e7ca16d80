package proxy

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of Linux' tcp.h.
const tcpUserTimeout = 0x12

// unackedLimit is how long bytes may go unacknowledged before a connection is
// given up: the far host, or the way there, is gone. A host that merely does not
// answer still acknowledges.
const unackedLimit = 10 * time.Second

// limitUnacked sets that limit. A kernel that does not know it goes without.
func limitUnacked(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unackedLimit.Milliseconds()))
	})
}
