package failover

import (
	"context"
	"fmt"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// cycles connects and disconnects n times, in each of the ways in which clients do.
func cycles(ctx context.Context, t *testing.T, addr string, n int) {
	t.Helper()
	for i := range n {
		c, err := wire.Dial(ctx, addr)
		must(t, err)
		switch i % 4 {
		case 0: // says nothing
		case 1: // polite
			_, err = c.Do(ctx, "SET", "cycle", "1")
		case 2: // does not wait for its replies
			c.Append("SET", "cycle", "2")
			c.Append("GET", "cycle")
			err = c.Flush()
		case 3: // QUIT
			_, err = c.Do(ctx, "QUIT")
		}
		must(t, err)
		must(t, c.Close())
	}
}

// failOver plays failovers, half of them planned and half by kill -9, without
// waiting for Sentinel to demote the old master.
func failOver(ctx context.Context, t *testing.T, d *topology.Deployment, i int) {
	t.Helper()
	must(t, d.AwaitSettled(ctx))
	old, err := d.Master(ctx)
	must(t, err)
	if i%2 == 0 {
		must(t, d.Failover(ctx))
	} else {
		must(t, old.Kill())
	}
	_, err = d.AwaitMajority(ctx, old.Addr())
	must(t, err)
	must(t, d.Mend(ctx))
	must(t, d.Demote(ctx))
}

// After 10,000 clients and as many failovers as there are rounds (at least 2),
// goroutines, descriptors and memory are as before them.
func TestNothingLeaks(t *testing.T) {
	d := startDeployment(t, topology.Options{})
	s := startSteadis(t, d.SentinelAddrs(), "--in-doubt", "error")
	ctx := within(t, 3*time.Minute+time.Duration(rounds(t))*30*time.Second)
	burden := func(clients, failovers int) topology.Usage {
		cycles(ctx, t, s.Addr, clients)
		for i := range failovers {
			failOver(ctx, t, d, i)
			usageUnderLoad(ctx, t, s)
		}
		return usageUnderLoad(ctx, t, s)
	}
	// Buffers, pools and the heap, which is collected when it has some size, have theirs
	// once all of it has been done once.
	before := burden(5_000, 2)
	failovers := max(2, rounds(t))
	burden(10_000, failovers)
	const spareMemory = 16 << 20 // what the collector may not have returned yet
	var after topology.Usage
	settle, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	poll(settle, t, "steadis to be as before", func() error {
		after = usageUnderLoad(ctx, t, s)
		if after.Goroutines > before.Goroutines || after.FDs > before.FDs || after.RSS > before.RSS+spareMemory {
			return fmt.Errorf("before: %v; after: %v", before, after)
		}
		return nil
	})
	checkHoldCounters(ctx, t, s)
	measured.record(t, fmt.Sprintf("10,000 connect/disconnect cycles and %d failovers", failovers),
		"goroutines and descriptors as before, memory + 16 MB at most", "before %v; after %v", before, after)
}

// usageUnderLoad measures steadis with 8 writers at work, so that warm
// connections are warm both times.
func usageUnderLoad(ctx context.Context, t *testing.T, s *topology.Steadis) topology.Usage {
	t.Helper()
	load, err := workload.Start(ctx, workload.Options{Addr: s.Addr, Pause: time.Millisecond})
	must(t, err)
	awaitProgress(ctx, t, load, 1000)
	usage, err := s.Usage(ctx)
	must(t, err)
	load.Stop(5 * time.Second)
	return usage
}
