package main

import (
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
