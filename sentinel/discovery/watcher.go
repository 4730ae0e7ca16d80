package discovery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"steadis/sentinel"
	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// Watcher finds out who is the master and publishes it. New makes one, Run runs it.
type Watcher struct {
	o       Options
	board   *topology.Board
	metrics *metrics
	inputs  chan input
	running atomic.Bool
	// wg counts the questions under way; Run waits for it.
	wg sync.WaitGroup
	// status is what Status and the metrics read; the loop replaces it.
	status atomic.Pointer[Status]

	// Only the loop's goroutine, that is Run's, touches the fields below.
	state  *state
	askers map[string]*node.Asker
}

// ErrRunning is returned by Run if it has been called before.
var ErrRunning = errors.New("discovery: the Watcher has been run already")

// New checks the options and registers the metrics. It opens no connection. Views go
// to board, doubts come from it; one Watcher to a board.
func New(o Options, board *topology.Board) (*Watcher, error) {
	o, err := o.normalized()
	if err != nil {
		return nil, err
	}
	if board == nil {
		return nil, errors.New("discovery: no board to publish on")
	}
	own := o
	own.Poll, own.PollHolding = sentinel.Jitter(o.Poll), sentinel.Jitter(o.PollHolding)
	w := &Watcher{o: o, board: board, inputs: make(chan input, 64), askers: map[string]*node.Asker{}}
	w.state = newState(&own, time.Now())
	w.shoot()
	if w.metrics, err = newMetrics(w, o.Registry); err != nil {
		return nil, err
	}
	board.Publish(w.state.view)
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
	w.loop(ctx)
	for _, a := range w.askers {
		a.Close()
	}
	return nil
}

// loop is the only goroutine that touches the core. It never waits for the network.
func (w *Watcher) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var in input
		select {
		case in = <-w.inputs:
		case d := <-w.board.Doubts():
			in = doubted{generation: d.Generation, reason: d.Reason}
		case <-timer.C:
			in = ticked{}
		case <-ctx.Done():
			return
		}
		now := time.Now()
		for _, e := range w.state.step(in, now) {
			w.carryOut(ctx, e)
		}
		w.shoot()
		timer.Reset(w.state.deadline(now).Sub(now))
	}
}

func (w *Watcher) carryOut(ctx context.Context, e effect) {
	switch e := e.(type) {
	case publish:
		w.board.Publish(e.view)
	case resolve:
		w.wg.Go(func() { w.resolve(ctx) })
	case ask:
		a := w.askers[e.addr]
		if a == nil {
			a = node.NewAsker(&w.o.Node, e.addr)
			w.askers[e.addr] = a
		}
		w.wg.Go(func() { w.report(ctx, said{e.addr, a.Ask(ctx)}) })
	case forget:
		if a := w.askers[e.addr]; a != nil {
			a.Close()
			delete(w.askers, e.addr)
		}
	case countHold:
		w.metrics.holds.WithLabelValues(e.cause).Inc()
	case countSwitch:
		w.metrics.switches.Inc()
	case logLine:
		if ce := w.o.Log.Check(e.level, e.text); ce != nil {
			ce.Write(append(e.fields, zap.String("endpoint", w.state.endpoint))...)
		}
	}
}

// resolve asks what the endpoint stands for and reports the answer.
func (w *Watcher) resolve(ctx context.Context) {
	record, err := resolveAll(ctx, &w.o)
	in := resolved{record: record}
	if err != nil {
		in.why = err.Error()
	}
	w.report(ctx, in)
}

// report brings an input to the loop.
func (w *Watcher) report(ctx context.Context, in input) {
	select {
	case w.inputs <- in:
	case <-ctx.Done():
	}
}
