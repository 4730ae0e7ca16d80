package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"steadis/test/topology"
)

// sentinelFaults happen to Sentinels.
var sentinelFaults = []fault{
	{
		name: "each Sentinel dead in turn", short: true, losses: nothing, service: throughout, clean: true,
		inject: func(ctx context.Context, st *stage) error {
			return inTurn(ctx, st, kill, func(n *topology.Node) error { return n.Restart(ctx) })
		},
	},
	{
		name: "each Sentinel frozen in turn", losses: nothing, service: throughout, clean: true,
		inject: func(ctx context.Context, st *stage) error {
			return inTurn(ctx, st, freeze, func(n *topology.Node) error { return n.Thaw() })
		},
	},
	{
		name: "one Sentinel frozen, then kill -9", losses: unreplicated,
		inject: func(_ context.Context, st *stage) error {
			return errors.Join(st.d.Sentinels[st.random.IntN(3)].Freeze(), st.old.Kill())
		},
		heal: restartOld,
	},
	{
		name: "one Sentinel dead, then SENTINEL FAILOVER", losses: nothing, clean: true,
		inject: func(ctx context.Context, st *stage) error {
			if err := st.d.Sentinels[st.random.IntN(3)].Kill(); err != nil {
				return err
			}
			return st.d.Failover(ctx)
		},
	},
	{
		name: "all Sentinels dead", short: true, losses: nothing, service: throughout, clean: true,
		inject: func(_ context.Context, st *stage) error { return forEach(st.d.Sentinels, kill) },
		lasts:  4 * time.Second,
	},
	{
		name: "all Sentinels frozen", losses: nothing, service: throughout, clean: true,
		inject: func(_ context.Context, st *stage) error { return forEach(st.d.Sentinels, freeze) },
		lasts:  1500 * time.Millisecond, // TILT begins after 2 s
	},
	{
		name: "TILT", losses: nothing, service: throughout, clean: true,
		inject: tilt,
		lasts:  tiltPeriod,
	},
	{
		name: "TILT, kill -9 in the middle", losses: unreplicated,
		inject: func(ctx context.Context, st *stage) error {
			if err := tilt(ctx, st); err != nil {
				return err
			}
			return st.old.Kill()
		},
		heal: restartOld,
	},
}

// inTurn breaks one Sentinel after the other, each for longer than it takes the
// others to find it down.
func inTurn(ctx context.Context, st *stage, breakIt, mend func(*topology.Node) error) error {
	for _, s := range st.d.Sentinels {
		err := errors.Join(breakIt(s), pause(ctx, 1500*time.Millisecond), mend(s))
		if err != nil {
			return fmt.Errorf("%s: %w", s.Label, err)
		}
		if err := st.d.AwaitSettled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tiltPeriod is how long a Sentinel stays in TILT here; by default it is 30 s. A
// very busy machine brings Sentinels into TILT as well.
const tiltPeriod = 4 * time.Second

// hurrySentinels shortens what Sentinel does slowly without need: TILT, and in a judged
// mode the 10 s between two looks at a healthy replica, which the end of each round waits
// for; what the others lose depends on it. A Sentinel that restarts forgets it.
func (st *stage) hurrySentinels(ctx context.Context) error {
	settings := []string{"SENTINEL", "DEBUG", "TILT-PERIOD", fmt.Sprint(tiltPeriod.Milliseconds())}
	if st.mode.judged {
		settings = append(settings, "INFO-PERIOD", "1000")
	}
	return st.everySentinel(ctx, settings...)
}

// tilt makes time jump for every Sentinel, by more than the 2 s after which it no
// longer trusts itself, and returns once all are in TILT: they answer, but act
// on nothing.
func tilt(ctx context.Context, st *stage) error {
	err := errors.Join(forEach(st.d.Sentinels, freeze), pause(ctx, 2500*time.Millisecond),
		forEach(st.d.Sentinels, func(n *topology.Node) error { return n.Thaw() }))
	if err != nil {
		return err
	}
	return st.await(ctx, "every Sentinel to be in TILT", func(ctx context.Context) error {
		for _, s := range st.d.Sentinels {
			info, err := s.Info(ctx, "sentinel")
			if err != nil {
				return err
			}
			if info["sentinel_tilt"] != "1" {
				return fmt.Errorf("%s: sentinel_tilt is %q", s.Label, info["sentinel_tilt"])
			}
		}
		return nil
	})
}
