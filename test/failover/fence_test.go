package failover

import (
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
)

// bypassed plays a planned failover under writers that stay on the old master, past a
// steadis that runs with args, and returns how many of their acknowledged writes are lost.
func bypassed(t *testing.T, args ...string) *workload.Audit {
	d := startDeployment(t, topology.Options{})
	s := startSteadis(t, d.SentinelAddrs(), args...)
	ctx := within(t, time.Minute)
	old, err := d.Master(ctx)
	must(t, err)
	through, err := workload.Start(ctx, workload.Options{Addr: s.Addr, KeyPrefix: "through:"})
	must(t, err)
	direct, err := workload.Start(ctx, workload.Options{Addr: old.Addr(), KeyPrefix: "direct:", Writers: 2})
	must(t, err)
	awaitProgress(ctx, t, direct, 1000)
	must(t, d.Failover(ctx))
	_, err = d.AwaitMajority(ctx, old.Addr())
	must(t, err)
	awaitProgress(ctx, t, through, 1000)
	must(t, d.Demote(ctx))
	record := direct.Stop(0)
	audit, err := through.Stop(10*time.Second).Audit(ctx, workload.Source{Addr: s.Addr})
	must(t, err)
	if !audit.Flawless() || len(audit.Errors) > 0 {
		t.Errorf("through steadis %v: %v", args, audit)
	}
	must(t, d.AwaitSettled(ctx))
	master, err := d.Master(ctx)
	must(t, err)
	lost, err := record.Audit(ctx, workload.Source{Addr: master.Addr()})
	must(t, err)
	return lost
}

// TestFence: writers that bypass steadis are stopped at a master that is being replaced,
// but for moments between two pauses in which Sentinel is let through.
func TestFence(t *testing.T) {
	without, with := bypassed(t), bypassed(t, "--fence")
	if without.Lost < 100 || with.Lost > without.Lost/10 {
		t.Errorf("lost without a fence: %v\nwith one: %v", without, with)
	}
	measured.record(t, "SENTINEL FAILOVER, writers that bypass steadis, with `fence: true`", "a tenth of what is lost without it",
		"%d of %d acknowledged lost; without %d of %d", with.Lost, with.Acknowledged, without.Lost, without.Acknowledged)
}
