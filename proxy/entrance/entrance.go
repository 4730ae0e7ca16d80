package entrance

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/proxy/seldom"
	"steadis/proxy/socket"
)

// Options configure an Entrance.
type Options struct {
	Log      *zap.Logger           // nil: nothing is logged
	Registry prometheus.Registerer // nil: nothing is registered
	// Networks and Unix say whose connections begin with a header of the PROXY protocol.
	Networks []netip.Prefix
	Unix     bool
	// NotTLS is what a client is told that speaks no TLS where it must.
	NotTLS []byte
	Time   time.Duration // longest time to pass; 0 means 10 s
	Most   int           // connections that have not passed; 0 means 1024
}

// Entrance is what connections of all its listeners pass. Its methods may be called
// concurrently.
type Entrance struct {
	o       Options
	turns   socket.Turns
	metrics *metrics
	lines   map[reason]*seldom.Gate
}

// New returns an Entrance. It returns an error if metrics cannot be registered.
func New(o Options) (*Entrance, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Time == 0 {
		o.Time = 10 * time.Second
	}
	if o.Most == 0 {
		o.Most = 1024
	}
	e := &Entrance{o: o, turns: make(socket.Turns, runtime.GOMAXPROCS(0)), lines: map[reason]*seldom.Gate{}, metrics: newMetrics()}
	for _, why := range reasons {
		e.lines[why] = new(seldom.Gate)
	}
	if o.Registry != nil {
		if err := o.Registry.Register(e.metrics); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Listen returns a listener that accepts from ln what has passed, and ln itself if there is
// nothing to pass. config gives the TLS configuration for the next connection; nil
// means that clients speak no TLS. Close it, not ln.
func (e *Entrance) Listen(ln net.Listener, config func() *tls.Config) net.Listener {
	if config == nil && len(e.o.Networks) == 0 && !e.o.Unix {
		return ln
	}
	l := &listener{Listener: ln, e: e, config: config, passed: make(chan net.Conn), failed: make(chan error), done: make(chan struct{})}
	l.ctx, l.end = context.WithCancel(context.Background())
	l.wg.Go(l.accept)
	return l
}

// listener is one listener of an Entrance. accept takes what comes, and each connection
// passes in a goroutine; Close ends all of them and waits.
type listener struct {
	net.Listener
	e      *Entrance
	config func() *tls.Config
	passed chan net.Conn // to Accept
	failed chan error    // to Accept
	done   chan struct{} // closed when accept has ended
	ctx    context.Context
	end    context.CancelFunc
	wg     sync.WaitGroup

	// mu guards the fields below. No I/O under it.
	mu      sync.Mutex
	passing []net.Conn  // oldest first
	from    *tls.Config // what config gave last
	made    *tls.Config // the same, with turns
}

// Accept returns the next connection that has passed, or an error of the listener
// below.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.passed:
		return nc, nil
	case err := <-l.failed:
		return nil, err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends the listener and everything that has not been accepted.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.end()
	l.mu.Lock()
	passing := l.passing
	l.passing = nil
	l.mu.Unlock()
	for _, nc := range passing {
		_ = nc.Close() // it was nobody's yet
	}
	l.wg.Wait()
	return err
}

// accept is the goroutine that takes what comes. Errors it hands to Accept, whose caller
// decides whether to go on.
func (l *listener) accept() {
	defer close(l.done)
	for {
		nc, err := l.Listener.Accept()
		if err == nil {
			if l.enter(nc) {
				l.wg.Go(func() { l.pass(nc) })
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case l.failed <- err:
		case <-l.ctx.Done():
			return
		}
	}
}

// enter notes that nc passes, and sends the oldest away if that is one too many.
func (l *listener) enter(nc net.Conn) bool {
	l.mu.Lock()
	if l.ctx.Err() != nil {
		l.mu.Unlock()
		_ = nc.Close() // nobody wants it any more
		return false
	}
	l.passing = append(l.passing, nc)
	var oldest net.Conn
	if len(l.passing) > l.e.o.Most {
		oldest = l.passing[0]
		l.passing = l.passing[1:]
	}
	l.mu.Unlock()
	l.e.metrics.passing.Add(1)
	if oldest != nil {
		_ = oldest.Close() // its goroutine notices
		l.e.refuse(crowded, oldest, errCrowded)
	}
	return true
}

// leave notes that nc does not pass any more; false if it was sent away meanwhile.
func (l *listener) leave(nc net.Conn) bool {
	l.e.metrics.passing.Add(-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.passing {
		if other == nc {
			l.passing = append(l.passing[:i], l.passing[i+1:]...)
			return true
		}
	}
	return false
}

// pass is the goroutine in which nc passes.
func (l *listener) pass(nc net.Conn) {
	ctx, cancel := context.WithTimeout(l.ctx, l.e.o.Time)
	defer cancel()
	_ = nc.SetDeadline(time.Now().Add(l.e.o.Time)) // an error: it is closed, as will be seen
	client, why, err := l.examine(ctx, nc)
	if !l.leave(nc) {
		return // and it is closed
	}
	if err != nil {
		_ = nc.Close() // nothing was promised
		if !errors.Is(err, socket.ErrSilent) {
			l.e.refuse(why, client, err)
		}
		return
	}
	_ = client.SetDeadline(time.Time{})
	select {
	case l.passed <- client:
	case <-l.ctx.Done():
		_ = client.Close()
	}
}

// examine reads the header and does the handshake. client is who it is about also if
// that fails, which why says then.
func (l *listener) examine(ctx context.Context, nc net.Conn) (client net.Conn, why reason, err error) {
	if l.e.sends(nc.RemoteAddr()) {
		said, err := readHeader(nc)
		switch {
		case err != nil && socket.HungUp(err):
			return nc, badHeader, socket.ErrSilent
		case err != nil:
			return nc, lateOr(badHeader, err), err
		case said.source != nil:
			nc = &socket.Named{Conn: nc, Remote: said.source, Local: said.destination}
		}
	}
	if l.config == nil {
		return nc, "", nil
	}
	secure, err := socket.Server(ctx, nc, l.configure())
	if err == nil {
		return secure, "", nil
	}
	var noTLS tls.RecordHeaderError
	if errors.As(err, &noTLS) && noTLS.Conn != nil {
		_, _ = nc.Write(l.e.o.NotTLS) // a kindness
	}
	return nc, lateOr(badHandshake, err), err
}

// configure gives the TLS configuration of the next connection, the same one as long as
// it does not change.
func (l *listener) configure() *tls.Config {
	c := l.config()
	l.mu.Lock()
	defer l.mu.Unlock()
	if c != l.from {
		l.from, l.made = c, socket.Configure(c, l.e.turns)
	}
	return l.made
}

// sends says whether connections from addr begin with a header.
func (e *Entrance) sends(addr net.Addr) bool {
	tcp, isTCP := addr.(*net.TCPAddr)
	if !isTCP {
		return e.o.Unix
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, network := range e.o.Networks {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}
