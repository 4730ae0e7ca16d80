package failover

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// pair is one steadis before two masters that the same Sentinels watch: cache has the
// Sentinels and two replicas, sessions has one replica.
type pair struct {
	cache, sessions         *topology.Deployment
	cacheAddr, sessionsAddr string
	steadis                 *topology.Steadis
}

func startPair(ctx context.Context, t *testing.T) *pair {
	t.Helper()
	binary := program.Path(t) // built before anything is timed
	p := &pair{
		cache:    startDeployment(t, topology.Options{Name: "cache"}),
		sessions: startDeployment(t, topology.Options{Name: "sessions", Replicas: 1, Sentinels: -1}),
	}
	host, port, err := net.SplitHostPort(p.sessions.Nodes[0].Addr())
	must(t, err)
	for _, s := range p.cache.Sentinels {
		_, err := s.Do(ctx, "SENTINEL", "MONITOR", "sessions", host, port, "2")
		must(t, err)
		_, err = s.Do(ctx, "SENTINEL", "SET", "sessions", "down-after-milliseconds", "1000", "failover-timeout", "10000")
		must(t, err)
	}
	for _, s := range p.cache.Sentinels {
		poll(ctx, t, s.Label+" to know all of sessions", func() error { return knows(ctx, s, "sessions", 1, 2) })
	}
	p.cacheAddr, err = topology.FreeAddr()
	must(t, err)
	p.sessionsAddr, err = topology.FreeAddr()
	must(t, err)
	p.steadis, err = topology.RunSteadis(ctx, topology.SteadisOptions{
		Binary: binary, NoListen: true, Dir: t.TempDir(),
		Args: []string{"--sentinel", p.cache.SentinelAddrs(), "--masters", "cache=" + p.cacheAddr + ",sessions=" + p.sessionsAddr,
			"--in-doubt", "error"},
	})
	must(t, err)
	t.Cleanup(func() {
		if err := p.steadis.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("end of steadis' log:\n%s", p.steadis.LogTail())
		}
	})
	return p
}

// knows says whether the Sentinel knows so many replicas and other Sentinels of the master.
func knows(ctx context.Context, s *topology.Node, master string, replicas, others int) error {
	reply, err := s.Do(ctx, "SENTINEL", "MASTER", master)
	if err != nil {
		return err
	}
	fields := wire.Strings(reply)
	told := map[string]string{}
	for i := 0; i+1 < len(fields); i += 2 {
		told[fields[i]] = fields[i+1]
	}
	if told["num-slaves"] != fmt.Sprint(replicas) || told["num-other-sentinels"] != fmt.Sprint(others) || told["flags"] != "master" {
		return fmt.Errorf("%s replicas, %s other Sentinels, %s", told["num-slaves"], told["num-other-sentinels"], told["flags"])
	}
	return nil
}

// held is how many commands of a master's clients were ever held.
func (p *pair) held(ctx context.Context, t *testing.T, master string) float64 {
	t.Helper()
	return metric(ctx, t, p.steadis, fmt.Sprintf("steadis_hold_commands_total{master=%q}", master))
}

// through loads both masters while the one of them goes away, and gives what the clients
// of both saw. It ends once that one is served again.
func (p *pair) through(ctx context.Context, t *testing.T, addr string, goAway func()) (hit, other *workload.Audit) {
	t.Helper()
	start := func(addr string) *workload.Load {
		load, err := workload.Start(ctx, workload.Options{Addr: addr, Pause: time.Millisecond})
		must(t, err)
		awaitProgress(ctx, t, load, 100)
		return load
	}
	bystander := p.cacheAddr
	if addr == bystander {
		bystander = p.sessionsAddr
	}
	a, b := start(addr), start(bystander)
	goAway()
	awaitProgress(ctx, t, a, 200)
	stop := func(load *workload.Load, addr string) *workload.Audit {
		audit, err := load.Stop(20*time.Second).Audit(ctx, workload.Source{Addr: addr})
		must(t, err)
		return audit
	}
	return stop(a, addr), stop(b, bystander)
}

// TestTwoMasters: of two masters in one process one is handed over, then the other dies. Its
// clients see a slow command; those of the other are not held, and see nothing. In this order,
// for Sentinel may find a promoted node down a second later, for a moment.
func TestTwoMasters(t *testing.T) {
	ctx := within(t, 3*time.Minute)
	p := startPair(ctx, t)
	planned, bystanders := p.through(ctx, t, p.cacheAddr, func() {
		old, err := p.cache.Master(ctx)
		must(t, err)
		must(t, p.cache.Failover(ctx))
		_, err = p.cache.AwaitMajority(ctx, old.Addr())
		must(t, err)
	})
	if !planned.Flawless() || len(planned.Errors) > 0 || p.held(ctx, t, "cache") == 0 {
		t.Errorf("SENTINEL FAILOVER of cache: %v; %v commands were held", planned, p.held(ctx, t, "cache"))
	}
	if n := p.held(ctx, t, "sessions"); !bystanders.Flawless() || len(bystanders.Errors) > 0 || n > 0 {
		t.Errorf("SENTINEL FAILOVER of cache, sessions: %v; %v commands were held", bystanders, n)
	}
	measured.record(t, "two masters in one process, SENTINEL FAILOVER of one", "0 errors, 0 dropped, 0 lost", "%v", planned)
	measured.record(t, "its neighbour meanwhile", "nothing held, 0 errors, 0 lost", "%v", bystanders)

	must(t, p.cache.AwaitSettled(ctx)) // not before Sentinel has made a replica of the old master
	before := p.held(ctx, t, "cache")
	crashed, bystanders := p.through(ctx, t, p.sessionsAddr, func() {
		must(t, p.sessions.Nodes[0].Kill())
		poll(ctx, t, "sessions' clients to be held", func() error {
			if p.held(ctx, t, "sessions") == 0 {
				return fmt.Errorf("none is")
			}
			return nil
		})
	})
	delete(crashed.Errors, "INDOUBT")
	if crashed.Dropped+crashed.Doubled+crashed.Reordered+crashed.RefusedPresent > 0 || len(crashed.Errors) > 0 {
		t.Errorf("kill -9 of sessions: %v", crashed)
	}
	if n := p.held(ctx, t, "cache") - before; !bystanders.Flawless() || len(bystanders.Errors) > 0 || n > 0 {
		t.Errorf("kill -9 of sessions, cache: %v; %v commands were held", bystanders, n)
	}
	measured.record(t, "two masters in one process, kill -9 of one", "0 dropped, 0 doubled", "%v", crashed)
	measured.record(t, "its neighbour meanwhile", "nothing held, 0 errors, 0 lost", "%v", bystanders)
}
