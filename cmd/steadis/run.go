package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"steadis/config"
	"steadis/proxy"
	"steadis/proxy/admin"
	"steadis/proxy/command"
	"steadis/proxy/reader"
	"steadis/sentinel/replicas"
	"steadis/sentinel/topology"
)

// This file is the only one that brings the data path (proxy) and the control plane
// (a finder, find.go) together. They meet on the topology.Board that run makes for them.

// status is what /api/status shows.
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

// statusOf is what /api/status shows of both sides.
func statusOf(started time.Time, server *proxy.Server, finder finder, readers *readers) status {
	s := status{Version: ourVersion(), Started: started, Proxy: server.Status(), found: finder.status()}
	s.Failovers = topology.Failovers(s.switches(), server.Outages())
	readers.show(&s)
	return s
}

// run serves clients and operators on their sockets until ctx ends, and then drains. It
// closes all sockets. When it returns, nothing of it is left running. The error is nil
// after a clean end by ctx, or by another process that has taken over.
func run(ctx context.Context, c *config.Config, log *zap.Logger, sockets *sockets, p *process) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	registry := newRegistry()
	board := topology.NewBoard()
	tls, err := newLegs(c, log.Named("tls"), registry)
	if err != nil {
		return err
	}
	finder, err := newFinder(c, tls, log, registry, board)
	if err != nil {
		return err
	}
	options, err := proxyOptions(c, tls, log, registry, board)
	if err != nil {
		return err
	}
	options.SocketsStay = sockets.inherited()
	server, err := proxy.New(options)
	if err != nil {
		return err
	}
	readers, err := newReaders(c, tls, log, registry, board, options)
	if err != nil {
		return err
	}
	reloads := newReloads(c, p.load, log.Named("reload"), registry)
	reloads.addLog(p.level)
	reloads.addTokens()
	reloads.addTLS(tls)
	reloads.addFinder(finder, tls, log)
	reloads.addProxy(fronts(server, readers), tls, log)
	started := time.Now()
	pages, err := admin.New(admin.Options{
		Ready:    server.Ready,
		Status:   func() any { return statusOf(started, server, finder, readers) },
		History:  func(after int64) any { return server.History(after) },
		Actions:  map[string]admin.Action{"switchover": switchover(reloads.current, server, finder), "reload": reloads.action},
		Token:    func() string { return reloads.current().RevealAdminToken() },
		Profile:  c.AdminPprof,
		Gatherer: registry,
		Log:      log.Named("admin"),
	})
	if err != nil {
		return err
	}

	parts, serving := newSupport(ctx)
	change, err := newTakeover(sockets, server, c.Handover, log.Named("handover"), p, serving, leave)
	if err != nil {
		return errors.Join(err, parts.end())
	}
	admitted, err := tls.admit(c, log.Named("entrance"), registry, []byte(proxy.NotTLS), change.clients(), sockets.secured())
	if err != nil {
		return errors.Join(err, parts.end())
	}
	parts.run(finder.name(), finder.run)
	parts.run("tls", tls.Run)
	if sockets.admin != nil {
		parts.run("admin", func(ctx context.Context) error {
			// It has nothing to drain, so it ends before the clients do only if another
			// process answers in its place.
			answering, stop := change.untilHandedOver(ctx)
			defer stop()
			err := pages.Serve(answering, change.gated(*sockets.admin))
			if answering.Err() != nil {
				<-ctx.Done()
			}
			return err
		})
	}
	parts.run("reload", func(ctx context.Context) error { return reloads.listen(ctx, p.hangup) })
	parts.run("handover", change.run)
	readers.support(parts)
	clients := append(admitted[:sockets.masters:sockets.masters], watchdog(parts, log)...)
	err, readersErr := serveBoth(serving, server, clients, readers.server(), admitted[sockets.masters:])
	change.ended()
	return errors.Join(unlessEnded("proxy", err), unlessEnded("reader", readersErr), parts.end())
}

// unlessEnded names the error of a part that was not merely told to end.
func unlessEnded(part string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
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

// server is what serves the read-only address; nil if there is none.
func (r *readers) server() server {
	if r == nil {
		return nil
	}
	return r.Reader
}

func (r *readers) support(parts *support) {
	if r != nil {
		parts.run("replicas", r.watcher.Run)
	}
}

func (r *readers) show(st *status) {
	if r != nil {
		lanes := r.Reader.Status()
		st.Replicas, st.Reader = r.watcher.Status(), &lanes
	}
}

// switchover is the action behind POST /api/switchover. Of the time for which commands may
// be held it takes two thirds at most, so that what then goes on as before does so in time.
func switchover(current func() *config.Config, server *proxy.Server, finder finder) admin.Action {
	return func(ctx context.Context) (any, error) {
		limit := min(current().Hold*2/3, switchoverMost)
		// Who has asked may go away; half of it must not.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return finder.switchover(ctx, server.Drained)
	}
}

// newRegistry makes the registry of this run, with what describes the process.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "steadis_build_info",
		Help:        "Always 1; its labels say which steadis this is.",
		ConstLabels: prometheus.Labels{"version": ourVersion(), "goversion": runtime.Version()},
	})
	build.Set(1)
	registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// users are who clients may be, nil where the master judges that.
func users(c *config.Config) *proxy.Users {
	if c.Auth != config.AuthStatic {
		return nil
	}
	all := proxy.Users{}
	for _, user := range c.RevealUsers() {
		all[user.Name] = proxy.User{Hashes: user.Hashes, NoPass: user.NoPass}
	}
	return &all
}

// proxyOptions says what the data path is told.
func proxyOptions(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer, board *topology.Board) (proxy.Options, error) {
	inDoubt, err := proxy.ParseInDoubt(c.InDoubt)
	if err != nil {
		return proxy.Options{}, err
	}
	return proxy.Options{
		Board:           board,
		Log:             log.Named("proxy"),
		Registry:        registry,
		Secure:          tls.upstream.Secure,
		MasterName:      c.Name(),
		Commands:        command.Policy{Allow: c.AllowCommands, Deny: c.DenyCommands},
		Hold:            c.Hold,
		HoldMaxCommands: c.HoldMaxCommands,
		HoldMaxBytes:    int64(c.HoldMaxBytes),
		InDoubt:         inDoubt,
		Durable: proxy.Durable{
			Replicas: c.Durable.Replicas, Timeout: c.Durable.Timeout, AnyReads: c.Durable.Reads == config.ReadsAny,
		},
		Upstream: proxy.UpstreamOptions{
			User:        c.Upstream.User,
			Password:    c.Upstream.Reveal(),
			Connections: c.Upstream.Connections,
			Dials:       c.Upstream.Dials,
			DialRate:    c.Upstream.DialRate,
			DialTimeout: c.Upstream.DialTimeout,
			Heartbeat:   c.Upstream.Heartbeat,
		},
		Limits: proxy.Limits{
			Clients:     c.Limits.Clients,
			Pipeline:    c.Limits.Pipeline,
			Output:      int64(c.Limits.Output),
			QueryMemory: int64(c.Limits.QueryMemory),
			Bulk:        int64(c.Limits.Bulk),
			Memory:      int64(c.Limits.Memory),

			PubSubOutput:   int64(c.Limits.PubSubOutput),
			PubSubSoft:     int64(c.Limits.PubSubOutputSoft),
			PubSubSoftTime: c.Limits.PubSubSoftTime,
			Idle:           c.Limits.Idle,
			Keepalive:      c.Limits.Keepalive,
		},
		Users:   users(c),
		Drain:   c.Drain,
		Version: ourVersion(),
	}, nil
}
