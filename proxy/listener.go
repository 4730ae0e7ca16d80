package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// gatedListener is the listener that redcon gets. Its Accept never fails while
// sessions live, because redcon closes all of its connections when it does.
type gatedListener struct {
	net.Listener
	server *Server
	ctx    context.Context // ends when no more clients are to be waited for
	over   <-chan struct{} // closed when the last session may go
	once   sync.Once
	ended  func() // called, once, when no more are accepted
}

// The pauses after a failed accept: running out of file descriptors must not
// become a busy loop.
const (
	firstAcceptPause = 5 * time.Millisecond
	lastAcceptPause  = time.Second
)

// Accept returns the next client, ready for redcon. Once the server shuts down, and the
// listener has no more, it blocks until the sessions have ended.
func (l *gatedListener) Accept() (net.Conn, error) {
	pause := firstAcceptPause
	for {
		nc, err := l.Listener.Accept()
		switch {
		case err != nil && l.ctx.Err() != nil:
			l.once.Do(l.ended)
			<-l.over
			return nil, net.ErrClosed
		case errors.Is(err, net.ErrClosed):
			l.once.Do(l.ended)
			return nil, err
		case err != nil:
			l.server.noAccept.warn("cannot accept a client; clients wait", zap.Error(err))
			select {
			case <-time.After(pause):
			case <-l.ctx.Done():
			}
			pause = min(2*pause, lastAcceptPause)
			continue
		}
		pause = firstAcceptPause
		if c := l.server.welcome(nc); c != nil {
			return c, nil
		}
	}
}
