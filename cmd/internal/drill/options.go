package drill

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"steadis/sentinel"
	"steadis/test/workload"
)

// Kind is a way in which the master goes.
type Kind string

// The kinds of a drill.
const (
	// Failover: SENTINEL FAILOVER with a healthy master, as for planned work.
	Failover Kind = "failover"
	// Crash: the master's process ends at once.
	Crash Kind = "crash"
	// Freeze: the master keeps its connections and says nothing for a while.
	Freeze Kind = "freeze"
)

var kinds = []Kind{Failover, Crash, Freeze}

// Credentials are what AUTH is given; no AUTH if the password is empty.
type Credentials struct{ User, Password string }

// Options says what to drill and how hard.
type Options struct {
	// Addr is the proxy that the load goes through (host:port).
	Addr string
	// Sentinel says which Sentinels to ask, about which master, how to
	// authenticate to them and to the nodes (Role...), and which addresses to
	// map. Its Dial opens connections to the Sentinels, its DialNode to the nodes.
	Sentinel sentinel.Options
	// Client is whom the load authenticates as, through the proxy and when it
	// reads back.
	Client Credentials
	// Dial opens connections to the proxy; nil means net.Dialer.
	Dial workload.Dialer
	// Admin is steadis' admin server (host:port), asked for its phases; may be empty.
	Admin string

	// Kind says how the master goes, Rounds how often.
	Kind   Kind
	Rounds int
	// Clients is the number of writers, Readers that of readers. Each has a
	// connection of its own.
	Clients, Readers int
	// Rate is how many writes fall due in a second, all writers together. 0 means
	// that each writer sends the next one as soon as the last one is answered.
	Rate int
	// ValueSize is the length of each value in bytes; 0 means just its number.
	ValueSize int
	// Lead and Trail are how long the load runs before the master goes and after
	// another one is announced.
	Lead, Trail time.Duration
	// Limit is how long a round waits for another master to be announced.
	Limit time.Duration
	// Settle is how long a round waits for the deployment to be whole again.
	Settle time.Duration
	// FreezeFor is how long a frozen master sleeps; 0 means down-after and 5 s.
	FreezeFor time.Duration
	// Version is the drilling steadis', for the report.
	Version string
}

// Validate gives every fault at once, nil if there is none. It is pure.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(o.Addr); err != nil {
		fault("--addr %q: want the proxy's host:port", o.Addr)
	}
	if !slices.Contains(kinds, o.Kind) {
		fault("--kind %q: want failover, crash or freeze", o.Kind)
	}
	for _, n := range []struct {
		flag             string
		value, low, high int
	}{
		{"rounds", o.Rounds, 1, 1000},
		{"clients", o.Clients, 1, 10000},
		{"readers", o.Readers, 0, 10000},
		{"rate", o.Rate, 0, 10_000_000},
		{"value-size", o.ValueSize, 0, 1 << 20},
	} {
		if n.value < n.low || n.value > n.high {
			fault("--%s %d: want %d to %d", n.flag, n.value, n.low, n.high)
		}
	}
	for _, d := range []struct {
		flag      string
		value     time.Duration
		low, high time.Duration
	}{
		{"lead", o.Lead, 500 * time.Millisecond, time.Hour},
		{"trail", o.Trail, 500 * time.Millisecond, time.Hour},
		{"limit", o.Limit, time.Second, time.Hour},
		{"settle", o.Settle, 0, time.Hour},
		{"freeze-for", o.FreezeFor, 0, 10 * time.Minute},
	} {
		if d.value < d.low || d.value > d.high {
			fault("--%s %v: want %v to %v", d.flag, d.value, d.low, d.high)
		}
	}
	if o.Client.User != "" && o.Client.Password == "" {
		fault("--user %q: has no password; give --password-file or REDISCLI_AUTH", o.Client.User)
	}
	if strings.HasPrefix(o.Admin, "http:") || strings.HasPrefix(o.Admin, "https:") {
		fault("--admin %q: want host:port, not a URL", o.Admin)
	}
	return errors.Join(faults...)
}

// every is the interval between two values of one writer, 0 in a closed loop.
func (o *Options) every() time.Duration {
	if o.Rate == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) * float64(o.Clients) / float64(o.Rate))
}

// source is the proxy for the load.
func (o *Options) source() workload.Source {
	return workload.Source{Addr: o.Addr, Username: o.Client.User, Password: o.Client.Password, Dial: o.Dial}
}

// mapped gives the address to dial for one that Sentinel gave.
func (o *Options) mapped(addr string) string {
	if to, found := o.Sentinel.AddressMap[addr]; found {
		return to
	}
	return addr
}

// The servers that are asked directly.

func (o *Options) sentinelAt(addr string) server {
	return server{addr: addr, who: Credentials{o.Sentinel.User, o.Sentinel.Password}, dial: workload.Dialer(o.Sentinel.Dial), timeout: askTimeout}
}

func (o *Options) nodeAt(addr string) server {
	return server{addr: addr, who: Credentials{o.Sentinel.RoleUser, o.Sentinel.RolePassword}, dial: o.dialNode(), timeout: askTimeout}
}

// dialNode is how nodes are reached; nil means net.Dialer.
func (o *Options) dialNode() workload.Dialer {
	if o.Sentinel.DialNode != nil {
		return workload.Dialer(o.Sentinel.DialNode)
	}
	return workload.Dialer(o.Sentinel.Dial)
}

func (o *Options) proxy() server {
	return server{addr: o.Addr, who: o.Client, dial: o.Dial, timeout: askTimeout}
}
