package topology

import (
	"net"
	"sync"
	"time"
)

// relays is the fabric for a machine without namespaces: a host is an address of
// loopback, from which its processes also connect, and the Relay before each
// server knows by it who is at the other end of a connection.
type relays struct {
	instead error // why there are no namespaces, if they were tried

	mu     sync.Mutex // guards the fields below; the relays' locks are taken under it
	before []placed
	rules  []rule
	slow   []*Host
}

// placed is a relay and the host of the server behind it.
type placed struct {
	relay *Relay
	host  *Host
}

// How a relay makes up for what it cannot do to packets: a lost one is sent again
// after the retransmission time, a slow link delays each piece.
const (
	retransmission = 200 * time.Millisecond
	slowness       = 20 * time.Millisecond
)

func (r *relays) kind() string {
	kind := "no network namespaces: hosts are loopback addresses, relays between them hold bytes back"
	if r.instead != nil {
		kind += " (" + r.instead.Error() + ")"
	}
	return kind
}

// join gives an address. A program that does not choose one comes from 127.0.0.1.
func (r *relays) join(h *Host, number int, why purpose) error {
	h.IP = net.IPv4(127, 0, 1, byte(10+number)).String()
	if why == forProgram {
		h.IP = loopbackIP
	}
	return nil
}

func (r *relays) relay(target string, on *Host) (*Relay, error) {
	relay, err := NewRelay(target)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = append(r.before, placed{relay, on})
	r.tell()
	return relay, nil
}

func (r *relays) enforce(rules []rule) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = rules
	r.tell()
	return nil
}

func (r *relays) slowDown(hosts []*Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow = hosts
	r.tell()
	return nil
}

func (r *relays) close() error { return nil }

// tell gives every relay its part of the rules.
func (r *relays) tell() {
	for _, p := range r.before {
		forward, back := map[string]float64{}, map[string]float64{}
		for _, rule := range r.rules {
			if rule.to == p.host {
				forward[rule.from.IP] = max(forward[rule.from.IP], rule.loss)
			}
			if rule.from == p.host {
				back[rule.to.IP] = max(back[rule.to.IP], rule.loss)
			}
		}
		p.relay.lose(forward, back)
		p.relay.slow(r.slowPeers(p.host))
	}
}

// slowPeers gives the addresses to which a host has a slow path; "" stands for all.
func (r *relays) slowPeers(h *Host) map[string]bool {
	peers := map[string]bool{}
	for _, s := range r.slow {
		if s == h {
			peers[""] = true
		}
		peers[s.IP] = true
	}
	return peers
}
