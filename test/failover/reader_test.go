package failover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

// startReader runs steadis with a read-only address before the Sentinels of d, and gives
// that address. Sentinel's flags and steadis' own questions are fast, as for tests.
func startReader(t *testing.T, d *topology.Deployment, args ...string) (s *topology.Steadis, addr string) {
	t.Helper()
	addr, err := topology.FreeAddr()
	must(t, err)
	s = runSteadis(t, append([]string{"--sentinel", d.SentinelAddrs(), "--master", "mymaster", "--listen-replicas", addr,
		"--probe-poll", "200ms", "--probe-poll-holding", "50ms", "--replicas-max-lag", "3s", "--hold", "10s"}, args...)...)
	awaitFit(within(t, 30*time.Second), t, s, d.Nodes[1:]...)
	return s, addr
}

// awaitFit waits until these nodes are fit, and no others.
func awaitFit(ctx context.Context, t *testing.T, s *topology.Steadis, nodes ...*topology.Node) {
	t.Helper()
	poll(ctx, t, "fit replicas", func() error {
		m, err := s.Metrics(ctx)
		must(t, err)
		if got := topology.Sum(m, "steadis_replicas_fit"); got != float64(len(nodes)) {
			return fmt.Errorf("%v are fit: %v", got, m)
		}
		for _, n := range nodes {
			if m[`steadis_replicas_fit{replica="`+n.Addr()+`"}`] != 1 {
				return fmt.Errorf("%s is not fit", n.Label)
			}
		}
		return nil
	})
}

// at gives the address of the node that c reads from, by that node's own word.
func at(ctx context.Context, t *testing.T, c *wire.Conn) string {
	t.Helper()
	reply, err := c.Do(ctx, "CONFIG", "GET", "port")
	must(t, err)
	return net.JoinHostPort("127.0.0.1", wire.Strings(reply)[1])
}

// reading is clients that read all the time and note whatever is not the value.
type reading struct {
	stop   context.CancelFunc
	all    sync.WaitGroup
	mu     sync.Mutex // guards faults and reads
	faults []string
	reads  int
}

// startReading makes n clients of addr that GET k, which is "v".
func startReading(ctx context.Context, t *testing.T, addr string, n int) *reading {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	r := &reading{stop: stop}
	for range n {
		c := dial(ctx, t, addr)
		r.all.Go(func() { r.read(ctx, c) })
	}
	return r
}

func (r *reading) read(ctx context.Context, c *wire.Conn) {
	for ctx.Err() == nil {
		reply, err := c.Do(ctx, "GET", "k")
		r.mu.Lock()
		if r.reads++; ctx.Err() == nil && (err != nil || fmt.Sprint(reply) != "v") {
			r.faults = append(r.faults, fmt.Sprint(reply, err))
		}
		r.mu.Unlock()
		if err != nil && !errors.As(err, new(wire.Error)) {
			return
		}
	}
}

// progress waits until n more reads were answered.
func (r *reading) progress(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	count := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.reads
	}
	goal := count() + n
	poll(ctx, t, "reads to go on", func() error {
		if got := count(); got < goal {
			return fmt.Errorf("%d of %d", got, goal)
		}
		return nil
	})
}

// end stops the clients; all reads must have been answered with the value.
func (r *reading) end(t *testing.T) {
	t.Helper()
	r.stop()
	r.all.Wait()
	t.Logf("%d reads, %d faults", r.reads, len(r.faults))
	if len(r.faults) > 0 {
		t.Errorf("%d of %d reads went wrong, the first one with %s", len(r.faults), r.reads, r.faults[0])
	}
}

// TestReader: reads are spread over the replicas, go on when one dies and when one is
// promoted, and nothing is written.
func TestReader(t *testing.T) {
	d := startDeployment(t, topology.Options{})
	s, addr := startReader(t, d)
	ctx := within(t, 2*time.Minute)
	master := dial(ctx, t, s.Addr)
	_, err := master.Do(ctx, "SET", "k", "v")
	must(t, err)
	_, err = master.Do(ctx, "WAIT", "2", "10000")
	must(t, err)

	counts := map[string]int{}
	for range 10 {
		counts[at(ctx, t, dial(ctx, t, addr))]++
	}
	if counts[d.Nodes[1].Addr()] != 5 || counts[d.Nodes[2].Addr()] != 5 {
		t.Errorf("10 clients are spread like this: %v", counts)
	}
	refusesWrites(ctx, t, dial(ctx, t, addr))
	hearsMessages(ctx, t, master, addr)

	r := startReading(ctx, t, addr, 8)
	r.progress(ctx, t, 1000)
	must(t, d.Nodes[2].Kill())
	awaitFit(ctx, t, s, d.Nodes[1])
	r.progress(ctx, t, 1000)
	must(t, d.Nodes[2].Restart(ctx))
	awaitFit(ctx, t, s, d.Nodes[1], d.Nodes[2])
	must(t, d.AwaitSettled(ctx))
	if got := at(ctx, t, dial(ctx, t, addr)); got != d.Nodes[2].Addr() {
		t.Errorf("a new client reads from %s, not from the replica that came back", got)
	}

	must(t, d.Failover(ctx))
	sw, err := d.AwaitMajority(ctx, d.Nodes[0].Addr())
	must(t, err)
	young := d.Nodes[1]
	if sw.Addr == d.Nodes[2].Addr() {
		young = d.Nodes[2]
	}
	old := map[*topology.Node]*topology.Node{d.Nodes[1]: d.Nodes[2], d.Nodes[2]: d.Nodes[1]}[young]
	poll(ctx, t, "readers to leave the new master", func() error {
		if n := metric(ctx, t, s, `steadis_reader_clients{node="`+young.Addr()+`"}`); n != 0 {
			return fmt.Errorf("%v clients read from it", n)
		}
		return nil
	})
	r.progress(ctx, t, 1000)
	awaitFit(ctx, t, s, old, d.Nodes[0]) // the old master is a replica after about 10 s
	r.end(t)
	if _, body, err := s.Status(ctx, "/api/status"); err != nil || !strings.Contains(body, `"lanes":`) || !strings.Contains(body, `"lag_ms":`) {
		t.Errorf("status: %v\n%s", err, body)
	}
}

