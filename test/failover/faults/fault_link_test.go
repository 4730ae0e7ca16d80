package faults

import (
	"context"
	"time"
)

// linkFaults make the network bad without cutting it.
var linkFaults = []fault{
	{
		name: "lossy links (3 %)", short: true, losses: nothing, service: restored,
		inject: func(_ context.Context, st *stage) error { return lossy(st, 0.03) },
		lasts:  4 * time.Second,
	},
	{
		name: "lossy links (3 %), SENTINEL FAILOVER", losses: unreplicated, anyReplica: true,
		inject: func(ctx context.Context, st *stage) error {
			if err := lossy(st, 0.03); err != nil {
				return err
			}
			return st.d.Failover(ctx)
		},
	},
	{
		name: "lossy links (3 %), kill -9", losses: unreplicated,
		inject: func(_ context.Context, st *stage) error {
			if err := lossy(st, 0.03); err != nil {
				return err
			}
			return st.old.Kill()
		},
		heal: restartOld,
	},
	{
		name: "slow links", losses: nothing, service: restored,
		inject: func(_ context.Context, st *stage) error { return st.network.Slow(st.nodeHosts()...) },
		lasts:  4 * time.Second,
	},
	{
		name: "slow links, SENTINEL FAILOVER", losses: unreplicated,
		inject: func(ctx context.Context, st *stage) error {
			if err := st.network.Slow(st.nodeHosts()...); err != nil {
				return err
			}
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
			return st.d.Failover(ctx)
		},
	},
	{
		name: "slow links, kill -9", losses: unreplicated,
		inject: func(ctx context.Context, st *stage) error {
			if err := st.network.Slow(st.nodeHosts()...); err != nil {
				return err
			}
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
			return st.old.Kill()
		},
		heal: restartOld,
	},
}

// lossy loses a share of the packets between all hosts.
func lossy(st *stage, share float64) error {
	all := st.network.Others()
	return st.network.Lose(share, all, all)
}
