package failover

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"steadis/test/fake"
	"steadis/test/topology"
	"steadis/test/workload"
	"steadis/test/workload/wire"
)

// managed is a deployment as a managed service has it: no Sentinels, a name that leads
// to the master, and every node at an address of its own with the same port.
type managed struct {
	t       *testing.T
	nodes   []*topology.Node
	ips     []string
	port    string
	dns     *fake.DNS
	steadis *topology.Steadis
}

const managedName = "primary.steadis.test"

func startManaged(t *testing.T, o topology.Options, args ...string) *managed {
	t.Helper()
	o.Sentinels, o.Replicas = -1, 1
	m := &managed{t: t, nodes: startDeployment(t, o).Nodes, port: "0"}
	for i, n := range m.nodes {
		ip := fmt.Sprintf("127.0.1.%d", i+1)
		relay, err := topology.NewRelayAt(ip+":"+m.port, n.Addr())
		must(t, err)
		t.Cleanup(func() { must(t, relay.Close()) })
		m.ips, m.port = append(m.ips, ip), relay.Addr()[strings.LastIndexByte(relay.Addr(), ':')+1:]
	}
	var err error
	m.dns, err = fake.StartDNS()
	must(t, err)
	t.Cleanup(m.dns.Close)
	m.dns.Set(managedName, m.ips[0])
	m.steadis = runSteadis(t, append([]string{"--discovery", "dns", "--address", managedName + ":" + m.port, "--dns-servers", m.dns.Addr()}, args...)...)
	return m
}

