package main

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/config"
	"steadis/sentinel"
	"steadis/sentinel/discovery"
	"steadis/sentinel/topology"
)

// finder finds out who is the master: by Sentinels or, if there are none, by a name or
// by the nodes themselves. Exactly one of the two is not nil.
type finder struct {
	sentinels *sentinel.Watcher
	endpoint  *discovery.Watcher
}

// newFinder makes the one that the configuration asks for. It publishes on board.
func newFinder(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer, board *topology.Board) (f finder, err error) {
	if c.Discovery == config.DiscoverySentinel {
		f.sentinels, err = sentinel.New(watcherOptions(c, tls, log, registry), board)
		return f, err
	}
	f.endpoint, err = discovery.New(discoveryOptions(c, tls, log, registry), board)
	return f, err
}

// name is what errors call it.
func (f finder) name() string {
	if f.sentinels != nil {
		return "sentinel"
	}
	return "discovery"
}

func (f finder) run(ctx context.Context) error {
	if f.sentinels != nil {
		return f.sentinels.Run(ctx)
	}
	return f.endpoint.Run(ctx)
}

// found is what a finder knows, for /api/status. The other one is left out.
type found struct {
	Sentinel  *sentinel.Status  `json:"sentinel,omitempty"`
	Discovery *discovery.Status `json:"discovery,omitempty"`
}

// switches are the last changes of master.
func (f found) switches() []topology.Switch {
	if f.Sentinel != nil {
		return f.Sentinel.Switches
	}
	return f.Discovery.Switches
}

func (f finder) status() found {
	if f.sentinels != nil {
		st := f.sentinels.Status()
		return found{Sentinel: &st}
	}
	st := f.endpoint.Status()
	return found{Discovery: &st}
}

// errNoSwitchover is what a switchover ends with where nobody could carry it out.
var errNoSwitchover = errors.New("a switchover needs Sentinels to carry it out, and there are none (discovery is dns or static); use the service's own failover")

// switchover asks for a planned change of master; drained says whether the proxy still
// has commands in flight.
func (f finder) switchover(ctx context.Context, drained func(context.Context) error) (any, error) {
	if f.sentinels == nil {
		return nil, errNoSwitchover
	}
	return f.sentinels.Switchover(ctx, drained)
}

// replacer has the master of a generation replaced (proxy.Options.Replace); nil if it is not wanted
// that a master which has lost its data is, or nobody could do it.
func (f finder) replacer(c *config.Config) func(context.Context, uint64, string) error {
	if f.sentinels == nil || c.Durable.Replicas == 0 || c.Durable.EmptiedMaster != config.EmptiedReplace {
		return nil
	}
	return f.sentinels.Replace
}

// watcherOptions says what package sentinel is told. check asks with the same.
func watcherOptions(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer) sentinel.Options {
	return sentinel.Options{
		Addresses:    c.Sentinel,
		Master:       c.Master,
		User:         c.SentinelAuth.User,
		Password:     c.SentinelAuth.Reveal(),
		RoleUser:     c.Upstream.User,
		RolePassword: c.Upstream.Reveal(),
		Timeout:      c.SentinelTimeout,
		Poll:         c.SentinelPoll,
		PollHolding:  c.SentinelPollHolding,
		AddressMap:   c.AddressMap,
		Fence:        c.Fence,
		Dial:         tls.sentinel.Dialer(dialNodes),
		DialNode:     tls.upstream.Dialer(dialNodes),

		HoldWithoutMajority: c.WithoutMajority == config.MinorityHold,
		Log:                 log.Named("sentinel"),
		Registry:            registry,
	}
}

// nodeOptions says how a node is asked what it is.
func nodeOptions(c *config.Config, tls *legs) sentinel.Options {
	o := watcherOptions(c, tls, zap.NewNop(), nil)
	o.Timeout = c.Probe.Timeout
	return o
}

// discoveryOptions says what package discovery is told. check asks with the same.
func discoveryOptions(c *config.Config, tls *legs, log *zap.Logger, registry prometheus.Registerer) discovery.Options {
	return discovery.Options{
		Addresses:   c.Address,
		Resolves:    c.Discovery == config.DiscoveryDNS,
		Servers:     c.DNS.Servers,
		Poll:        c.Probe.Poll,
		PollHolding: c.Probe.PollHolding,
		Node:        nodeOptions(c, tls),
		Log:         log.Named("discovery"),
		Registry:    registry,
	}
}
