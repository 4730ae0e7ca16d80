// Package topology is the one place where the control plane and the data path
// meet: the control plane (package sentinel) publishes immutable Views on a
// Board, the data path (package proxy) loads the current one, waits for the one
// it saw to be replaced, and reports back what it doubts.
//
// It imports nothing of either side, holds no connection and starts no
// goroutine, so that both can be tested alone.
package topology

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Phase says what may be done with View.Master.
type Phase uint8

const (
	// Unknown: no master has been verified yet, or none is left. Nothing can be sent.
	Unknown Phase = iota
	// Serving: Master is the announced and verified master. Commands flow.
	Serving
	// Holding: a failover of Master is under way or may be. Nothing new is sent
	// to it; what is in flight may still be answered.
	Holding
)

// String gives the phase in the word that logs, metrics and /api/status use.
func (p Phase) String() string {
	switch p {
	case Serving:
		return "serving"
	case Holding:
		return "holding"
	default:
		return "unknown"
	}
}

// View is what the control plane knows at one moment. It is immutable: a change
// is a new View.
type View struct {
	// Master is the address to dial, host:port, after the address map. Empty
	// while Phase is Unknown and no master was ever verified.
	Master string
	// Epoch is Sentinel's config-epoch that made Master the master. Without Sentinels it is
	// a number that stands for that promotion, the same for every steadis, in no order.
	Epoch uint64
	// Generation counts the masters that this process has followed, from 1. It
	// grows with every change of Master or Epoch and never falls; connections
	// carry it and are retired by it. A hold and its release leave it as it is.
	Generation uint64
	// Phase says whether commands may be sent.
	Phase Phase
	// Planned says of Holding that nobody has begun a failover yet: what is in flight may
	// be waited for.
	Planned bool
	// Since is when this phase began.
	Since time.Time
	// Reason says why the phase is what it is, in a few words for an operator
	// and for error texts ("+try-failover seen by 10.0.0.2:26379").
	Reason string
}

// Doubt is the data path's report that the master of a generation does not
// behave like one.
type Doubt struct {
	Generation uint64
	Reason     string
}

// Board hands Views from one publisher to many readers. Its methods may be
// called concurrently, but Publish only by one goroutine at a time.
type Board struct {
	cell   atomic.Pointer[cell]
	mu     sync.Mutex // serialises Publish; no I/O and no callback under it
	doubts chan Doubt
}

// cell is one published view and the channel that closes when the next one is.
type cell struct {
	view     *View
	replaced chan struct{}
}

// NewBoard returns a Board that shows an Unknown view with the reason
// "no Sentinel has answered yet".
func NewBoard() *Board {
	b := &Board{doubts: make(chan Doubt, 1)}
	b.cell.Store(&cell{
		view:     &View{Phase: Unknown, Since: time.Now(), Reason: "no Sentinel has answered yet"},
		replaced: make(chan struct{}),
	})
	return b
}

// Load returns the current view, never nil. It costs one atomic load.
func (b *Board) Load() *View { return b.cell.Load().view }

// Publish replaces the current view with a copy of v and wakes everybody who
// waits for the former one to be replaced.
func (b *Board) Publish(v View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.cell.Swap(&cell{view: &v, replaced: make(chan struct{})})
	close(old.replaced)
}

// Replaced returns a channel that is closed once seen is no longer the current
// view; closed already if it is not. It is for use in a select.
func (b *Board) Replaced(seen *View) <-chan struct{} {
	c := b.cell.Load()
	if c.view != seen {
		return closedChannel
	}
	return c.replaced
}

// Await returns the current view as soon as it is another one than seen. It
// returns ctx's error if that comes first.
func (b *Board) Await(ctx context.Context, seen *View) (*View, error) {
	select {
	case <-b.Replaced(seen):
		return b.Load(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Doubt tells the control plane that the master of generation does not behave
// like one (refused connection, READONLY, no answer). It never blocks; while an
// earlier doubt has not been taken, further ones are dropped, since one is
// enough to make the control plane look again.
func (b *Board) Doubt(generation uint64, reason string) {
	select {
	case b.doubts <- Doubt{Generation: generation, Reason: reason}:
	default:
	}
}

// Doubts is where the control plane receives what Doubt was told.
func (b *Board) Doubts() <-chan Doubt { return b.doubts }

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
