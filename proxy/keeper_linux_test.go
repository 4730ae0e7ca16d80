package proxy

import (
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

// wrapped is a connection in another one, as TLS has it.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

// TestKeepalive: a silent client is probed three times, a third of the time apart, as Redis
// does; 0 probes nobody.
func TestKeepalive(t *testing.T) {
	for _, tt := range []struct {
		after                     time.Duration
		wrap                      bool
		on, idle, interval, count int
	}{
		{300 * time.Second, false, 1, 300, 100, 3},
		{300 * time.Second, true, 1, 300, 100, 3},
		{time.Second, false, 1, 1, 1, 3},
		{0, false, 0, -1, -1, -1},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		accepted, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
		nc := accepted
		if tt.wrap {
			nc = wrapped{nc}
		}
		server := &Server{o: Options{Log: zap.NewNop()}}
		server.set.Store(&inForce{Settings: Settings{Limits: Limits{Keepalive: tt.after}}})
		server.keepAlive(nc)
		for name, o := range map[string]struct{ level, option, want int }{
			"SO_KEEPALIVE":  {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, tt.on},
			"TCP_KEEPIDLE":  {syscall.IPPROTO_TCP, 4, tt.idle},
			"TCP_KEEPINTVL": {syscall.IPPROTO_TCP, 5, tt.interval},
			"TCP_KEEPCNT":   {syscall.IPPROTO_TCP, 6, tt.count},
		} {
			if got := option(t, accepted.(*net.TCPConn), o.level, o.option); got != o.want && o.want >= 0 {
				t.Errorf("limits.keepalive %v: %s is %d, want %d", tt.after, name, got, o.want)
			}
		}
	}
}

func option(t *testing.T, c *net.TCPConn, level, name int) (value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fault error
	if err := raw.Control(func(fd uintptr) { value, fault = syscall.GetsockoptInt(int(fd), level, name) }); err != nil || fault != nil {
		t.Fatal(err, fault)
	}
	return value
}
