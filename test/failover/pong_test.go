package failover

import (
	"net"
	"sync"
	"testing"
)

// pongServer answers everything with +PONG until the test ends. It shows what a
// PING costs on this machine at this moment.
func pongServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Add(1)
			go pong(c, &all)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// pong owns c until its client hangs up.
func pong(c net.Conn, all *sync.WaitGroup) {
	defer all.Done()
	defer c.Close()
	buf := make([]byte, 256)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write([]byte("+PONG\r\n")); err != nil {
			return
		}
	}
}
