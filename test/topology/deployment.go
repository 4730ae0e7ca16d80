package topology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"steadis/test/workload/wire"
)

// Deployment is a running master with its replicas and Sentinels. Its methods
// may be called concurrently, except Close and those that change processes.
type Deployment struct {
	// Nodes are the Redis nodes; the first one began as the master.
	Nodes []*Node
	// Sentinels are the Sentinel processes.
	Sentinels []*Node

	options Options
}

// Start starts the processes and returns once every replica is in sync and every
// Sentinel knows every replica and every other Sentinel. If ctx ends before
// that, everything started is ended and the error says what was missing; later
// ends of ctx have no influence: Close ends the deployment.
func Start(ctx context.Context, o Options) (*Deployment, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Deployment{options: o}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// start brings up the nodes and has them in sync before the first Sentinel
// looks: a Sentinel asks a healthy master for its replicas only every 10 s.
func (d *Deployment) start(ctx context.Context) error {
	for i := range 1 + d.options.Replicas {
		node := &Node{Label: "redis-" + strconv.Itoa(i), password: d.options.Password}
		if err := d.launch(ctx, node, d.nodeConfig); err != nil {
			return err
		}
	}
	if err := await(ctx, "replicas in sync", func(ctx context.Context) error {
		return d.inSync(ctx, d.Nodes[0])
	}); err != nil {
		return err
	}
	for i := range d.options.Sentinels {
		s := &Node{Label: "sentinel-" + strconv.Itoa(i), password: d.options.SentinelPassword, sentinel: true}
		if err := d.launch(ctx, s, d.sentinelConfig); err != nil {
			return err
		}
	}
	return d.AwaitSettled(ctx)
}

// launch starts a node for the first time, on another port if the one it drew
// was taken meanwhile.
func (d *Deployment) launch(ctx context.Context, n *Node, config func(*Node) []string) error {
	if n.sentinel {
		d.Sentinels = append(d.Sentinels, n)
	} else {
		d.Nodes = append(d.Nodes, n)
	}
	n.tls = d.options.TLS.client()
	n.dir = filepath.Join(d.options.Dir, n.Label)
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		return err
	}
	var err error
	if d.options.Network != nil {
		if n.Host, err = d.options.Network.Host(n.Label); err != nil {
			return err
		}
	}
	for range 5 {
		if err = d.tryLaunch(ctx, n, config); !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "in use") {
			return err
		}
	}
	return err
}

func (d *Deployment) tryLaunch(ctx context.Context, n *Node, config func(*Node) []string) error {
	port, err := FreePort()
	if err != nil {
		return err
	}
	n.port = port
	if err := d.placeRelay(n); err != nil {
		return err
	}
	text := strings.Join(append(config(n), d.options.TLS.lines(n)...), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(n.dir, "node.conf"), []byte(text), 0o600); err != nil {
		return err
	}
	return n.start(ctx)
}

// placeRelay puts a relay before a node that is to have one.
func (d *Deployment) placeRelay(n *Node) error {
	if n.Relay != nil {
		_ = n.Relay.Close()
	}
	var err error
	if network := d.options.Network; network != nil {
		n.Relay, err = network.fabric.relay(n.DirectAddr(), n.Host)
	} else if d.options.Relays && !n.sentinel {
		n.Relay, err = NewRelay(n.DirectAddr())
	}
	return err
}

func baseConfig(n *Node) []string {
	lines := []string{
		"bind " + n.Host.ip(),
		"port " + strconv.Itoa(n.port),
		"dir " + n.dir,
		"daemonize no",
		`logfile ""`,
	}
	if n.password != "" {
		lines = append(lines, "requirepass "+n.password)
	}
	if n.Host != nil {
		lines = append(lines, "protected-mode no", "bind-source-addr "+n.Host.IP)
	}
	return lines
}

func (d *Deployment) nodeConfig(n *Node) []string {
	lines := append(baseConfig(n),
		`save ""`,
		"appendonly no",
		"repl-diskless-sync-delay 0", // 5 s by default, for nothing with so few replicas
	)
	if n.password != "" {
		lines = append(lines, "masterauth "+n.password)
	}
	if n.Relay != nil {
		host, port := splitAddr(n.Addr())
		lines = append(lines, "replica-announce-ip "+host, "replica-announce-port "+port)
	}
	if n == d.Nodes[0] {
		lines = append(lines, d.options.MasterConfig...)
	} else {
		host, port := splitAddr(d.Nodes[0].Addr())
		lines = append(lines, "replicaof "+host+" "+port)
	}
	return append(lines, d.options.NodeConfig...)
}

