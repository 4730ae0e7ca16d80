package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload"
)

// hold is steadis' hold time in every mode.
const hold = 30 * time.Second

// mode is what stands between the load and the deployment.
type mode struct {
	name string
	// args are steadis' own; nil for a mode to compare with.
	args []string
	// open prepares the way into the deployment.
	open func(context.Context, *testing.T, *stage) (way, error)
	// durable says that no acknowledged write may be lost.
	durable bool
	// judged says that steadis' promises apply.
	judged bool
	// only says that nothing but the faults with it is played; nil: all are.
	only func(fault) bool
}

// way leads load into a deployment. host is where the load seems to come from, as
// far as the deployment is concerned.
type way struct {
	host *topology.Host
	load func(context.Context, workload.Options) (load, error)
	// addr is where clients of the Redis protocol can connect; empty if they cannot.
	addr string
	// ready says whether the way knows the master as it is; nil if there is no telling.
	ready func(context.Context) error
}

// load is a running load.
type load interface {
	Live() workload.Live
	Stop(grace time.Duration) *workload.Record
}

// adminToken lets the suite ask steadis for a switchover.
const adminToken = "for-tests-only"

// steadisArgs are what all of steadis' modes are run with.
func steadisArgs() []string {
	return []string{"--in-doubt", "error", "--hold", hold.String(), "--admin-token", adminToken}
}

// modes gives the modes in the order in which they are played.
func modes() []mode {
	return []mode{
		{name: "steadis, default", open: openSteadis, judged: true,
			args: steadisArgs()},
		{name: "steadis, durable 1", open: openSteadis, judged: true, durable: true,
			args: append(steadisArgs(), "--durable-replicas", "1")},
		// As many as may be promoted.
		{name: "steadis, durable 2", open: openSteadis, judged: true, durable: true, only: func(f fault) bool { return f.anyReplica },
			args: append(steadisArgs(), "--durable-replicas", "2")},
		{name: "go-redis FailoverClient", open: openPlain},
		{name: "HAProxy", open: openHAProxy},
	}
}

func steadisBinary(t *testing.T) string {
	t.Helper()
	path := os.Getenv(binaryVariable)
	if path == "" {
		t.Fatalf("%s is not set; TestMain sets it", binaryVariable)
	}
	return path
}

// openSteadis starts steadis on a host of its own.
func openSteadis(ctx context.Context, t *testing.T, st *stage) (way, error) {
	host, err := st.network.ProgramHost("steadis")
	if err != nil {
		return way{}, err
	}
	st.steadis, err = topology.RunSteadis(ctx, topology.SteadisOptions{
		Binary: steadisBinary(t), Host: host, Dir: st.dir,
		Args: append([]string{"--sentinel", st.d.SentinelAddrs(), "--master", st.d.Name()}, st.mode.args...),
	})
	if err != nil {
		return way{}, err
	}
	return way{host: host, addr: st.steadis.Addr, load: rawLoad(st.steadis.Addr), ready: st.hearsEverySentinel}, nil
}

// rawLoad is the load of test/workload: it retries and hides nothing.
func rawLoad(addr string) func(context.Context, workload.Options) (load, error) {
	return func(ctx context.Context, o workload.Options) (load, error) {
		o.Addr = addr
		return workload.Start(ctx, o)
	}
}

// openHAProxy starts HAProxy with the check that is recommended for Redis: the
// server that says role:master gets the connections.
func openHAProxy(_ context.Context, _ *testing.T, st *stage) (way, error) {
	host, err := st.network.Host("haproxy")
	if err != nil {
		return way{}, err
	}
	port, err := topology.FreePort()
	if err != nil {
		return way{}, err
	}
	addr := fmt.Sprintf("%s:%d", host.IP, port)
	var b strings.Builder
	fmt.Fprintf(&b, `defaults
 mode tcp
 timeout connect 1s
 timeout client 1h
 timeout server 1h
listen redis
 bind %s
 source %s
 option tcp-check
 tcp-check connect
 tcp-check send PING\r\n
 tcp-check expect string +PONG
 tcp-check send info\ replication\r\n
 tcp-check expect string role:master
 tcp-check send QUIT\r\n
 tcp-check expect string +OK
`, addr, host.IP)
	for _, n := range st.d.Nodes {
		fmt.Fprintf(&b, " server %s %s check inter 1s\n", n.Label, n.Addr())
	}
	config := filepath.Join(st.dir, "haproxy.cfg")
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		return way{}, err
	}
	path, err := exec.LookPath("haproxy")
	if err != nil {
		return way{}, fmt.Errorf("%w: run test/setup.sh --tests", err)
	}
	program, err := topology.RunProgram(host, path, []string{"-db", "-f", config}, st.dir)
	if err != nil {
		return way{}, err
	}
	st.atEnd(program.Kill)
	w := way{host: host, addr: addr, load: rawLoad(addr)}
	w.ready = func(ctx context.Context) error {
		if !program.Alive() {
			return errors.New(program.LogTail())
		}
		// Until its first checks HAProxy takes every server for good, and it deals
		// connections out in turn.
		probe, err := w.load(ctx, workload.Options{Writers: 2 * len(st.d.Nodes), KeyPrefix: "probe:"})
		if err == nil {
			probe.Stop(time.Second)
		}
		return err
	}
	return w, nil
}