// refusesWrites checks that c cannot write, alone and in a transaction, and goes on.
func refusesWrites(ctx context.Context, t *testing.T, c *wire.Conn) {
	t.Helper()
	const readonly = "READONLY You can't write against a read only replica."
	for _, test := range []struct{ command, want string }{
		{"SET k w", readonly}, {"EVAL return(redis.call('set','k','w')) 0", "READONLY"}, {"GET k", "v"},
		{"MULTI", "OK"}, {"GET k", "QUEUED"}, {"SET k w", readonly}, {"EXEC", "EXECABORT Transaction discarded because of previous errors."},
		{"MULTI", "OK"}, {"GET k", "QUEUED"}, {"EXEC", "[v]"}, {"SET k", "ERR wrong number of arguments for 'set' command"},
		{"ROLE", "slave"}, {"INCR n", readonly},
	} {
		reply, err := c.Do(ctx, strings.Fields(test.command)...)
		if got := strings.Trim(fmt.Sprint(reply, " ", err), "<nil> "); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", test.command, got, test.want)
		}
	}
}

// hearsMessages checks that what is published at the master arrives at a reader.
func hearsMessages(ctx context.Context, t *testing.T, master *wire.Conn, addr string) {
	t.Helper()
	c := dial(ctx, t, addr)
	_, err := c.Do(ctx, "SUBSCRIBE", "news")
	must(t, err)
	_, err = master.Do(ctx, "PUBLISH", "news", "hello")
	must(t, err)
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	reply, err := c.Receive()
	must(t, err)
	if got := fmt.Sprint(wire.Strings(reply)); got != "[message news hello]" {
		t.Errorf("got %s", got)
	}
}

// TestReaderLag: a replica that falls behind gets no reads, and the master stands in if no
// one is left.
func TestReaderLag(t *testing.T) {
	d := startDeployment(t, topology.Options{Replicas: 1, DownAfter: time.Minute})
	s, addr := startReader(t, d, "--replicas-fallback", "master")
	ctx := within(t, time.Minute)
	master, c := dial(ctx, t, s.Addr), dial(ctx, t, addr)
	if got := at(ctx, t, c); got != d.Nodes[1].Addr() {
		t.Errorf("the client reads from %s", got)
	}
	_, err := c.Do(ctx, "EVAL", "return 1", "0")
	if err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
		t.Errorf("EVAL where the master may stand in: %v", err)
	}
	// A replica whose link is gone and cannot come back: it is told of a master that is not there.
	nowhere, err := topology.FreeAddr()
	must(t, err)
	host, port, _ := strings.Cut(nowhere, ":")
	_, err = d.Nodes[1].Do(ctx, "REPLICAOF", host, port)
	must(t, err)
	poll(ctx, t, "the replica to be out", func() error {
		_, err := master.Do(ctx, "SET", "k", "v") // else it lacks nothing
		must(t, err)
		if n := metric(ctx, t, s, "steadis_replicas_fit"); n != 0 {
			return fmt.Errorf("%v replicas are fit", n)
		}
		return nil
	})
	reply, err := c.Do(ctx, "GET", "k")
	must(t, err)
	if got := at(ctx, t, c); fmt.Sprint(reply) != "v" || got != d.Nodes[0].Addr() {
		t.Errorf("the client got %v and reads from %s", reply, got)
	}
	if _, err := c.Do(ctx, "SET", "k", "w"); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
		t.Errorf("SET while the master stands in: %v", err)
	}
	host, port, _ = strings.Cut(d.Nodes[0].Addr(), ":")
	_, err = d.Nodes[1].Do(ctx, "REPLICAOF", host, port)
	must(t, err)
	awaitFit(ctx, t, s, d.Nodes[1])
	poll(ctx, t, "the client to go back to the replica", func() error {
		if got := at(ctx, t, c); got != d.Nodes[1].Addr() {
			return fmt.Errorf("it reads from %s", got)
		}
		return nil
	})
}

// TestReaderHolds: without a fit replica commands wait, and are refused after the hold time.
func TestReaderHolds(t *testing.T) {
	d := startDeployment(t, topology.Options{Replicas: 1})
	s, addr := startReader(t, d, "--hold", "1s")
	ctx := within(t, time.Minute)
	c := dial(ctx, t, addr)
	must(t, d.Nodes[1].Kill())
	poll(ctx, t, "the replica to be out", func() error {
		if n := metric(ctx, t, s, "steadis_replicas_fit"); n != 0 {
			return fmt.Errorf("%v replicas are fit", n)
		}
		return nil
	})
	_, err := c.Do(ctx, "GET", "k")
	if err == nil || !strings.HasPrefix(err.Error(), "LOADING steadis: no replica for 'mymaster' since ") {
		t.Errorf("GET: %v", err)
	}
	must(t, d.Nodes[1].Restart(ctx))
	poll(ctx, t, "reads to go on", func() error {
		_, err := c.Do(ctx, "GET", "k")
		return err
	})
}
