package main

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"steadis/cmd/internal/handover"
	"steadis/config"
	"steadis/proxy"
	"steadis/proxy/admin"
	"steadis/proxy/command"
	"steadis/sentinel/topology"
)

// run serves clients and operators on their sockets until ctx ends, and then drains. It
// closes all sockets. When it returns, nothing of it is left running. The error is nil
// after a clean end by ctx, or by another process that has taken over.
func run(ctx context.Context, c *config.Config, log *zap.Logger, sockets *sockets, p *process) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	registry := newRegistry()
	tls, err := newLegs(c, log.Named("tls"), registry)
	if err != nil {
		return err
	}
	all, err := newServices(c, tls, log, registry, sockets)
	if err != nil {
		return err
	}
	reloads := newReloads(c, p.load, log.Named("reload"), registry)
	reloads.addLog(p.level)
	reloads.addTokens()
	reloads.addTLS(tls)
	reloads.addServices(all, tls)
	pages, err := newPages(c, all, reloads, registry, log.Named("admin"))
	if err != nil {
		return err
	}

	parts, serving := newSupport(ctx)
	change, err := newTakeover(sockets, all, c.Handover, log.Named("handover"), p, serving, leave)
	if err != nil {
		return errors.Join(err, parts.end())
	}
	admitted, err := tls.admit(c, log.Named("entrance"), registry, []byte(proxy.NotTLS), change.clients(), sockets.secured())
	if err != nil {
		return errors.Join(err, parts.end())
	}
	for _, s := range all {
		s.support(parts)
	}
	parts.run("tls", tls.Run)
	if sockets.admin != nil {
		parts.run("admin", func(ctx context.Context) error { return servePages(ctx, pages, change, *sockets.admin) })
	}
	parts.run("reload", func(ctx context.Context) error { return reloads.listen(ctx, p.hangup) })
	parts.run("handover", change.run)
	err = serveAll(serving, all.entries(sockets, admitted, watchdog(parts, log, len(all))))
	change.ended()
	return errors.Join(err, parts.end())
}

// newPages makes the admin server.
func newPages(c *config.Config, all services, reloads *reloads, registry *prometheus.Registry, log *zap.Logger) (*admin.Server, error) {
	started := time.Now()
	return admin.New(admin.Options{
		Masters:       all.names(),
		Ready:         all.ready,
		Status:        func(master string) any { return all.status(started, master) },
		History:       func(master string, after int64) any { return all.named(master).server.History(after) },
		Actions:       map[string]admin.Action{"reload": reloads.action},
		MasterActions: map[string]admin.MasterAction{"switchover": all.switchover(reloads.current)},
		Token:         func() string { return reloads.current().RevealAdminToken() },
		Profile:       c.AdminPprof,
		Gatherer:      registry,
		Log:           log,
	})
}

// servePages is the admin server's part of a run. It has nothing to drain, so it ends before
// the clients do only if another process answers in its place.
func servePages(ctx context.Context, pages *admin.Server, change *takeover, socket handover.Socket) error {
	answering, stop := change.untilHandedOver(ctx)
	defer stop()
	err := pages.Serve(answering, change.gated(socket))
	if answering.Err() != nil {
		<-ctx.Done()
	}
	return err
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
