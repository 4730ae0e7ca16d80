package drill

import (
	"context"
	"fmt"
	"net"
	"time"

	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// askTimeout bounds one question, its dial and AUTH together.
const askTimeout = 2 * time.Second

// server is one server that is asked directly: a Sentinel, a node or the proxy.
// It is immutable and may be used concurrently.
type server struct {
	addr    string
	who     Credentials
	dial    workload.Dialer
	timeout time.Duration
}

// connect opens a connection and authenticates it, within the server's timeout.
func (s server) connect(ctx context.Context) (*wire.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	open := s.dial
	if open == nil {
		open = (&net.Dialer{}).DialContext
	}
	raw, err := open(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	c := wire.New(raw)
	if s.who.Password == "" {
		return c, nil
	}
	auth := []string{"AUTH", s.who.User, s.who.Password}
	if s.who.User == "" {
		auth = []string{"AUTH", s.who.Password}
	}
	if _, err := c.Do(ctx, auth...); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("AUTH at %s: %w", s.addr, err)
	}
	return c, nil
}

// do asks one thing on a connection of its own. An error reply is a wire.Error.
func (s server) do(ctx context.Context, args ...string) (any, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return c.Do(ctx, args...)
}

// sleep waits for d or until ctx ends; it says whether d is over.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