// runSteadis runs the built program with these arguments.
func runSteadis(t *testing.T, args ...string) *topology.Steadis {
	t.Helper()
	binary := program.Path(t) // which may take longer than to start it
	s, err := topology.RunSteadis(within(t, 30*time.Second), topology.SteadisOptions{Binary: binary, Args: args, Dir: t.TempDir()})
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

// awaitPhase waits until the discovery is in the phase.
func (m *managed) awaitPhase(ctx context.Context, phase string) {
	m.t.Helper()
	poll(ctx, m.t, "the phase "+phase, func() error {
		if metric(ctx, m.t, m.steadis, `steadis_discovery_phase{phase="`+phase+`"}`) != 1 {
			_, body, err := m.steadis.Status(ctx, "/api/status")
			return fmt.Errorf("%s %w", body, err)
		}
		return nil
	})
}

// stopWrites keeps the old master from acknowledging what the new one will not have, as
// a service does that hands over in good order, and waits until the new one has it all.
func (m *managed) stopWrites(ctx context.Context) {
	m.t.Helper()
	m.do(ctx, 0, "CLIENT", "PAUSE", "60000", "WRITE")
	poll(ctx, m.t, "the replica to catch up", func() error {
		old, err := m.nodes[0].Info(ctx, "replication")
		must(m.t, err)
		young, err := m.nodes[1].Info(ctx, "replication")
		must(m.t, err)
		if old["master_repl_offset"] != young["slave_repl_offset"] {
			return fmt.Errorf("%s and %s", old["master_repl_offset"], young["slave_repl_offset"])
		}
		return nil
	})
}

func (m *managed) do(ctx context.Context, node int, args ...string) {
	m.t.Helper()
	_, err := m.nodes[node].Do(ctx, args...)
	must(m.t, err)
}

func (m *managed) promote(ctx context.Context) { m.do(ctx, 1, "REPLICAOF", "NO", "ONE") }

func (m *managed) demote(ctx context.Context) {
	host, port, _ := strings.Cut(m.nodes[1].Addr(), ":")
	m.do(ctx, 0, "REPLICAOF", host, port)
	m.do(ctx, 0, "CLIENT", "UNPAUSE")
}

func (m *managed) flip() { m.dns.Set(managedName, m.ips[1]) }

// managedFailovers are the orders in which a service may do it.
var managedFailovers = []struct {
	name    string
	options topology.Options
	dies    bool
	doubts  bool // the old master never answers some commands
	run     func(ctx context.Context, m *managed)
}{
	{"the record flips after the promotion", topology.Options{}, false, false, func(ctx context.Context, m *managed) {
		m.stopWrites(ctx)
		m.promote(ctx)
		m.demote(ctx) // what was paused is answered with READONLY
		m.awaitPhase(ctx, "holding")
		m.flip()
	}},
	{"the record flips before the promotion", topology.Options{}, false, false, func(ctx context.Context, m *managed) {
		m.flip()
		m.awaitPhase(ctx, "holding")
		m.stopWrites(ctx)
		m.promote(ctx)
		m.demote(ctx)
	}},
	{"ROLE is refused", topology.Options{NodeConfig: []string{`rename-command ROLE ""`}}, false, false, func(ctx context.Context, m *managed) {
		m.stopWrites(ctx)
		m.promote(ctx)
		m.demote(ctx)
		m.awaitPhase(ctx, "holding")
		m.flip()
	}},
	{"the old master stays one", topology.Options{}, false, true, func(ctx context.Context, m *managed) {
		m.stopWrites(ctx)
		m.promote(ctx)
		m.flip()
	}},
	{"the old master is dead", topology.Options{}, true, true, func(ctx context.Context, m *managed) {
		must(m.t, m.nodes[0].Kill())
		m.promote(ctx)
		m.flip()
	}},
}

// TestManagedFailover: a service moves its name from one node to another, under load.
func TestManagedFailover(t *testing.T) {
	for _, f := range managedFailovers {
		t.Run(f.name, func(t *testing.T) {
			m := startManaged(t, f.options, "--in-doubt", "error")
			ctx := within(t, time.Minute)
			load, err := workload.Start(ctx, workload.Options{Addr: m.steadis.Addr, Pause: time.Millisecond})
			must(t, err)
			awaitProgress(ctx, t, load, 1000)
			began := time.Now()
			f.run(ctx, m)
			awaitProgress(ctx, t, load, 1000)
			record := load.Stop(10 * time.Second)
			audit, err := record.Audit(ctx, workload.Source{Addr: m.nodes[1].Addr()})
			must(t, err)
			t.Logf("%v; in all %v, %d questions to the name server", audit, millis(time.Since(began)), m.dns.Queries())
			for class := range audit.Errors {
				if class != "INDOUBT" || !f.doubts {
					t.Errorf("errors: %v %v", audit.Errors, audit.Texts)
				}
			}
			if f.dies {
				audit.Lost = 0 // what had not been replicated went with it
			}
			if !audit.Flawless() {
				t.Errorf("%v: %v", audit, audit.Examples)
			}
			checkHoldCounters(ctx, t, m.steadis)
		})
	}
}

// TestManagedWithoutNameServers: they are needed to find the master, and to notice that it
// has moved, and not in between.
func TestManagedWithoutNameServers(t *testing.T) {
	m := startManaged(t, topology.Options{})
	ctx := within(t, time.Minute)
	m.dns.Mute(true)
	poll(ctx, t, "the loss to be noticed", func() error {
		if metric(ctx, t, m.steadis, "steadis_discovery_resolved") != 0 {
			return fmt.Errorf("it still counts as resolved")
		}
		return nil
	})
	c := dial(ctx, t, m.steadis.Addr)
	if _, err := c.Do(ctx, "SET", "k", "v"); err != nil {
		t.Error(err)
	}
	m.dns.Mute(false)
	poll(ctx, t, "the name server to be back", func() error {
		if metric(ctx, t, m.steadis, "steadis_discovery_resolved") != 1 {
			return fmt.Errorf("it does not count as resolved")
		}
		return nil
	})
}

// TestStaticMaster: commands are held while the one node is away, and go to whichever of
// several says that it is the master.
func TestStaticMaster(t *testing.T) {
	d := startDeployment(t, topology.Options{Sentinels: -1, Replicas: 1})
	s := runSteadis(t, "--discovery", "static", "--address", d.Nodes[0].Addr()+","+d.Nodes[1].Addr())
	ctx := within(t, time.Minute)
	c := dial(ctx, t, s.Addr)
	set := func(value string) {
		t.Helper()
		if _, err := c.Do(ctx, "SET", "k", value); err != nil {
			t.Errorf("SET k %s: %v", value, err)
		}
	}
	set("1")
	must(t, d.Nodes[0].Kill())
	waiting := make(chan error, 1)
	go func() {
		_, err := c.Do(ctx, "SET", "k", "2")
		waiting <- err
	}()
	poll(ctx, t, "the command to be held", func() error {
		if metric(ctx, t, s, "steadis_hold_waiting") != 1 {
			return fmt.Errorf("nothing is held")
		}
		return nil
	})
	must(t, d.Nodes[0].Restart(ctx))
	must(t, <-waiting)
	must(t, d.AwaitSettled(ctx))
	_, err := d.Nodes[1].Do(ctx, "REPLICAOF", "NO", "ONE")
	must(t, err)
	host, port, _ := strings.Cut(d.Nodes[1].Addr(), ":")
	_, err = d.Nodes[0].Do(ctx, "REPLICAOF", host, port)
	must(t, err)
	set("3")
	reply, err := d.Nodes[1].Do(ctx, "GET", "k")
	must(t, err)
	if got := wire.Strings([]any{reply}); got[0] != "3" {
		t.Errorf("the new master has %v", got)
	}
}
