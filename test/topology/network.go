package topology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// Network is a set of hosts whose paths to each other can be cut, made lossy and
// made slow, each direction by itself. Where the machine allows it (Isolate), a
// host is a network namespace and packets are what is lost; elsewhere a host is
// an address of loopback, and relays between them hold bytes back. Its methods
// may be called concurrently.
type Network struct {
	fabric fabric

	mu    sync.Mutex // guards the fields below, and that faults are put in force in their order
	hosts []*Host
	rules []rule
	slow  []*Host
}

// fabric makes hosts and puts faults in force. Network calls it under its lock.
type fabric interface {
	// kind names it for a report.
	kind() string
	// join gives the host with the number an address of its own, and what else
	// its purpose needs.
	join(h *Host, number int, why purpose) error
	// enforce replaces the rules in force.
	enforce(rules []rule) error
	// slowDown makes these hosts' links slow and all others as fast as they are.
	slowDown(hosts []*Host) error
	// relay puts a Relay before a server at target, on the host, if the fabric
	// needs one; else it gives nil.
	relay(target string, on *Host) (*Relay, error)
	close() error
}

// rule says that packets from one host to another are lost: a share of them, or
// all if loss is 1.
type rule struct {
	from, to *Host
	loss     float64
}

// Host is a machine of its own, as far as the network is concerned.
type Host struct {
	// Label names it ("redis-0", "steadis").
	Label string
	// IP is its address.
	IP string

	netns *os.File // the network namespace; nil on loopback and for a client host
	veth  string   // the bridge's end of its link, if it has a namespace
}

// networkKind is the variable that asks for one kind of Network ("namespaces" or
// "relays") instead of the best one that there is.
const networkKind = "TEST_NETWORK"

// NewNetwork makes a network of namespaces in a process that Isolate started, if the
// kernel has what that takes, else one of relays. TEST_NETWORK=namespaces makes it an error that there
// are none, TEST_NETWORK=relays wants none. Only one network of namespaces
// can exist in a process at a time.
func NewNetwork() (*Network, error) {
	wanted := os.Getenv(networkKind)
	switch {
	case wanted != "" && wanted != "namespaces" && wanted != "relays":
		return nil, fmt.Errorf("%s=%q: want namespaces or relays", networkKind, wanted)
	case wanted == "namespaces" && !Isolated():
		return nil, fmt.Errorf("%s=namespaces: this process is in no network namespace of its own", networkKind)
	case !Isolated():
		return &Network{fabric: &relays{}}, nil
	}
	if err := bringUpLoopback(); err != nil {
		return nil, err
	}
	if wanted == "relays" {
		return &Network{fabric: &relays{}}, nil
	}
	f, err := newNamespaces()
	switch {
	case err == nil:
		return &Network{fabric: f}, nil
	case wanted == "namespaces":
		return nil, fmt.Errorf("network of namespaces: %w", err)
	}
	return &Network{fabric: &relays{instead: err}}, nil
}

// Kind says what the hosts are.
func (n *Network) Kind() string { return n.fabric.kind() }

// purpose is what a host is for.
type purpose int

const (
	forServers purpose = iota // processes that can be told which address to connect from
	forProgram                // one program that cannot; a network has one such host
	forClients                // no process: this one dials from it
)

// Host makes a host for servers, which connect from the address that it has.
func (n *Network) Host(label string) (*Host, error) { return n.join(label, forServers) }

// ProgramHost makes the one host for a program that connects from whatever
// address the machine chooses.
func (n *Network) ProgramHost(label string) (*Host, error) { return n.join(label, forProgram) }

// ClientHost makes a host from which this process dials (Host.Dial).
func (n *Network) ClientHost(label string) (*Host, error) { return n.join(label, forClients) }

func (n *Network) join(label string, why purpose) (*Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &Host{Label: label}
	if err := n.fabric.join(h, len(n.hosts), why); err != nil {
		return nil, fmt.Errorf("host %s: %w", label, err)
	}
	n.hosts = append(n.hosts, h)
	return h, nil
}

// Cut loses every packet from one of the hosts to one of the others, in this
// direction only, until Heal. Nobody is told.
func (n *Network) Cut(from, to []*Host) error { return n.Lose(1, from, to) }

// Part cuts both directions.
func (n *Network) Part(some, others []*Host) error {
	return errors.Join(n.Cut(some, others), n.Cut(others, some))
}

// Lose loses a share of the packets from one of the hosts to one of the others.
func (n *Network) Lose(share float64, from, to []*Host) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range from {
		for _, t := range to {
			if f != t {
				n.rules = append(n.rules, rule{f, t, share})
			}
		}
	}
	return n.fabric.enforce(n.rules)
}

// Slow makes the links of the hosts slow: tens of milliseconds a packet.
func (n *Network) Slow(hosts ...*Host) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slow = append(n.slow, hosts...)
	return n.fabric.slowDown(n.slow)
}

// Heal makes every path whole and fast again.
func (n *Network) Heal() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rules, n.slow = nil, nil
	return errors.Join(n.fabric.enforce(nil), n.fabric.slowDown(nil))
}

// Close removes the network. No process may be left in it.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all error
	for _, h := range n.hosts {
		if h.netns != nil {
			all = errors.Join(all, h.netns.Close())
		}
	}
	return errors.Join(all, n.fabric.close())
}

// Others gives every host of the network but those named.
func (n *Network) Others(but ...*Host) []*Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	var others []*Host
	for _, h := range n.hosts {
		if !contains(but, h) {
			others = append(others, h)
		}
	}
	return others
}

func contains(hosts []*Host, h *Host) bool {
	for _, other := range hosts {
		if other == h {
			return true
		}
	}
	return false
}

// Dial connects from a client host, so that cuts of its paths hit the connection.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(h.IP)}}
	return d.DialContext(ctx, network, addr)
}

// ip is the address of a host, or of loopback if there is no network.
func (h *Host) ip() string {
	if h == nil {
		return loopbackIP
	}
	return h.IP
}

// command gives the program and arguments that run a program on the host. The
// process id stays that of the program.
func (h *Host) command(path string, args []string) (string, []string) {
	if h == nil || h.netns == nil {
		return path, args
	}
	return "nsenter", append([]string{"--net=" + namespacePath(h.netns), "--", path}, args...)
}
