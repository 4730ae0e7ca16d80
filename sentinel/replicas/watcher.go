package replicas

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/sentinel"
	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// Options says whom to ask, and how.
type Options struct {
	// Master is where it is published who the master is.
	Master *topology.Board
	// Sentinels says which Sentinels list the replicas; none without Addresses.
	Sentinels sentinel.Options
	// Nodes are more candidates, host:port.
	Nodes []string
	// Node says how nodes are asked: RoleUser, RolePassword, Timeout, Dial, AddressMap.
	Node sentinel.Options
	// MaxLag is how old what a fit replica lacks may be.
	MaxLag time.Duration
	// Poll is the time between two questions to a node, PollHolding the same after a sign of
	// trouble.
	Poll, PollHolding time.Duration
	// Log receives one line per change of state; nil means no log.
	Log *zap.Logger
	// Registry receives the metrics steadis_replicas_*; nil means none.
	Registry prometheus.Registerer
}

// Watcher finds out which replicas are fit and publishes them. New makes one, Run runs it.
type Watcher struct {
	o       Options
	board   *topology.ReplicaBoard
	inputs  chan any
	running atomic.Bool
	wg      sync.WaitGroup // questions under way; Run waits for it
	status  atomic.Pointer[[]Status]

	// Only the loop's goroutine touches the fields below.
	state  *state
	askers map[string]*node.Asker
}

// ErrRunning is returned by Run if it has been called before.
var ErrRunning = errors.New("replicas: the Watcher has been run already")

// New returns a Watcher that publishes on board. It opens no connection.
func New(o Options, board *topology.ReplicaBoard) (*Watcher, error) {
	if o.Master == nil || board == nil {
		return nil, errors.New("replicas: no board to read from, or none to publish on")
	}
	if o.MaxLag <= 0 || o.Poll <= 0 || o.PollHolding <= 0 {
		return nil, errors.New("replicas: MaxLag, Poll and PollHolding must be more than 0")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	o.Node, o.Sentinels = o.Node.ForNodes(), o.Sentinels.ForNodes()
	w := &Watcher{o: o, board: board, inputs: make(chan any, 64), askers: map[string]*node.Asker{}}
	w.state = newState(&w.o)
	w.status.Store(&[]Status{})
	if o.Registry != nil {
		if err := o.Registry.Register(collector{w}); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Run keeps the board up to date until ctx ends; then it ends all its goroutines, waits
// for them and returns nil. It can be run once.
func (w *Watcher) Run(ctx context.Context) error {
	if w.running.Swap(true) {
		return ErrRunning
	}
	ctx, cancel := context.WithCancel(ctx)
	defer w.wg.Wait()
	defer cancel()
	lists := make(chan struct{}, 1) // a list is wanted
	w.wg.Go(func() { w.listen(ctx, lists) })
	w.loop(ctx, lists)
	for _, a := range w.askers {
		a.Close()
	}
	return nil
}

// loop is the only goroutine that touches the core. It never waits for the network.
func (w *Watcher) loop(ctx context.Context, lists chan<- struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var view *topology.View
	for {
		var replaced <-chan struct{}
		if view != nil {
			replaced = w.o.Master.Replaced(view)
		} else {
			replaced = closed
		}
		var in any
		select {
		case in = <-w.inputs:
		case addr := <-w.board.Doubts():
			in = doubted{addr}
		case <-replaced:
			view = w.o.Master.Load()
			in = served{serving(view)}
		case <-timer.C:
			in = ticked{}
		case <-ctx.Done():
			return
		}
		now := time.Now()
		effects := w.state.step(in, now)
		if s, isAnswer := in.(said); isAnswer && s.Role == node.Master && s.addr == w.state.master {
			effects = append(effects, w.state.step(listed{addrs: w.candidates(s.Said)}, now)...)
		}
		for _, e := range effects {
			w.carryOut(ctx, e, lists)
		}
		w.shoot(now)
		timer.Reset(w.state.deadline(now).Sub(now))
	}
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// serving gives the master that a view lets commands go to.
func serving(v *topology.View) string {
	if v.Phase != topology.Serving {
		return ""
	}
	return v.Master
}

// candidates gives whom the master lists, and the nodes that were named.
func (w *Watcher) candidates(said node.Said) []string {
	addrs := append([]string{}, w.o.Nodes...)
	for _, r := range said.Replicas {
		if addr, ok := w.o.Node.Dialable(net.JoinHostPort(r[0], r[1])); ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func (w *Watcher) carryOut(ctx context.Context, e effect, lists chan<- struct{}) {
	switch e := e.(type) {
	case publish:
		w.board.Publish(e.set)
	case ask:
		a := w.askers[e.addr]
		if a == nil {
			a = node.NewAsker(&w.o.Node, e.addr)
			w.askers[e.addr] = a
		}
		w.wg.Go(func() {
			asked := time.Now()
			w.report(ctx, said{e.addr, asked, a.Ask(ctx)})
		})
	case list:
		select {
		case lists <- struct{}{}:
		default: // one is wanted already
		}
	case forget:
		if a := w.askers[e.addr]; a != nil {
			a.Close()
			delete(w.askers, e.addr)
		}
	case logLine:
		if ce := w.o.Log.Check(e.level, e.text); ce != nil {
			ce.Write(e.fields...)
		}
	}
}

// report brings an input to the loop.
func (w *Watcher) report(ctx context.Context, in any) {
	select {
	case w.inputs <- in:
	case <-ctx.Done():
	}
}

// listen asks the Sentinels for the replicas whenever that is wanted.
func (w *Watcher) listen(ctx context.Context, lists <-chan struct{}) {
	var listers []*sentinel.Lister
	for _, addr := range w.o.Sentinels.Addresses {
		listers = append(listers, sentinel.NewLister(&w.o.Sentinels, addr))
	}
	defer func() {
		for _, l := range listers {
			l.Close()
		}
	}()
	for {
		select {
		case <-lists:
			w.report(ctx, listAll(ctx, listers))
		case <-ctx.Done():
			return
		}
	}
}

// listAll asks every Sentinel and gives what a majority of all lists.
func listAll(ctx context.Context, listers []*sentinel.Lister) listed {
	answers := make([][]string, len(listers))
	errs := make([]error, len(listers))
	var wg sync.WaitGroup
	for i, l := range listers {
		wg.Go(func() { answers[i], errs[i] = l.List(ctx) })
	}
	wg.Wait()
	return majority(answers, errs)
}

// majority gives the addresses that more than half of the answers have.
func majority(answers [][]string, errs []error) listed {
	votes, up := map[string]int{}, 0
	for i, addrs := range answers {
		if errs[i] != nil {
			continue
		}
		up++
		seen := map[string]bool{}
		for _, addr := range addrs {
			if !seen[addr] {
				seen[addr] = true
				votes[addr]++
			}
		}
	}
	if 2*up <= len(answers) {
		return listed{failed: true}
	}
	var in listed
	for addr, n := range votes {
		if 2*n > len(answers) {
			in.addrs = append(in.addrs, addr)
		}
	}
	return in
}
