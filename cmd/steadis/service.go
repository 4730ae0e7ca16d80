package main

import (
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/config"
	"steadis/proxy"
	"steadis/proxy/reader"
	"steadis/sentinel/replicas"
	"steadis/sentinel/topology"
)

// This file is the only one that brings the data path (proxy) and the control plane
// (a finder, find.go) together. They meet on the topology.Board that newService makes.

// service is what steadis is for one master: who finds it, and who serves its clients.
type service struct {
	name    string // of the master
	several bool   // there are, or could be, other ones, which are told apart by name
	log     *zap.Logger
	finder  finder
	server  *proxy.Server
	readers *readers
}

// newService makes the service for the master of c. together is what it shares with other
// services, and its own addresses with each other. inherited says that other processes have its sockets too.
func newService(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer, together *proxy.Shared, inherited bool) (*service, error) {
	s := &service{name: c.Name(), log: log}
	board := topology.NewBoard()
	var err error
	if s.finder, err = newFinder(c, tls, log, registry, board); err != nil {
		return nil, err
	}
	options, err := proxyOptions(c, tls, log, registry, board)
	if err != nil {
		return nil, err
	}
	options.SocketsStay, options.Shared, options.Replace = inherited, together, s.finder.replacer(c)
	if s.server, err = proxy.New(options); err != nil {
		return nil, err
	}
	s.readers, err = newReaders(c, tls, log, registry, board, options)
	return s, err
}

// of names a part of the service, where there are several.
func (s *service) of(part string) string {
	if !s.several {
		return part
	}
	return part + " of " + s.name
}

// support runs what the service's servers lean on.
func (s *service) support(parts *support) {
	parts.run(s.of(s.finder.name()), s.finder.run)
	if s.readers != nil {
		parts.run(s.of("replicas"), s.readers.watcher.Run)
	}
}

// fronts are all that clients of the service are connected to.
func (s *service) fronts() []front {
	if s.readers == nil {
		return []front{s.server}
	}
	return []front{s.server, s.readers}
}

// handOver has the clients of all fronts given to another process.
func (s *service) handOver(give proxy.GiveFunc) {
	for _, f := range s.fronts() {
		f.HandOver(give)
	}
}

// keepClients has them kept for the next process.
func (s *service) keepClients(keep proxy.GiveFunc) {
	for _, f := range s.fronts() {
		f.KeepClients(keep)
	}
}

// errNoReaders is about a client of a read-only address that there is no more.
var errNoReaders = errors.New("there is no listen_replicas any more")

// adopt goes on with a client that a former process has served.
func (s *service) adopt(nc net.Conn, c proxy.Client) error {
	switch {
	case !c.Reader:
		return s.server.Adopt(nc, c)
	case s.readers == nil:
		_ = nc.Close() // it may not come to the master instead
		return errNoReaders
	}
	return s.readers.Adopt(nc, c)
}

// remember notes scripts that the master has.
func (s *service) remember(scripts []string) {
	for _, script := range scripts {
		s.server.Remember(script)
	}
}

// status is what /api/status shows of a service.
type status struct {
	Version string       `json:"version"`
	Started time.Time    `json:"started"`
	Proxy   proxy.Status `json:"proxy"`
	found
	// Failovers are the last times in which commands were held, newest first, at most 50.
	Failovers []topology.Failover `json:"failovers"`
	// Replicas and Reader are about listen_replicas; absent without it.
	Replicas []replicas.Status `json:"replicas,omitempty"`
	Reader   *reader.Status    `json:"reader,omitempty"`
}

// status gives what there is to show. It may be called concurrently.
func (s *service) status(started time.Time) status {
	st := status{Version: ourVersion(), Started: started, Proxy: s.server.Status(), found: s.finder.status()}
	st.Failovers = topology.Failovers(st.switches(), s.server.Outages())
	if s.readers != nil {
		lanes := s.readers.Status()
		st.Replicas, st.Reader = s.readers.watcher.Status(), &lanes
	}
	return st
}

// readers is the read-only address; nil without listen_replicas.
type readers struct {
	*reader.Reader
	watcher *replicas.Watcher
}

// newReaders makes them. Each lane is like the proxy that options describe.
func newReaders(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer, board *topology.Board, options proxy.Options) (*readers, error) {
	if len(c.ListenReplicas) == 0 {
		return nil, nil
	}
	fit := topology.NewReplicaBoard()
	watcher, err := replicaWatcher(c, tls, log, registry, board, fit)
	if err != nil {
		return nil, err
	}
	r, err := reader.New(reader.Options{
		Board: fit, Server: options, Standin: c.Replicas.Fallback == config.FallbackMaster,
		Clients: c.Limits.Clients, Log: log.Named("reader"), Registry: registry,
	})
	return &readers{r, watcher}, err
}

// dialNodes dials Redis nodes and Sentinels: like the data path it finds one soon whose network has
// just healed.
var dialNodes = proxy.Hedged((&net.Dialer{}).DialContext)
