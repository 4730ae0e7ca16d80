package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// stage is a deployment on a network of its own, with what stands before it. The
// rounds of a mode share it until one fails.
type stage struct {
	mode    mode
	network *topology.Network
	d       *topology.Deployment
	steadis *topology.Steadis // nil in a mode to compare with
	way     way
	dir     string
	ends    []func() error

	// What follows is of the round under way.
	random *rand.Rand
	old    *topology.Node // the master before the fault
	events *topology.Events
	load   load

	loadBegan, struck, healed time.Time // when the load began, when inject began, when heal ended
}

// failoverTimeout is Sentinel's: a failover that gets stuck is given up after it,
// and the next one begins after twice as long.
const failoverTimeout = 4 * time.Second

// openStage starts everything. What was started is ended by close, whether there
// is an error or not.
func openStage(ctx context.Context, t *testing.T, m mode) (*stage, error) {
	t.Helper()
	st := &stage{mode: m, dir: t.TempDir()}
	var err error
	if st.network, err = topology.NewNetwork(); err != nil {
		return st, err
	}
	if st.d, err = topology.Start(ctx, topology.Options{
		Network: st.network, Dir: st.dir, DownAfter: time.Second, FailoverTimeout: failoverTimeout,
		NodeConfig: []string{"enable-debug-command yes"},
	}); err != nil {
		return st, err
	}
	st.way, err = m.open(ctx, t, st)
	return st, err
}

func (st *stage) atEnd(end func() error) { st.ends = append(st.ends, end) }

func (st *stage) close(t *testing.T) {
	t.Helper()
	var all error
	if st.steadis != nil {
		all = st.steadis.Stop()
	}
	for _, end := range slices.Backward(st.ends) {
		all = errors.Join(all, end())
	}
	if st.d != nil {
		all = errors.Join(all, st.d.Close())
	}
	if st.network != nil {
		all = errors.Join(all, st.network.Close())
	}
	if all != nil {
		t.Error(all)
	}
}

// await asks condition until it is content; its last complaint is in the error.
func (st *stage) await(ctx context.Context, what string, condition func(context.Context) error) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, err)
		case <-ticker.C:
		}
	}
}

// awaitEvent waits until a Sentinel publishes on one of the channels.
func (st *stage) awaitEvent(ctx context.Context, channels ...string) (topology.Event, error) {
	var found topology.Event
	err := st.await(ctx, fmt.Sprintf("a Sentinel to publish %v", channels), func(context.Context) error {
		var seen []string
		for _, e := range st.events.Since(0) {
			if slices.Contains(channels, e.Channel) {
				found = e
				return nil
			}
			seen = append(seen, e.Channel)
		}
		return fmt.Errorf("so far %v", seen)
	})
	return found, err
}

// progress waits until n more writes have been acknowledged.
func (st *stage) progress(ctx context.Context, n int64) error {
	goal := st.load.Live().Acknowledged + n
	return st.await(ctx, "writes to go on", func(context.Context) error {
		if live := st.load.Live(); live.Acknowledged < goal {
			return fmt.Errorf("%+v, want %d acknowledged", live, goal)
		}
		return nil
	})
}

// pause lets a broken state last.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// between draws a time for something random.
func (st *stage) between(low, high time.Duration) time.Duration {
	return low + time.Duration(st.random.Int64N(int64(high-low)))
}

// replicas gives the nodes that were replicas before the fault.
func (st *stage) replicas() []*topology.Node {
	var all []*topology.Node
	for _, n := range st.d.Nodes {
		if n != st.old {
			all = append(all, n)
		}
	}
	return all
}

// hostsOf gives the hosts of nodes.
func hostsOf(nodes []*topology.Node) []*topology.Host {
	var all []*topology.Host
	for _, n := range nodes {
		all = append(all, n.Host)
	}
	return all
}

func (st *stage) sentinelHosts() []*topology.Host { return hostsOf(st.d.Sentinels) }
func (st *stage) nodeHosts() []*topology.Host     { return hostsOf(st.d.Nodes) }
func (st *stage) oldHost() []*topology.Host       { return []*topology.Host{st.old.Host} }
func (st *stage) wayHost() []*topology.Host       { return []*topology.Host{st.way.host} }

// everySentinel sends a command to each Sentinel that runs.
func (st *stage) everySentinel(ctx context.Context, args ...string) error {
	var all error
	for _, s := range st.d.Sentinels {
		if s.Alive() {
			_, err := s.Do(ctx, args...)
			all = errors.Join(all, err)
		}
	}
	return all
}

// everyNode sends a command to each of the nodes.
func everyNode(ctx context.Context, nodes []*topology.Node, args ...string) error {
	var all error
	for _, n := range nodes {
		_, err := n.Do(ctx, args...)
		all = errors.Join(all, err)
	}
	return all
}

// forEach does something to each node or Sentinel.
func forEach(nodes []*topology.Node, do func(*topology.Node) error) error {
	var all error
	for _, n := range nodes {
		all = errors.Join(all, do(n))
	}
	return all
}

func freeze(n *topology.Node) error { return n.Freeze() }
func kill(n *topology.Node) error   { return n.Kill() }

func prefixOf(text string) string { return wire.Error(text).Prefix() }
