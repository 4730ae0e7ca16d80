package main

import (
	"net"
	"os"
	"sync"
	"time"
)

// behind makes a listener whose Accept waits for the gate.
func behind(gate <-chan struct{}, listener net.Listener) net.Listener {
	return &gated{Listener: listener, gate: gate, ended: make(chan struct{})}
}

// gated is a listener that accepts nobody before its gate is open.
type gated struct {
	net.Listener
	gate  <-chan struct{}
	ended chan struct{}
	once  sync.Once
}

// Accept waits for the gate first, or for the end.
func (g *gated) Accept() (net.Conn, error) {
	select {
	case <-g.gate:
	default:
		select {
		case <-g.gate:
		case <-g.ended:
			return nil, net.ErrClosed
		}
	}
	return g.Listener.Accept()
}

// SetDeadline bounds Accept. Who waits at the gate needs no more time.
func (g *gated) SetDeadline(t time.Time) error {
	g.once.Do(func() { close(g.ended) })
	bounded, ok := g.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return os.ErrNoDeadline
	}
	return bounded.SetDeadline(t)
}

func (g *gated) Close() error {
	g.once.Do(func() { close(g.ended) })
	return g.Listener.Close()
}
