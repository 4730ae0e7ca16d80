package proxy

import (
	"context"
	"net"
	"time"
)

// dialFunc opens a connection as net.Dialer.DialContext does.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialAgain is how long a dial may go unanswered before another one begins beside it.
// Linux sends a lost SYN again only after 1 s, so a path that has just healed would
// otherwise be found up to 1 s late.
const dialAgain = 250 * time.Millisecond

// dialTCP dials with a limit for bytes that are not acknowledged and with keepalive
// probes, so that a vanished host is noticed on every connection, busy or idle.
func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Control: limitUnacked, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 5 * time.Second, Interval: time.Second, Count: 5,
	}}
	return d.DialContext(ctx, network, addr)
}

// secured makes a dialFunc whose connections have passed secure.
func secured(dial dialFunc, secure func(context.Context, net.Conn, string) (net.Conn, error)) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return secure(ctx, nc, addr)
	}
}

// dialled is what came of one dial.
type dialled struct {
	conn net.Conn
	err  error
}

// Hedged makes a dialer that begins another dial for each dialAgain that passes
// without an answer. The first answer counts, be it a connection or a refusal; the other
// dials are called off, and have ended when it returns.
func Hedged(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, callOff := context.WithCancel(ctx)
		answers := make(chan dialled)
		attempt := func() {
			conn, err := dial(ctx, network, addr)
			answers <- dialled{conn, err}
		}
		again := time.NewTicker(dialAgain)
		defer again.Stop()
		under := 1
		go attempt()
		for {
			select {
			case first := <-answers:
				callOff()
				for range under - 1 {
					if late := <-answers; late.conn != nil {
						_ = late.conn.Close()
					}
				}
				return first.conn, first.err
			case <-again.C:
				under++
				go attempt()
			}
		}
	}
}