func (d *Deployment) sentinelConfig(n *Node) []string {
	o := d.options
	host, port := splitAddr(d.Nodes[0].Addr())
	about := func(setting, value string) string { return "sentinel " + setting + " " + o.Name + " " + value }
	lines := append(baseConfig(n),
		about("monitor", host+" "+port+" "+strconv.Itoa(o.Sentinels/2+1)),
		about("down-after-milliseconds", strconv.FormatInt(o.DownAfter.Milliseconds(), 10)),
		about("failover-timeout", strconv.FormatInt(o.FailoverTimeout.Milliseconds(), 10)),
		about("parallel-syncs", "1"),
	)
	if o.Password != "" {
		lines = append(lines, about("auth-pass", o.Password))
	}
	if n.password != "" {
		lines = append(lines, "sentinel sentinel-pass "+n.password)
	}
	if n.Relay != nil {
		host, port := splitAddr(n.Addr())
		lines = append(lines, "sentinel announce-ip "+host, "sentinel announce-port "+port)
	}
	return append(lines, o.SentinelConfig...)
}

// Name is what Sentinel calls the master.
func (d *Deployment) Name() string { return d.options.Name }

// Dir is the private directory of the deployment, gone after Close.
func (d *Deployment) Dir() string { return d.options.Dir }

// SentinelAddrs are the Sentinels' addresses, joined by commas as --sentinel
// takes them.
func (d *Deployment) SentinelAddrs() string {
	addrs := make([]string, len(d.Sentinels))
	for i, s := range d.Sentinels {
		addrs[i] = s.Addr()
	}
	return strings.Join(addrs, ",")
}

// NodeAt gives the Redis node with the address, or nil.
func (d *Deployment) NodeAt(addr string) *Node {
	for _, n := range d.Nodes {
		if n.Addr() == addr {
			return n
		}
	}
	return nil
}

// Master gives the node that a majority of the configured Sentinels announces
// and that says of itself that it is a master. An error says why there is none.
func (d *Deployment) Master(ctx context.Context) (*Node, error) {
	votes := map[string]int{}
	for _, s := range d.Sentinels {
		if addr, err := announced(ctx, s, d.options.Name); err == nil {
			votes[addr]++
		}
	}
	for addr, n := range votes {
		if n*2 <= len(d.Sentinels) {
			continue
		}
		node := d.NodeAt(addr)
		if node == nil {
			return nil, fmt.Errorf("the Sentinels announce %s, which is none of our nodes", addr)
		}
		role, err := node.Do(ctx, "ROLE")
		if err != nil {
			return nil, fmt.Errorf("ROLE of %s: %w", node.Label, err)
		}
		if says := wire.Strings(role); len(says) == 0 || says[0] != "master" {
			return nil, fmt.Errorf("%s is announced but says %v", node.Label, says)
		}
		return node, nil
	}
	return nil, fmt.Errorf("no majority of the %d Sentinels: %v", len(d.Sentinels), votes)
}

// Failover sends SENTINEL FAILOVER to the first Sentinel that accepts it.
func (d *Deployment) Failover(ctx context.Context) error {
	var all error
	for _, s := range d.Sentinels {
		_, err := s.Do(ctx, "SENTINEL", "FAILOVER", d.options.Name)
		if err == nil {
			return nil
		}
		all = errors.Join(all, fmt.Errorf("%s: %w", s.Label, err))
	}
	return fmt.Errorf("SENTINEL FAILOVER: %w", all)
}

// PIDs are the process ids of everything that was started, Sentinels first.
func (d *Deployment) PIDs() []int {
	var pids []int
	for _, n := range d.everyone() {
		if pid := n.PID(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Close kills every process, waits for each by pid, ends the relays and removes
// the private directory. Sentinels go first, so that they start nothing.
func (d *Deployment) Close() error {
	var all error
	for _, n := range d.everyone() {
		all = errors.Join(all, n.Kill())
		if n.Relay != nil {
			all = errors.Join(all, n.Relay.Close())
		}
	}
	return errors.Join(all, os.RemoveAll(d.options.Dir))
}

func (d *Deployment) everyone() []*Node {
	return append(append([]*Node{}, d.Sentinels...), d.Nodes...)
}

func splitAddr(addr string) (host, port string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr, "0" // every address here was made by JoinHostPort
	}
	return host, port
}
