package proxy

import (
	"runtime"
	"sync"
)

// turns lets clients have their turn in the order in which their commands came. It is for those
// that a goroutine of their own reads: a loop knows the order.
//
// With one thread, Go's poller hands connections that became readable at the same time
// to their goroutines in reverse (runtime netpoll puts each in front of the list). So
// of two clients that say BLPOP one after the other the second would come to wait in
// Redis first, and a SUBSCRIBE could be overtaken by a PUBLISH that was sent after it.
// Clients that do not wait for each other's replies have no right to an order, but
// Redis keeps it, and they rely on it.
//
// Hence clients' readers only queue what has come. One goroutine sends it: last in,
// first out, once all that the poller has found is there. A client with a private
// connection has its commands written before the next one has its turn; those for
// shared connections are written together, behind them.
//
// With several threads there is no such order to be had, and there are no turns.
type turns struct {
	wake chan struct{} // capacity 1
	stop chan struct{}

	mu      sync.Mutex // guards waiting; nothing is called under it
	waiting []*Session
}

// newTurns returns nil if there are several threads.
func newTurns() *turns {
	if runtime.GOMAXPROCS(0) > 1 {
		return nil
	}
	return &turns{wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// take gives s a turn.
func (t *turns) take(s *Session) {
	t.mu.Lock()
	t.waiting = append(t.waiting, s)
	first := len(t.waiting) == 1
	t.mu.Unlock()
	if first {
		select {
		case t.wake <- struct{}{}:
		default: // it is awake, or about to be
		}
	}
}

// run is the goroutine; it ends with stop.
func (t *turns) run() {
	for {
		select {
		case <-t.wake:
		case <-t.stop:
			return
		}
		runtime.Gosched() // the others who have become readable come first
		for s := t.last(); s != nil; s = t.last() {
			s.Settle()
			if s.private.Load() != nil {
				runtime.Gosched() // its writer's turn
			}
		}
	}
}

// last takes out who came last, nil if nobody waits.
func (t *turns) last() *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.waiting) - 1
	if n < 0 {
		return nil
	}
	s := t.waiting[n]
	t.waiting[n] = nil
	t.waiting = t.waiting[:n]
	return s
}
