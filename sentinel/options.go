package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Options says which Sentinels to ask, about which master, and how.
type Options struct {
	// Addresses are the configured Sentinels as host:port. Names, IPv4 and
	// bracketed IPv6 addresses are allowed; a repeated address counts once.
	// The majority that may move traffic is counted over these.
	Addresses []string
	// Master is the name under which the Sentinels monitor the master.
	Master string
	// User and Password authenticate to the Sentinels. An empty Password means
	// no AUTH; an empty User means the default user.
	User, Password string
	// RoleUser and RolePassword authenticate to a Redis node when it is asked
	// for its ROLE. A node that answers NOAUTH or NOPERM cannot say what it is:
	// that is logged once and never taken for "not master".
	RoleUser, RolePassword string
	// Timeout bounds one question: dial, send and reply each. 0 means 500 ms.
	Timeout time.Duration
	// Poll is the time between two questions to one Sentinel while all is well,
	// PollHolding the same while anything looks odd. Both are jittered by
	// +-20 %, since thousands of sidecars may ask the same Sentinels.
	// 0 means 1 s and 100 ms. A Sentinel that cannot be subscribed to is asked
	// more often, see pace.
	Poll, PollHolding time.Duration
	// AddressMap maps an address as Sentinel says it to what must be dialled
	// (NAT, Docker). "host:port" is looked up first, then "host" alone, whose
	// value may be a host (the port is kept) or a host:port.
	AddressMap map[string]string
	// HoldWithoutMajority holds commands while fewer than a majority of the configured
	// Sentinels can be asked. Else the last known master is served meanwhile.
	HoldWithoutMajority bool
	// Fence stops, with CLIENT PAUSE WRITE as RoleUser, writers that bypass steadis at a
	// master that is being replaced.
	Fence bool
	// Dial opens connections to Sentinels; nil means net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// DialNode opens connections to nodes; nil means Dial.
	DialNode func(ctx context.Context, network, addr string) (net.Conn, error)
	// Log receives one line per change of state; nil means no log.
	Log *zap.Logger
	// Registry receives the metrics steadis_sentinel_*; nil means none.
	Registry prometheus.Registerer
}

// Fallbacks for zero Options. The defaults that a user reads are in package
// config; these only keep a zero value usable.
const (
	fallbackTimeout     = 500 * time.Millisecond
	fallbackPoll        = time.Second
	fallbackPollHolding = 100 * time.Millisecond
)

// normalized returns a checked copy with every zero filled in. All faults are
// reported at once.
func (o Options) normalized() (Options, error) {
	var faults []error
	seen := make(map[string]bool)
	var addresses []string
	for _, a := range o.Addresses {
		a = strings.TrimSpace(a)
		if err := checkAddress(a); err != nil {
			faults = append(faults, err)
			continue
		}
		if !seen[a] {
			seen[a] = true
			addresses = append(addresses, a)
		}
	}
	o.Addresses = addresses
	if len(addresses) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("no Sentinel address given: name at least one as host:port"))
	}
	if o.Master == "" || strings.ContainsAny(o.Master, " \t\r\n") {
		faults = append(faults, fmt.Errorf("%q is no master name: give the name that Sentinel monitors, such as mymaster", o.Master))
	}
	if o.Timeout < 0 || o.Poll < 0 || o.PollHolding < 0 {
		faults = append(faults, errors.New("the times Timeout, Poll and PollHolding must not be negative"))
	}
	fill(&o.Timeout, fallbackTimeout)
	fill(&o.Poll, fallbackPoll)
	fill(&o.PollHolding, fallbackPollHolding)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.DialNode == nil {
		o.DialNode = o.Dial
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o, errors.Join(faults...)
}

func fill(d *time.Duration, fallback time.Duration) {
	if *d == 0 {
		*d = fallback
	}
}

// checkAddress says what is wrong with a Sentinel's host:port.
func checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return fmt.Errorf("%q is no Sentinel address: write host:port, an IPv6 host in brackets", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is no Sentinel address: its port must be 1 to 65535", addr)
	}
	return nil
}

// dialable turns an address as a Sentinel says it into the one to dial.
// ok is false if host or port cannot be one: replies are not trusted.
func (o *Options) dialable(host, port string) (addr string, ok bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || len(host) > maxHost || strings.ContainsAny(host, " \t\r\n[]") {
		return "", false
	}
	said := net.JoinHostPort(host, strconv.FormatUint(n, 10))
	if to, found := o.AddressMap[said]; found {
		return to, true
	}
	to, found := o.AddressMap[host]
	if !found {
		return said, true
	}
	if _, _, err := net.SplitHostPort(to); err == nil {
		return to, true
	}
	return net.JoinHostPort(strings.Trim(to, "[]"), strconv.FormatUint(n, 10)), true
}

// maxHost is the longest host name that DNS allows.
const maxHost = 253
