package failover

import (
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
)

// P8: one Sentinel of three monitors another master under the same name, even in
// a higher epoch. Not a byte goes there: its nodes accept no connection at all
// while steadis serves, follows a failover and serves again.
func TestOneLyingSentinel(t *testing.T) {
	honest := startDeployment(t, topology.Options{Sentinels: 2})
	other := startDeployment(t, topology.Options{Replicas: 1, Sentinels: 1})
	ctx := within(t, 2*time.Minute)
	first, err := other.Master(ctx)
	must(t, err)
	must(t, other.Failover(ctx)) // its config-epoch is 1 now, that of the honest ones 0
	_, err = other.AwaitMajority(ctx, first.Addr())
	must(t, err)
	must(t, other.Demote(ctx))
	must(t, other.AwaitSettled(ctx))

	var watch []func() string
	for _, n := range other.Nodes {
		c, err := n.Dial(ctx)
		must(t, err)
		defer c.Close()
		watch = append(watch, func() string {
			info, err := c.Do(ctx, "INFO", "stats")
			must(t, err)
			for line := range strings.SplitSeq(info.(string), "\r\n") {
				if total, found := strings.CutPrefix(line, "total_connections_received:"); found {
					return total
				}
			}
			t.Fatal("INFO stats has no total_connections_received")
			return ""
		})
	}
	before := []string{watch[0](), watch[1]()}

	s := startSteadis(t, other.SentinelAddrs()+","+honest.SentinelAddrs(), "--in-doubt", "error")
	load, err := workload.Start(ctx, workload.Options{Addr: s.Addr, Pause: time.Millisecond})
	must(t, err)
	awaitProgress(ctx, t, load, 2000)
	old, err := honest.Master(ctx)
	must(t, err)
	must(t, honest.Failover(ctx))
	_, err = honest.AwaitMajority(ctx, old.Addr())
	must(t, err)
	awaitProgress(ctx, t, load, 5000)
	record := load.Stop(5 * time.Second)
	for i, n := range other.Nodes {
		if now := watch[i](); now != before[i] {
			t.Errorf("%s of the lying Sentinel: %s connections before, %s after", n.Label, before[i], now)
		}
	}
	must(t, honest.Demote(ctx))
	master, err := honest.Master(ctx)
	must(t, err)
	audit, err := record.Audit(ctx, workload.Source{Addr: master.Addr()})
	must(t, err)
	if !audit.Flawless() || len(audit.Errors) != 0 {
		t.Errorf("%v\n%v\n%s", audit, audit.Examples, audit.ErrorsText())
	}
	measured.record(t, "one Sentinel of three monitors another master, in a higher epoch", "0 connections there, 0 lost",
		"0 connections, %d acknowledged, %d lost, over a planned failover", audit.Acknowledged, audit.Lost)
}
