package fake

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Network is an in-memory network. Addresses are any host:port, names included.
type Network struct {
	mu        sync.Mutex // guards the maps; nothing blocks under it
	listeners map[string]*listener
	cut       map[string]bool
	dials     map[string]int
	port      int
}

// NewNetwork returns an empty network.
func NewNetwork() *Network {
	return &Network{listeners: map[string]*listener{}, cut: map[string]bool{}, dials: map[string]int{}, port: 40000}
}

// Listen makes addr (host:port) reachable until the listener is closed.
func (n *Network) Listen(addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: address(addr), Err: syscall.EADDRINUSE}
	}
	l := &listener{network: n, addr: address(addr), queue: make(chan *conn, 1024), done: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

// MustListen is Listen for an address that is known to be free.
func (n *Network) MustListen(addr string) net.Listener {
	l, err := n.Listen(addr)
	if err != nil {
		panic(err) // a fault of the test itself
	}
	return l
}

// Dial connects to addr; use it as the Dial of what is tested. Nobody listening:
// "connection refused" at once. Cut: it waits until ctx ends.
func (n *Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dials[addr]++
	l, cut := n.listeners[addr], n.cut[addr]
	n.port++
	from := address(fmt.Sprintf("127.0.0.1:%d", n.port))
	n.mu.Unlock()
	if cut {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Addr: address(addr), Err: ctx.Err()}
	}
	if err := ctx.Err(); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: address(addr), Err: err}
	}
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: address(addr), Err: syscall.ECONNREFUSED}
	}
	client, server := pipe(from, address(addr))
	select {
	case l.queue <- server:
		return client, nil
	case <-l.done:
	case <-ctx.Done():
	}
	return nil, &net.OpError{Op: "dial", Net: network, Addr: address(addr), Err: syscall.ECONNREFUSED}
}

// Cut makes every new dial to addr wait in vain, as a lost network does, until
// Mend. Connections that stand are not touched.
func (n *Network) Cut(addr string) { n.setCut(addr, true) }

// Mend undoes Cut.
func (n *Network) Mend(addr string) { n.setCut(addr, false) }

func (n *Network) setCut(addr string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[addr] = cut
}

// Dials says how often addr has been dialled, refused dials included.
func (n *Network) Dials(addr string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials[addr]
}

// Pipe returns the two ends of a buffered connection, for a test that needs no
// listener.
func Pipe() (client, server net.Conn) { return pipe("127.0.0.1:40000", "127.0.0.1:6379") }

// listener implements net.Listener.
type listener struct {
	network *Network
	addr    address
	queue   chan *conn
	once    sync.Once
	done    chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close makes the address free again and hangs up on whom nobody has accepted.
func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.network.mu.Lock()
		delete(l.network.listeners, string(l.addr))
		l.network.mu.Unlock()
		for {
			select {
			case c := <-l.queue:
				c.Close()
				continue
			default:
			}
			return
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

// address implements net.Addr.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
