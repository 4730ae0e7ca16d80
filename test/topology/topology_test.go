package topology_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// downAfter is Sentinel's least sensible one: it asks once in a second, and on a busy machine a
// sound master is found down, and failed over once more, if it has less time for its reply.
const downAfter = time.Second

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, o topology.Options) *topology.Deployment {
	t.Helper()
	o.Dir = t.TempDir()
	d, err := topology.Start(within(t, 40*time.Second), o)
	if err != nil {
		t.Fatal(err)
	}
	pids := d.PIDs()
	t.Cleanup(func() {
		pids = append(pids, d.PIDs()...)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d is left: kill says %v", pid, err)
			}
		}
		if left, err := os.ReadDir(o.Dir); err != nil || len(left) != 0 {
			t.Errorf("left in the directory: %v, %v", left, err)
		}
	})
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func channels(events []topology.Event) []string {
	var names []string
	for _, e := range events {
		names = append(names, e.Channel)
	}
	return names
}

// The whole life of a deployment with passwords: crash, planned failover, freeze.
func TestDeploymentLives(t *testing.T) {
	d := start(t, topology.Options{Password: "pw", SentinelPassword: "spw", DownAfter: downAfter})
	ctx := within(t, 100*time.Second)
	events, err := d.Events(ctx)
	must(t, err)
	defer events.Close()

	first, err := d.Master(ctx)
	must(t, err)
	if first != d.Nodes[0] {
		t.Fatalf("master is %s", first.Label)
	}
	killed := time.Now()
	must(t, first.Kill())
	if first.Alive() {
		t.Fatal("alive after Kill")
	}
	sw, err := d.AwaitMajority(ctx, first.Addr())
	must(t, err)
	t.Logf("kill: a majority announced %s after %v", sw.Addr, sw.At.Sub(killed))
	if took := sw.At.Sub(killed); took < downAfter || took > 10*time.Second {
		t.Errorf("switch took %v with down-after %v", took, downAfter)
	}
	must(t, d.Mend(ctx))
	must(t, d.Demote(ctx))
	must(t, d.AwaitSettled(ctx))
	// Sentinels publish what they have done when they announce it already.
	if got := channels(events.Since(0)); !slices.Contains(got, "+try-failover") || !slices.Contains(got, "+switch-master") {
		t.Errorf("events recorded: %v", got)
	}

	second, err := d.Master(ctx)
	must(t, err)
	if second.Addr() != sw.Addr || second == first {
		t.Fatalf("master is %s; events: %v", second.Label, events.Since(0))
	}
	must(t, second.Freeze())
	sw, err = d.AwaitMajority(ctx, second.Addr())
	must(t, err)
	must(t, second.Thaw())
	if role, err := second.Do(ctx, "ROLE"); err != nil || wire.Strings(role)[0] != "master" {
		t.Errorf("a thawed master says %v, %v; it should still think it is master", role, err)
	}
	must(t, d.Demote(ctx))
	must(t, d.AwaitSettled(ctx))

	must(t, d.Failover(ctx))
	_, err = d.AwaitMajority(ctx, sw.Addr)
	must(t, err)
	must(t, d.Sentinels[2].Term())
	must(t, d.Mend(ctx))
	must(t, d.Demote(ctx))
	must(t, d.AwaitSettled(ctx))
}

func TestRelaysCutANodeOff(t *testing.T) {
	d := start(t, topology.Options{Replicas: 1, Relays: true, DownAfter: downAfter})
	ctx := within(t, 60*time.Second)
	old, err := d.Master(ctx)
	must(t, err)
	old.Relay.Cut()
	sw, err := d.AwaitMajority(ctx, old.Addr())
	must(t, err)
	if d.NodeAt(sw.Addr) != d.Nodes[1] {
		t.Fatalf("announced: %s", sw.Addr)
	}
	if _, err := old.Do(ctx, "SET", "k", "v"); err != nil {
		t.Errorf("a cut-off master should still answer directly: %v", err)
	}
	must(t, d.Mend(ctx))
	must(t, d.Demote(ctx))
	must(t, d.AwaitSettled(ctx))
}

func TestMasterSaysWhyThereIsNone(t *testing.T) {
	d := start(t, topology.Options{Replicas: -1, Sentinels: 1})
	ctx := within(t, 20*time.Second)
	must(t, d.Nodes[0].Kill())
	if m, err := d.Master(ctx); err == nil {
		t.Fatalf("master %v without a process", m)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := d.AwaitMajority(short, d.Nodes[0].Addr()); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if err := d.AwaitSettled(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func TestStartCleansUpWhenItFails(t *testing.T) {
	dir := t.TempDir()
	_, err := topology.Start(within(t, 20*time.Second), topology.Options{Dir: dir, NodeConfig: []string{"no-such-directive 1"}})
	if err == nil {
		t.Fatal("started with a broken configuration")
	}
	t.Log(err)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}
