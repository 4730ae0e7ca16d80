package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// support runs what the proxy leans on: it must outlive the proxy's drain, and if
// any part of it fails, the proxy must end. The first error counts.
type support struct {
	ctx  context.Context
	stop context.CancelFunc
	fail context.CancelCauseFunc // ends what leans on the support
	wg   sync.WaitGroup

	mu    sync.Mutex // guards first; nothing is called under it
	first error
}

// newSupport makes a support and the context for what leans on it, which ends when
// parent does or when a part fails. The parts themselves end only by end.
func newSupport(parent context.Context) (*support, context.Context) {
	leaning, fail := context.WithCancelCause(parent)
	ctx, stop := context.WithCancel(context.WithoutCancel(parent))
	return &support{ctx: ctx, stop: stop, fail: fail}, leaning
}

// run starts a part, which must run until its context ends. To end before, even
// without an error, is to fail.
func (s *support) run(name string, part func(context.Context) error) {
	s.wg.Go(func() { s.runPart(name, part) })
}

func (s *support) runPart(name string, part func(context.Context) error) {
	err := part(s.ctx)
	if s.ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return
	}
	if err == nil {
		err = errors.New("ended by itself")
	}
	err = fmt.Errorf("%s: %w", name, err)
	s.mu.Lock()
	if s.first == nil {
		s.first = err
	}
	s.mu.Unlock()
	s.fail(err)
}

// end stops all parts, waits for them and gives the first error.
func (s *support) end() error {
	s.stop()
	s.wg.Wait()
	s.fail(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}
