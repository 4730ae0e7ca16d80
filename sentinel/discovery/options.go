package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"steadis/sentinel"
)

// Options says where to look for the master, and how.
type Options struct {
	// Addresses are the endpoint, host:port.
	Addresses []string
	// Resolves says that their hosts are names to be resolved, again and again. Else
	// each address is a node, and is dialled as it stands.
	Resolves bool
	// Servers are the name servers to ask, host:port; empty for the system's.
	Servers []string
	// Lookup resolves a name; nil asks Servers.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Poll is the time between two questions to a name or a node while all is well,
	// PollHolding the same while anything looks odd. Each process has its own, up to
	// 20 % off, so that many do not ask in step. 0 means 1 s and 100 ms.
	Poll, PollHolding time.Duration
	// Node says how nodes are asked: RoleUser, RolePassword, Timeout, Dial. The rest of
	// it is not used. Its Timeout bounds a question to a name server too.
	Node sentinel.Options
	// Log receives one line per change of state; nil means no log.
	Log *zap.Logger
	// Registry receives the metrics steadis_discovery_*; nil means none.
	Registry prometheus.Registerer
}

// Fallbacks for zero Options; the defaults that a user reads are in package config.
const (
	fallbackPoll        = time.Second
	fallbackPollHolding = 100 * time.Millisecond
)

// normalized returns a checked copy with every zero filled in.
func (o Options) normalized() (Options, error) {
	var faults []error
	if len(o.Addresses) == 0 {
		faults = append(faults, errors.New("discovery: no address given: name the endpoint as host:port"))
	}
	for _, a := range o.Addresses {
		host, port, err := net.SplitHostPort(a)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			faults = append(faults, fmt.Errorf("discovery: %q is no address: write host:port", a))
		}
	}
	if o.Poll == 0 {
		o.Poll = fallbackPoll
	}
	if o.PollHolding == 0 {
		o.PollHolding = fallbackPollHolding
	}
	if o.Poll < 0 || o.PollHolding < 0 {
		faults = append(faults, errors.New("discovery: the times Poll and PollHolding must not be negative"))
	}
	o.Node = o.Node.ForNodes()
	if o.Lookup == nil {
		o.Lookup = newLookup(o.Servers)
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o, errors.Join(faults...)
}
