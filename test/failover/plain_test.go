package failover

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
)

// containsWrite says whether INFO commandstats counts a write of the load.
func containsWrite(stats string) bool {
	return strings.Contains(stats, "cmdstat_rpush:") || strings.Contains(stats, "cmdstat_set:")
}

// The same audit that steadis must pass, without steadis: writers that stay on the
// old master of a planned failover lose what it acknowledges until Sentinel
// demotes it. If this test finds nothing lost, the others prove nothing.
func TestPlainRedisLosesWrites(t *testing.T) {
	d := startDeployment(t, topology.Options{})
	ctx := within(t, time.Minute)
	old, err := d.Master(ctx)
	must(t, err)
	load, err := workload.Start(ctx, workload.Options{Addr: old.Addr(), Pause: time.Millisecond})
	must(t, err)
	reader := load.StartReader(ctx, old.Addr(), "", "")
	awaitProgress(ctx, t, load, 1000)
	watched := watchMajority(ctx, d, old.Addr())
	must(t, d.Failover(ctx))
	outcome := <-watched
	must(t, outcome.err)
	awaitProgress(ctx, t, load, 1000) // the deposed master goes on acknowledging
	stats, err := old.Do(ctx, "INFO", "commandstats")
	must(t, err)
	if !containsWrite(stats.(string)) {
		t.Errorf("containsWrite is blind:\n%s", stats)
	}
	must(t, d.Demote(ctx)) // closes the writers' connections, as Sentinel would
	poll(ctx, t, "the writers to notice", func() error {
		if live := load.Live(); live.Refused == 0 && live.Dropped == 0 {
			return fmt.Errorf("%+v", live)
		}
		return nil
	})
	reads := reader.Stop()
	record := load.Stop(time.Second)
	must(t, d.AwaitSettled(ctx))
	master, err := d.Master(ctx)
	must(t, err)
	audit, err := record.Audit(ctx, workload.Source{Addr: master.Addr()})
	must(t, err)
	if audit.Lost < 1000 || audit.Flawless() {
		t.Errorf("the audit found no loss where there must be one: %v", audit)
	}
	measured.record(t, "SENTINEL FAILOVER without steadis, writers stay ~1 s on the old master", "lost > 0: the audit can fail",
		"%d of %d acknowledged lost, %d stale reads", audit.Lost, audit.Acknowledged, reads.Stale)
}
