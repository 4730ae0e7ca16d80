package reader

import (
	"context"
	"net"
	"sync"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// lane is one Server and the node that it has now.
type lane struct {
	server *proxy.Server
	board  *topology.Board
	queue  *queue

	// Only the goroutine of Reader.keep writes view; it is read from the board.
	last string // the node of the last generation
}

// aim publishes what the lane is to do: go to target or, if that is empty, hold.
func (l *lane) aim(target, reason string) {
	old := l.board.Load()
	v := topology.View{Master: old.Master, Epoch: old.Epoch, Generation: old.Generation, Since: time.Now()}
	switch {
	case target != "":
		if target != l.last {
			v.Master, v.Epoch, v.Generation = target, epochOf(target), old.Generation+1
			l.last = target
		}
		v.Phase, v.Reason = topology.Serving, target+" is fit"
	case v.Generation > 0:
		v.Phase, v.Reason = topology.Holding, reason
	default:
		v.Reason = reason
	}
	if v.Phase == old.Phase && v.Generation == old.Generation && v.Reason == old.Reason {
		return
	}
	if v.Phase == old.Phase && v.Generation == old.Generation {
		v.Since = old.Since
	}
	l.board.Publish(v)
}

// target is the node that the lane has now; empty if none.
func (l *lane) target() string {
	if v := l.board.Load(); v.Phase == topology.Serving {
		return v.Master
	}
	return ""
}

// forward brings the lane's doubts to the control plane until ctx ends.
func (l *lane) forward(ctx context.Context, to *topology.ReplicaBoard) {
	for {
		select {
		case <-l.board.Doubts():
			if target := l.target(); target != "" {
				to.Doubt(target)
			}
		case <-ctx.Done():
			return
		}
	}
}

// queue is the listener of a lane: it gives out the connections that the Reader hands
// over. Close may be called more than once.
type queue struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// hand gives the lane a connection. False: the lane takes no more.
func (q *queue) hand(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.closed:
		return false
	}
}

// Close implements net.Listener.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// Addr implements net.Listener.
func (q *queue) Addr() net.Addr { return q.addr }
