package reader

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// Options say what the Reader serves.
type Options struct {
	// Board is where the fit replicas are.
	Board *topology.ReplicaBoard
	// Server is what every lane's Server is like. Board, Registry, Reader, Standin and
	// Limits.Clients are the Reader's to say. Of Shared it takes the limit of unfinished commands.
	Server proxy.Options
	// Standin says that the master serves while no replica is fit.
	Standin bool
	// Clients is how many clients there may be, all lanes together.
	Clients int
	// Log receives one line per change of state; nil means no log.
	Log *zap.Logger
	// Registry receives the metrics steadis_reader_*; nil means none.
	Registry prometheus.Registerer
}

// Reader is the read-only address. New makes one, Serve runs it, once.
type Reader struct {
	o       Options
	refused prometheus.Counter
	moves   prometheus.Counter

	// changing is held while a lane is added and while all lanes get other settings, so that
	// none is missed. It comes before mu.
	changing sync.Mutex

	mu     sync.Mutex // guards the fields below; no I/O under it
	lanes  []*lane
	turn   int
	server proxy.Options // of the next lane; written with changing held, too
	early  []heritage    // clients of another process that have come before there was a lane
	ended  bool          // no lane will serve any more

	told func(*proxy.Server) // what each lane's server is told; guarded by changing; nil: nothing

	ctx  context.Context // of Serve
	wg   sync.WaitGroup  // lanes and what belongs to them
	addr net.Addr
	fail chan error // capacity 1: a lane has failed
}

// New returns a Reader. It accepts nobody before Serve.
func New(o Options) (*Reader, error) {
	if o.Board == nil {
		return nil, errors.New("reader: Options.Board is required")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	o.Server.Limits.Clients = o.Clients
	server := laneOptions(o.Server, o.Standin)
	if server.Log = o.Log; server.Shared == nil {
		server.Shared = proxy.NewShared(server.Limits)
	}
	server.Shared = server.Shared.Apart()
	r := &Reader{o: o, server: server, fail: make(chan error, 1)}
	r.refused = prometheus.NewCounter(prometheus.CounterOpts{Name: "steadis_reader_clients_refused_total",
		Help: "Clients of the read-only address turned away because limits.clients was reached."})
	r.moves = prometheus.NewCounter(prometheus.CounterOpts{Name: "steadis_reader_moves_total",
		Help: "Times that the clients of a replica that is not fit any more were moved to another node."})
	if o.Registry != nil {
		if err := o.Registry.Register(collector{r}); err != nil {
			return nil, fmt.Errorf("reader: metrics: %w", err)
		}
	}
	return r, nil
}

// Serve accepts clients on the listeners, which it closes, until ctx ends. Then every lane
// drains, and it returns once all have ended. It returns an error if a listener or a
// lane fails.
func (r *Reader) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.ctx, r.addr = ctx, listeners[0].Addr()
	defer r.end()
	if err := r.addLane(); err != nil { // there is one even without replicas, to hold commands
		return err
	}
	r.wg.Go(r.adoptEarly)
	var accepting sync.WaitGroup
	for _, ln := range listeners {
		accepting.Go(func() { r.accept(ctx, ln) })
	}
	err := r.keep(ctx)
	cancel()
	for _, ln := range listeners {
		_ = ln.Close() // nobody is accepted any more
	}
	accepting.Wait()
	r.wg.Wait()
	return err
}

// keep gives each lane its node, whenever what is fit changes, until ctx ends or something
// fails. It is the only one that aims and adds lanes.
func (r *Reader) keep(ctx context.Context) error {
	for {
		set, replaced := r.o.Board.Load()
		if err := r.move(set); err != nil {
			return err
		}
		select {
		case <-replaced:
		case err := <-r.fail:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// move carries out what assign says.
func (r *Reader) move(set *topology.Replicas) error {
	lanes := r.list()
	before := places(lanes)
	after := assign(before, set, r.o.Standin)
	for i, p := range after {
		if i == len(lanes) {
			if err := r.addLane(); err != nil {
				return err
			}
			lanes = r.list()
		}
		if last := lanes[i].last; last != "" && p.target != "" && p.target != last {
			r.moves.Inc()
			r.o.Log.Info("moving readers", zap.String("from", last), zap.String("to", p.target), zap.Int("clients", p.clients))
		}
		lanes[i].aim(p.target, set.Reason)
	}
	return nil
}

// addLane makes a lane and starts it.
func (r *Reader) addLane() error {
	r.changing.Lock()
	defer r.changing.Unlock()
	l := &lane{board: topology.NewBoard(), queue: newQueue(r.addr)}
	o := r.server
	o.Board = l.board
	var err error
	if l.server, err = proxy.New(o); err != nil {
		return err
	}
	if r.told != nil {
		r.told(l.server)
	}
	r.wg.Go(func() { l.forward(r.ctx, r.o.Board) })
	r.wg.Go(func() { r.run(l) })
	r.mu.Lock()
	r.lanes = append(slices.Clone(r.lanes), l)
	r.mu.Unlock()
	return nil
}

// run serves a lane.
func (r *Reader) run(l *lane) {
	if err := l.server.Serve(r.ctx, l.queue); err != nil && r.ctx.Err() == nil {
		select {
		case r.fail <- err:
		default: // one is enough to end all
		}
	}
}

// list gives the lanes. The slice is not changed any more.
func (r *Reader) list() []*lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lanes
}

func places(lanes []*lane) []place {
	all := make([]place, len(lanes))
	for i, l := range lanes {
		all[i] = place{target: l.target(), clients: l.server.Clients()}
	}
	return all
}

// The pauses after a failed accept, as in package proxy.
const (
	firstAcceptPause = 5 * time.Millisecond
	lastAcceptPause  = time.Second
)

// accept hands the clients of one listener to lanes until ctx ends.
func (r *Reader) accept(ctx context.Context, ln net.Listener) {
	pause := firstAcceptPause
	for {
		c, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close() // too late
			}
			return
		case errors.Is(err, net.ErrClosed):
			select {
			case r.fail <- fmt.Errorf("reader: listener %s: %w", ln.Addr(), err):
			default: // something else has failed already
			}
			return
		case err != nil:
			r.o.Log.Warn("cannot accept a client; clients wait", zap.Error(err), zap.Duration("retry_in", pause))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, lastAcceptPause)
		default:
			pause = firstAcceptPause
			r.admit(c)
		}
	}
}

// turnAwayTime is how long a client that is turned away has to take the reason.
const turnAwayTime = time.Second

// admit hands a client to a lane, or turns it away.
func (r *Reader) admit(c net.Conn) {
	l, ok := r.place()
	if !ok {
		r.refused.Inc()
		_ = c.SetDeadline(time.Now().Add(turnAwayTime))
		_, _ = c.Write([]byte(proxy.TooMany)) // a courtesy
		_ = c.Close()
		return
	}
	if !l.queue.hand(c) {
		_ = c.Close() // all lanes are ending
	}
}

// place chooses the lane of one more client. False: there are as many as there may be.
func (r *Reader) place() (*lane, bool) {
	lanes := r.list()
	at := places(lanes)
	total := 0
	for _, p := range at {
		total += p.clients
	}
	if total >= r.clients() {
		return nil, false
	}
	r.mu.Lock()
	r.turn++
	turn := r.turn
	r.mu.Unlock()
	return lanes[choose(at, turn)], true
}
