package main

import (
	"context"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/config"
	"steadis/sentinel/replicas"
	"steadis/sentinel/topology"
)

// replicaWatcher makes what finds the fit replicas of the master that board shows.
func replicaWatcher(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer, board *topology.Board, fit *topology.ReplicaBoard) (*replicas.Watcher, error) {
	o := replicas.Options{
		Master:      board,
		Node:        nodeOptions(c, tls),
		MaxLag:      c.Replicas.MaxLag,
		Poll:        c.Probe.Poll,
		PollHolding: c.Probe.PollHolding,
		Log:         log.Named("replicas"),
		Registry:    registry,
	}
	switch c.Discovery {
	case config.DiscoverySentinel:
		o.Sentinels = watcherOptions(c, tls, zap.NewNop(), nil)
	case config.DiscoveryStatic:
		o.Nodes = c.Address
	}
	return replicas.New(o, fit)
}

// server is what serves clients on listeners until its context ends.
type server interface {
	Serve(ctx context.Context, listeners ...net.Listener) error
}

// serveBoth runs first on its listeners and second, unless that is nil, on its own, until
// ctx ends or one of them does; then the other one ends as well. The errors are theirs.
func serveBoth(ctx context.Context, first server, firsts []net.Listener, second server, seconds []net.Listener) (err, secondErr error) {
	if second == nil {
		return first.Serve(ctx, firsts...), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go serveSecond(ctx, cancel, second, seconds, ended)
	err = first.Serve(ctx, firsts...)
	cancel()
	return err, <-ended
}

// serveSecond is the goroutine of serveBoth, which waits for it.
func serveSecond(ctx context.Context, cancel context.CancelFunc, s server, listeners []net.Listener, ended chan<- error) {
	err := s.Serve(ctx, listeners...)
	cancel()
	ended <- err
}
