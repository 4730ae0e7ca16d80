package failover

import (
	"context"
	"fmt"
	"testing"
	"time"

	"steadis/test/harness"
	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// What all tests of real deployments share.
var within, must, poll = harness.Within, harness.Must, harness.Poll

func startDeployment(t *testing.T, o topology.Options) *topology.Deployment {
	t.Helper()
	o.Dir = t.TempDir()
	d, err := topology.Start(within(t, time.Minute), o)
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// startSteadis runs the built program before the Sentinels at addrs. When the
// test has failed, the end of its log is shown.
func startSteadis(t *testing.T, sentinels string, args ...string) *topology.Steadis {
	t.Helper()
	s, err := topology.RunSteadis(within(t, 30*time.Second), topology.SteadisOptions{
		Binary: program.Path(t),
		Args:   append([]string{"--sentinel", sentinels, "--master", "mymaster"}, args...),
		Dir:    t.TempDir(),
	})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("end of steadis' log:\n%s", s.LogTail())
		}
	})
	return s
}

// awaitProgress waits until n more writes have been acknowledged.
func awaitProgress(ctx context.Context, t *testing.T, load *workload.Load, n int64) {
	t.Helper()
	goal := load.Live().Acknowledged + n
	poll(ctx, t, "writes to go on", func() error {
		if live := load.Live(); live.Acknowledged < goal {
			return fmt.Errorf("%+v, want %d acknowledged", live, goal)
		}
		return nil
	})
}

// checkHoldCounters checks that what entered the hold is accounted for. Nothing
// may be on its way, since the counters are not read at one moment.
func checkHoldCounters(ctx context.Context, t *testing.T, s *topology.Steadis) {
	t.Helper()
	m, err := s.Metrics(ctx)
	must(t, err)
	const entered = "steadis_hold_commands_total"
	if _, has := m[entered]; !has {
		t.Fatalf("/metrics has no %s", entered)
	}
	released, refused := m["steadis_hold_released_total"], topology.Sum(m, "steadis_hold_refused_total")
	dropped, waiting := m["steadis_hold_dropped_total"], m["steadis_hold_waiting"]
	if m[entered] != released+refused+dropped+waiting {
		t.Errorf("the hold's counters do not add up: entered %v, released %v + refused %v + dropped %v + waiting %v",
			m[entered], released, refused, dropped, waiting)
	}
	if waiting != 0 {
		t.Errorf("%v commands still wait while nothing is on its way", waiting)
	}
}

// metric reads one sample, 0 if it is not there.
func metric(ctx context.Context, t *testing.T, s *topology.Steadis, name string) float64 {
	t.Helper()
	m, err := s.Metrics(ctx)
	must(t, err)
	return topology.Sum(m, name)
}

func dial(ctx context.Context, t *testing.T, addr string) *wire.Conn {
	t.Helper()
	c, err := wire.Dial(ctx, addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func millis(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
