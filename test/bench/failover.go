package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"steadis/test/bench/load"
	"steadis/test/topology"
)

// What the active clients of a failover do: SETs at a fixed rate, each client waiting
// for its reply before the next.
const (
	failoverRate = 10_000 // a second, of all of them together
	calmTime     = time.Second
	afterTime    = 2 * time.Second
	failoverTime = 30 * time.Second // most that a failover may take
)

// failoverRow measures how soon after a crash clients are served again, counted from
// when a majority of the Sentinels announced the new master. Each measurement has a
// deployment of its own: Sentinel does not fail over twice in a short time.
func failoverRow(name string, connected, active int) row {
	return row{
		name: name, short: true, needs: followable, start: byItself,
		about: fmt.Sprintf("kill -9 of the master, %d clients connected, %d of them active (%d SETs/s in all)", connected, active, failoverRate),
		measure: func(ctx context.Context, b *bench, _ *running) (figures, error) {
			return b.measureFailover(ctx, load.Options{
				Clients: active, Idle: connected - active, Script: load.Set(small), Rate: failoverRate, Depth: 1, Tolerant: true, Traces: true,
			})
		},
	}
}

func (b *bench) measureFailover(ctx context.Context, o load.Options) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin+failoverTime)
	defer cancel()
	d, err := topology.Start(ctx, topology.Options{NodeConfig: []string{"tcp-backlog 4096"}})
	if err != nil {
		return figures{}, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	other := &bench{options: b.options, rig: &rig{deployment: d, master: d.Nodes[0], files: b.rig.files}}
	s, err := runSteadis(ctx, other, d.Dir(), steadis, "--in-doubt", "error")
	if err != nil {
		return figures{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	o.Addr = s.addr
	l, err := load.Dial(ctx, o)
	if err != nil {
		return figures{}, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return failOver(ctx, d, l, s)
}

// failOver runs the load, kills the master in it, and looks at who was served when.
func failOver(ctx context.Context, d *topology.Deployment, l *load.Load, s *running) (figures, error) {
	loaded, end := context.WithCancel(ctx)
	defer end()
	done := make(chan struct{})
	var result load.Result
	var failed error
	go func() {
		defer close(done)
		result, failed = l.Run(loaded)
	}()
	announced, err := crash(ctx, d)
	if err == nil {
		err = pause(ctx, afterTime)
	}
	end()
	<-done
	if err = errors.Join(err, failed); err != nil {
		return figures{}, err
	}
	if result.Closed > 0 {
		return figures{}, fmt.Errorf("%d clients lost their connection", result.Closed)
	}
	rss, err := residentBytes(s.pid)
	if err != nil {
		return figures{}, err
	}
	first, everyone, err := served(result.Traces, announced.Sub(result.Began))
	return figures{First: ms(first), Everyone: ms(everyone), RSS: float64(rss) / 1e6}, err
}

// crash kills the master after a calm while and gives the moment in which a majority
// announced another one.
func crash(ctx context.Context, d *topology.Deployment) (time.Time, error) {
	if err := pause(ctx, calmTime); err != nil {
		return time.Time{}, err
	}
	old := d.Nodes[0]
	if err := old.Kill(); err != nil {
		return time.Time{}, err
	}
	s, err := d.AwaitMajority(ctx, old.Addr())
	return s.At, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errUnserved = errors.New("clients got no reply after the announcement")

// served says how long after the announcement the first client and the last one had a
// reply. A reply that came before does not count, even if it was from the new master.
func served(traces [][]time.Duration, announced time.Duration) (first, everyone time.Duration, err error) {
	firsts := make([]time.Duration, 0, len(traces))
	for _, trace := range traces {
		at := slices.IndexFunc(trace, func(t time.Duration) bool { return t >= announced })
		if at < 0 {
			return 0, 0, fmt.Errorf("%d of %d %w", len(traces)-len(firsts), len(traces), errUnserved)
		}
		firsts = append(firsts, trace[at]-announced)
	}
	if len(firsts) == 0 {
		return 0, 0, errUnserved
	}
	return slices.Min(firsts), slices.Max(firsts), nil
}
