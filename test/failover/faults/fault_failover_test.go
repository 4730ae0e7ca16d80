package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"steadis/test/topology"
)

// failoverFaults are failovers that go as they should and failovers that do not.
var failoverFaults = []fault{
	{
		name: "SENTINEL FAILOVER", often: 100, short: true, compared: true, load: pipelined, losses: nothing, clean: true,
		inject: func(ctx context.Context, st *stage) error { return st.d.Failover(ctx) },
	},
	{
		name: "switchover, replicas 0.9 s behind", often: 50, short: true, losses: nothing, clean: true,
		inject: laggingSwitchover,
	},
	{
		name: "two forced failovers at once", short: true, losses: nothing,
		inject: twoFailovers,
		lasts:  2 * time.Second, // the second one's aftermath
		again:  true,
	},
	{
		name: "aborted failover", short: true, losses: nothing, service: restored, clean: true,
		inject: func(ctx context.Context, st *stage) error {
			if err := everyNode(ctx, st.replicas(), "ACL", "SETUSER", "default", "-slaveof"); err != nil {
				return err
			}
			if err := st.d.Failover(ctx); err != nil {
				return err
			}
			_, err := st.awaitEvent(ctx, "-failover-abort-slave-timeout")
			return err
		},
		heal: func(ctx context.Context, st *stage) error {
			return everyNode(ctx, st.replicas(), "ACL", "SETUSER", "default", "+slaveof")
		},
	},
	{
		name: "failover with no good replica", losses: nothing, service: restored,
		inject: noGoodReplica,
		lasts:  time.Second,
		heal:   thawNodes,
	},
	{
		name: "failover with no good replica, the master is back at once", losses: nothing, service: restored,
		inject: noGoodReplica,
		heal:   thawNodes,
	},
	{
		name: "forced failover, leader dies once elected", losses: nothing, service: held,
		inject: func(ctx context.Context, st *stage) error {
			return forcedAndLeaderDies(ctx, st, "crash-after-election")
		},
		lasts: 2 * time.Second,
	},
	{
		name: "forced failover, leader dies after the promotion", losses: nothing, service: held,
		inject: func(ctx context.Context, st *stage) error {
			return forcedAndLeaderDies(ctx, st, "crash-after-promotion")
		},
		lasts: 2 * time.Second,
	},
	{
		name: "kill -9, leader dies once elected", losses: unreplicated,
		inject: func(ctx context.Context, st *stage) error { return killAndLeaderDies(ctx, st, "crash-after-election") },
		heal:   restartOld,
	},
	{
		name: "kill -9, leader dies after the promotion", losses: unreplicated,
		inject: func(ctx context.Context, st *stage) error { return killAndLeaderDies(ctx, st, "crash-after-promotion") },
		heal:   restartOld,
	},
	{
		name: "replica lag: replicas stand still at a SENTINEL FAILOVER", compared: true, losses: unreplicated,
		inject: laggingFailover,
	},
}

// laggingSwitchover has the replicas stand still for 1 s, less than it takes Sentinel to
// find them down, while steadis is asked for a switchover.
func laggingSwitchover(ctx context.Context, st *stage) error {
	if err := forEach(st.replicas(), freeze); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- switchover(ctx, st) }()
	err := pause(ctx, 900*time.Millisecond)
	return errors.Join(err, thawNodes(ctx, st), <-ended)
}

func switchover(ctx context.Context, st *stage) error {
	command := exec.CommandContext(ctx, os.Getenv(binaryVariable), "switchover", "--sentinel", st.d.SentinelAddrs(),
		"--master", st.d.Name(), "--admin", st.steadis.AdminAddr, "--admin-token", adminToken)
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "STEADIS_") })
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("steadis switchover: %w\n%s", err, out)
	}
	return nil
}

// twoFailovers sends SENTINEL FAILOVER to two Sentinels before either can know of
// the other's.
func twoFailovers(ctx context.Context, st *stage) error {
	var all error
	for _, s := range st.d.Sentinels[:2] {
		all = errors.Join(all, sendOnly(ctx, s, "SENTINEL", "FAILOVER", st.d.Name()))
	}
	return all
}

// noGoodReplica stops the replicas, and then the master, which Sentinel cannot
// replace.
func noGoodReplica(ctx context.Context, st *stage) error {
	if err := forEach(st.replicas(), freeze); err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil { // longer than down-after
		return err
	}
	if err := st.old.Freeze(); err != nil {
		return err
	}
	_, err := st.awaitEvent(ctx, "-failover-abort-no-good-slave")
	return err
}

func thawNodes(_ context.Context, st *stage) error {
	return forEach(st.d.Nodes, func(n *topology.Node) error { return n.Thaw() })
}

// forcedAndLeaderDies has one Sentinel lead a forced failover and die in it. Only it
// knows of the failover.
func forcedAndLeaderDies(ctx context.Context, st *stage, when string) error {
	leader := st.d.Sentinels[st.random.IntN(len(st.d.Sentinels))]
	for _, command := range [][]string{{"SENTINEL", "SIMULATE-FAILURE", when}, {"SENTINEL", "FAILOVER", st.d.Name()}} {
		if _, err := leader.Do(ctx, command...); err != nil {
			return err
		}
	}
	return st.await(ctx, leader.Label+" to die", func(context.Context) error {
		if leader.Alive() {
			return errors.New("it lives")
		}
		return nil
	})
}

// killAndLeaderDies kills the master, and the Sentinel that leads the failover dies
// in it. The next failover begins after twice the failover-timeout.
func killAndLeaderDies(ctx context.Context, st *stage, when string) error {
	if err := st.everySentinel(ctx, "SENTINEL", "SIMULATE-FAILURE", when); err != nil {
		return err
	}
	if err := st.old.Kill(); err != nil {
		return err
	}
	if err := st.await(ctx, "the leader to die", func(context.Context) error {
		for _, s := range st.d.Sentinels {
			if !s.Alive() {
				return nil
			}
		}
		return fmt.Errorf("all %d Sentinels live", len(st.d.Sentinels))
	}); err != nil {
		return err
	}
	return st.everySentinel(ctx, "SENTINEL", "SIMULATE-FAILURE", "help") // forgets what it was told: no more of them
}

// laggingFailover has the replicas stand still for a while, not so long that they
// are found down, and fails over while they lag behind.
func laggingFailover(ctx context.Context, st *stage) error {
	if err := forEach(st.replicas(), freeze); err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	err := st.d.Failover(ctx)
	return errors.Join(err, pause(ctx, 300*time.Millisecond), forEach(st.replicas(), func(n *topology.Node) error { return n.Thaw() }))
}
