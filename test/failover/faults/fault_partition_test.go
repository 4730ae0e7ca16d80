package faults

import (
	"context"
	"errors"
	"time"

	"steadis/test/topology"
)

// partitionFaults cut the network in two. Clients always reach what stands before
// the deployment.
var partitionFaults = []fault{
	{
		name: "master cut off, both ways", short: true, losses: unreplicated,
		inject: func(_ context.Context, st *stage) error {
			return st.network.Part(st.oldHost(), st.network.Others(st.old.Host))
		},
		lasts: time.Second,
	},
	{
		name: "master cut off, what it sends is lost", losses: unreplicated,
		inject: func(_ context.Context, st *stage) error {
			return st.network.Cut(st.oldHost(), st.network.Others(st.old.Host))
		},
		lasts: time.Second,
	},
	{
		name: "master cut off, what is sent to it is lost", losses: unreplicated,
		inject: func(_ context.Context, st *stage) error {
			return st.network.Cut(st.network.Others(st.old.Host), st.oldHost())
		},
		lasts: time.Second,
	},
	{
		name: "steadis cut off from the master, both ways", short: true, losses: nothing, service: restored, underWay: true,
		inject: func(_ context.Context, st *stage) error { return st.network.Part(st.wayHost(), st.oldHost()) },
		lasts:  5 * time.Second,
	},
	{
		name: "steadis cut off from the master, what it sends is lost", losses: nothing, service: restored, underWay: true,
		inject: func(_ context.Context, st *stage) error { return st.network.Cut(st.wayHost(), st.oldHost()) },
		lasts:  5 * time.Second,
	},
	{
		name: "steadis cut off from the master, what it is sent is lost", losses: nothing, service: restored, underWay: true,
		inject: func(_ context.Context, st *stage) error { return st.network.Cut(st.oldHost(), st.wayHost()) },
		lasts:  5 * time.Second,
	},
	{
		name: "steadis cut off from the Sentinels, both ways", short: true, losses: nothing, service: throughout, clean: true,
		inject: func(_ context.Context, st *stage) error { return st.network.Part(st.wayHost(), st.sentinelHosts()) },
		lasts:  5 * time.Second,
	},
	{
		name: "steadis cut off from the Sentinels, what it is sent is lost", losses: nothing, service: throughout, clean: true,
		inject: func(_ context.Context, st *stage) error { return st.network.Cut(st.sentinelHosts(), st.wayHost()) },
		lasts:  5 * time.Second,
	},
	{
		name: "steadis cut off from everybody", losses: nothing, service: restored, underWay: true,
		inject: func(_ context.Context, st *stage) error {
			return st.network.Part(st.wayHost(), st.network.Others(st.way.host))
		},
		lasts: 5 * time.Second,
	},
	{
		name: "Sentinels cut off from the nodes, both ways", losses: nothing, service: held, clean: true,
		inject: func(_ context.Context, st *stage) error { return st.network.Part(st.sentinelHosts(), st.nodeHosts()) },
		lasts:  6 * time.Second,
	},
	{
		name: "Sentinels cut off from the nodes, what they are sent is lost", losses: nothing, service: held, clean: true,
		inject: func(_ context.Context, st *stage) error { return st.network.Cut(st.nodeHosts(), st.sentinelHosts()) },
		lasts:  6 * time.Second,
	},
	{
		name: "Sentinels cut off from each other", losses: nothing, service: throughout, clean: true,
		inject: func(_ context.Context, st *stage) error {
			return st.network.Part(st.sentinelHosts(), st.sentinelHosts())
		},
		lasts: 4 * time.Second,
	},
	{
		name: "Sentinels cut off from the master", losses: unreplicated,
		inject: func(_ context.Context, st *stage) error { return st.network.Part(st.sentinelHosts(), st.oldHost()) },
		lasts:  time.Second,
	},
	{
		name: "partition 8 s, steadis reaches both sides", compared: true, losses: unwarned,
		inject: func(ctx context.Context, st *stage) error {
			return partitionOf8s(ctx, st, st.network.Others(st.old.Host, st.way.host), st.oldHost())
		},
	},
	{
		name: "partition 8 s, steadis on the old master's side", compared: true, short: true, losses: counted, service: restored,
		inject: func(ctx context.Context, st *stage) error {
			side := []*topology.Host{st.old.Host, st.way.host}
			return partitionOf8s(ctx, st, st.network.Others(side...), side)
		},
	},
}

// partitionOf8s parts two sides for 8 s, the time of the figures that plain clients
// were measured by.
func partitionOf8s(ctx context.Context, st *stage, some, others []*topology.Host) error {
	return errors.Join(st.network.Part(some, others), pause(ctx, 8*time.Second), st.network.Heal())
}
