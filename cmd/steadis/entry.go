package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// server is what serves clients on listeners until its context ends.
type server interface {
	Serve(ctx context.Context, listeners ...net.Listener) error
}

// entry is a server and where its clients come to.
type entry struct {
	name      string // for errors
	server    server
	listeners []net.Listener
}

// serveAll runs all of them until ctx ends or one of them does; then the others end as well.
// It returns once all have ended. The error is of each that was not merely told to end.
func serveAll(ctx context.Context, entries []entry) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(entries))
	var ended sync.WaitGroup
	for i, e := range entries {
		ended.Go(func() {
			defer cancel()
			errs[i] = e.serve(ctx)
		})
	}
	ended.Wait()
	return errors.Join(errs...)
}

// serve is the goroutine of serveAll.
func (e entry) serve(ctx context.Context) error {
	err := e.server.Serve(ctx, e.listeners...)
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", e.name, err)
}
