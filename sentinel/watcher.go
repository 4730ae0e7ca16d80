package sentinel

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"steadis/sentinel/topology"
)

// Watcher finds out who is the master and publishes it. New makes one, Run runs it.
type Watcher struct {
	options atomic.Pointer[Options]
	board   *topology.Board
	metrics *metrics
	inputs  chan input
	reloads chan *Options // capacity 1: the options to go by from now on
	running atomic.Bool
	// switching is held by the one Switchover that may be under way.
	switching sync.Mutex
	// wg counts the sessions and the questions for ROLE; Run waits for it.
	wg sync.WaitGroup
	// snapshot is what Status and the metrics read; the loop replaces it.
	snapshot atomic.Pointer[snapshot]

	// Only the loop's goroutine, that is Run's, touches the fields below.
	state    *state
	sessions map[string]*session
	unfence  context.CancelFunc // ends the fence that is up; nil if none was
}

// ErrRunning is returned by Run if it has been called before.
var ErrRunning = errors.New("sentinel: the Watcher has been run already")

// New checks the options and registers the metrics. It opens no connection.
// Views go to board, doubts come from it; one Watcher to a board.
func New(o Options, board *topology.Board) (*Watcher, error) {
	o, err := o.normalized()
	if err != nil {
		return nil, err
	}
	if board == nil {
		return nil, errors.New("sentinel: no board to publish on")
	}
	w := &Watcher{board: board, inputs: make(chan input, 64), reloads: make(chan *Options, 1), sessions: make(map[string]*session)}
	w.options.Store(&o)
	w.state = newState(&o, time.Now())
	w.shoot()
	if w.metrics, err = newMetrics(w, o.Registry); err != nil {
		return nil, err
	}
	library.log.Store(o.Log)
	return w, nil
}

// Run keeps the board up to date until ctx ends; then it ends all its goroutines,
// waits for them and returns nil. It can be run once.
func (w *Watcher) Run(ctx context.Context) error {
	if w.running.Swap(true) {
		return ErrRunning
	}
	ctx, cancel := context.WithCancel(ctx)
	defer w.wg.Wait()
	defer cancel()
	for _, addr := range w.opts().Addresses {
		w.open(ctx, addr, false)
	}
	w.loop(ctx)
	return nil
}

// opts are the options in force; they are never changed, only replaced.
func (w *Watcher) opts() *Options { return w.options.Load() }

// loop is the only goroutine that touches the core. It never waits for the
// network: sessions and questions for ROLE run beside it.
func (w *Watcher) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var in input
		select {
		case in = <-w.inputs:
		case d := <-w.board.Doubts():
			in = doubted{generation: d.Generation, reason: d.Reason}
		case o := <-w.reloads:
			w.reconfigure(ctx, o)
			in = reconfigured{o}
		case <-timer.C:
			in = ticked{}
		case <-ctx.Done():
			return
		}
		now := time.Now()
		for _, e := range w.state.step(in, now) {
			w.carryOut(ctx, e)
		}
		if p, ok := in.(planned); ok && p.seen != nil {
			close(p.seen)
		}
		w.shoot()
		if at := w.state.deadline(now); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(at.Sub(now))
		}
	}
}

// report brings an input to the loop.
func (w *Watcher) report(ctx context.Context, in input) {
	select {
	case w.inputs <- in:
	case <-ctx.Done():
	}
}

func (w *Watcher) carryOut(ctx context.Context, e effect) {
	switch e := e.(type) {
	case publish:
		w.board.Publish(e.view)
	case askRole:
		w.wg.Go(func() { w.askRole(ctx, e) })
	case askSentinel:
		for addr, s := range w.sessions {
			if e.addr == "" || e.addr == addr {
				s.poke()
			}
		}
	case setPace:
		if s := w.sessions[e.addr]; s != nil {
			s.setPace(e.every)
		}
	case learn:
		w.open(ctx, e.addr, true)
	case join:
		w.open(ctx, e.addr, false)
	case forget:
		if s := w.sessions[e.addr]; s != nil {
			s.cancel()
			delete(w.sessions, e.addr)
		}
	case raiseFence:
		w.dropFence()
		fenced, cancel := context.WithCancel(ctx)
		w.unfence = cancel
		w.wg.Go(func() { defer cancel(); w.fence(fenced, e) })
	case dropFence:
		w.dropFence()
	case countHold:
		w.metrics.holds.WithLabelValues(e.cause).Inc()
	case countSwitch:
		w.metrics.switches.WithLabelValues(e.kind).Inc()
		w.metrics.failoverSeconds.WithLabelValues(e.kind).Observe(e.held.Seconds())
	case logLine:
		if ce := w.opts().Log.Check(e.level, e.text); ce != nil {
			ce.Write(append(e.fields, zap.String("name", w.opts().Master))...)
		}
	}
}

func (w *Watcher) dropFence() {
	if w.unfence != nil {
		w.unfence()
		w.unfence = nil
	}
}

// open starts a session.
func (w *Watcher) open(ctx context.Context, addr string, learned bool) {
	ctx, cancel := context.WithCancel(ctx)
	s := newSession(w.opts(), addr, learned, w.report)
	s.cancel = cancel
	w.sessions[addr] = s
	w.wg.Go(func() { defer cancel(); s.run(ctx) })
}

// askRole asks a node and reports what it said.
func (w *Watcher) askRole(ctx context.Context, q askRole) {
	r, detail := askNode(ctx, w.opts(), q.addr)
	w.report(ctx, roleSaid{id: q.id, role: r, detail: detail})
}
