package topology

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Relay passes TCP connections on to a target and can break the path in the ways
// that networks do. All methods may be called concurrently.
//
// Cut is a silent loss: nothing passes any more in either direction, nobody is
// told, and new connections are accepted but lead nowhere (without the right to
// filter packets, loopback cannot also lose the handshake). Heal lets everything
// that waited pass on, in order. Reset closes all connections.
type Relay struct {
	target string
	listen net.Listener
	ctx    context.Context // ends with Close; every goroutine of the relay waits on it too
	end    context.CancelFunc
	all    sync.WaitGroup

	accepted atomic.Int64
	forward  atomic.Int64 // bytes from clients to the target
	back     atomic.Int64 // bytes from the target to clients

	mu    sync.Mutex // guards the fields below; no I/O under it but closing
	open  chan struct{}
	delay time.Duration
	conns map[net.Conn]struct{}
	peers peerRules
}

// peerRules are the faults of single paths: by the address of the client, which
// knows hosts of a Network.
type peerRules struct {
	changed       chan struct{}      // closed when other rules take the place of these
	forward, back map[string]float64 // the share of pieces that is lost
	slow          map[string]bool    // "" stands for every client
}

// NewRelay listens on a free loopback port for target (host:port).
func NewRelay(target string) (*Relay, error) {
	l, err := listenLoopback()
	if err != nil {
		return nil, err
	}
	return newRelay(l, target), nil
}

// NewRelayAt is NewRelay with an address to listen on, such as 127.0.1.1:0.
func NewRelayAt(addr, target string) (*Relay, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return newRelay(l, target), nil
}

func newRelay(l net.Listener, target string) *Relay {
	ctx, end := context.WithCancel(context.Background())
	r := &Relay{target: target, listen: l, ctx: ctx, end: end, open: closedChannel(), conns: map[net.Conn]struct{}{}}
	r.peers.changed = make(chan struct{})
	r.all.Add(1)
	go r.acceptLoop()
	return r
}

// Addr is where the relay listens.
func (r *Relay) Addr() string { return r.listen.Addr().String() }

// Accepted is the number of connections accepted so far.
func (r *Relay) Accepted() int64 { return r.accepted.Load() }

// Bytes gives how much went to the target and how much came back.
func (r *Relay) Bytes() (forward, back int64) { return r.forward.Load(), r.back.Load() }

// Cut stops everything silently until Heal.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isClosed(r.open) {
		r.open = make(chan struct{})
	}
}

// Heal ends a Cut.
func (r *Relay) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isClosed(r.open) {
		close(r.open)
	}
}

// Delay lets every piece of data wait for d before it passes, each way.
func (r *Relay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// lose sets which share of what clients send, and of what they are sent, is lost
// on the way, by the client's address.
func (r *Relay) lose(forward, back map[string]float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.peers.changed)
	r.peers = peerRules{make(chan struct{}), forward, back, r.peers.slow}
}

// slow sets which clients' paths are slow.
func (r *Relay) slow(clients map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.peers.changed)
	r.peers = peerRules{make(chan struct{}), r.peers.forward, r.peers.back, clients}
}

// Reset closes every connection, on both sides.
func (r *Relay) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
}

// Close ends the relay and returns once its goroutines have ended.
func (r *Relay) Close() error {
	r.end()
	err := r.listen.Close()
	r.Reset()
	r.all.Wait()
	return err
}

func (r *Relay) acceptLoop() {
	defer r.all.Done()
	for {
		c, err := r.listen.Accept()
		if err != nil {
			return // closed: nothing else makes a loopback listener fail for good
		}
		r.accepted.Add(1)
		r.all.Add(1)
		go r.serve(c)
	}
}

// serve owns one accepted connection and its counterpart.
func (r *Relay) serve(client net.Conn) {
	defer r.all.Done()
	defer r.forget(client)
	peer, _ := splitAddr(client.RemoteAddr().String())
	if !r.remember(client) || r.pass(peer, false) != nil {
		return
	}
	var d net.Dialer
	server, err := d.DialContext(r.ctx, "tcp", r.target)
	if err != nil {
		return
	}
	defer r.forget(server)
	if !r.remember(server) {
		return
	}
	var back sync.WaitGroup
	back.Add(1)
	go func() {
		defer back.Done()
		r.copyBytes(client, server, peer, true)
	}()
	r.copyBytes(server, client, peer, false)
	back.Wait()
}

// copyBytes passes data on until either side ends, and then ends the other. back
// says that it goes to the client, whose address is peer.
func (r *Relay) copyBytes(to, from net.Conn, peer string, back bool) {
	counter := &r.forward
	if back {
		counter = &r.back
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if r.pass(peer, back) != nil {
				break
			}
			counter.Add(int64(n))
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			_ = r.pass(peer, back) // a cut holds back the FIN as well
			break
		}
	}
	_, _ = to.Close(), from.Close()
}

// errRelayClosed says that the relay ended while something waited to pass.
var errRelayClosed = errors.New("relay closed")

// pass waits for the delay and for the path to be whole.
func (r *Relay) pass(peer string, back bool) error {
	r.mu.Lock()
	delay := r.delay
	if r.peers.slow[peer] || r.peers.slow[""] {
		delay += slowness
	}
	r.mu.Unlock()
	if err := r.rest(delay); err != nil {
		return err
	}
	for {
		r.mu.Lock()
		open, changed := r.open, r.peers.changed
		loss := r.peers.forward[peer]
		if back {
			loss = r.peers.back[peer]
		}
		r.mu.Unlock()
		if loss >= 1 { // until there are other rules
			open = changed
		}
		select {
		case <-open:
		case <-r.ctx.Done():
			return errRelayClosed
		}
		switch {
		case loss >= 1:
			continue
		case loss > 0 && rand.Float64() < loss:
			return r.rest(retransmission)
		}
		return nil
	}
}

// rest waits for d, or until the relay ends.
func (r *Relay) rest(d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.ctx.Done():
		return errRelayClosed
	}
}

// remember takes note of an open connection; false once the relay has ended.
func (r *Relay) remember(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return false
	}
	r.conns[c] = struct{}{}
	return true
}

func (r *Relay) forget(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
