package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// The values of Config.Discovery: how the master is found.
const (
	DiscoverySentinel = "sentinel" // by a majority of the Sentinels
	DiscoveryDNS      = "dns"      // by a name that a managed service points at the master
	DiscoveryStatic   = "static"   // it is the one of the nodes named that says so
)

// DNS is about resolving Config.Address with DiscoveryDNS.
type DNS struct {
	// Servers lists the name servers to ask, host:port. Empty: the system's.
	Servers []string `key:"servers"`
}

// Probe is how often, and how long, nodes are asked what they are.
type Probe struct {
	// Poll is the time between two questions to a node or a name. > 0.
	Poll time.Duration `key:"poll"`
	// PollHolding is the same while commands are held. > 0, <= Poll.
	PollHolding time.Duration `key:"poll_holding"`
	// Timeout bounds one answer or dial. > 0.
	Timeout time.Duration `key:"timeout"`
}

// Name is what to call the master in logs and errors: Master, or where it is looked for.
func (c *Config) Name() string { return cmp.Or(c.Master, strings.Join(c.Address, ",")) }

// missingAddress adds the fault of a configuration that says nowhere where to look.
func (v *validation) missingAddress(c *Config) {
	if len(c.Address) > 0 {
		return
	}
	example := "--address 127.0.0.1:6380"
	if c.Discovery == DiscoveryDNS {
		example = "--address master.example.cache.amazonaws.com:6379"
	}
	v.add("address", "", fmt.Sprintf("is not set, which discovery '%s' needs; give it, for example %s, or STEADIS_ADDRESS, or the key in the file", c.Discovery, example))
}

// discovery finds what is wrong with how the master is to be found.
func (v *validation) discovery(c *Config) {
	v.oneOf("discovery", c.Discovery, DiscoverySentinel, DiscoveryDNS, DiscoveryStatic)
	v.probe(c)
	v.addresses(c)
	for _, entry := range c.DNS.Servers {
		if _, err := parseAddress(entry, false); err != nil {
			v.add("dns.servers", entry, strings.ReplaceAll(err.Error(), ":6379", ":53"))
		}
	}
	if len(c.DNS.Servers) > 0 && c.Discovery != DiscoveryDNS {
		v.against("discovery", "dns.servers", strings.Join(c.DNS.Servers, ","), fmt.Sprintf("is of no use with discovery '%s'; remove it, or set discovery: dns", c.Discovery))
	}
	if c.Discovery == DiscoverySentinel {
		if len(c.Address) > 0 {
			v.against("discovery", "address", strings.Join(c.Address, ","), "is of no use with discovery 'sentinel'; set discovery: dns or static, or remove it")
		}
		return
	}
	v.withoutSentinel(c)
}

// withoutSentinel finds keys that only Sentinels give a meaning.
func (v *validation) withoutSentinel(c *Config) {
	if c.Discovery != DiscoveryDNS && c.Discovery != DiscoveryStatic {
		return
	}
	only := func(key, value string, set bool) {
		if set {
			v.against("discovery", key, value, fmt.Sprintf("needs Sentinels, and discovery is '%s'; remove it, or set discovery: sentinel", c.Discovery))
		}
	}
	only("sentinel", strings.Join(c.Sentinel, ","), len(c.Sentinel) > 0)
	only("fence", "true", c.Fence)
	only("without_majority", c.WithoutMajority, c.WithoutMajority == MinorityHold)
	only("address_map", "", len(c.AddressMap) > 0)
	only("sentinel_auth.user", c.SentinelAuth.User, c.SentinelAuth.User != "")
	only("sentinel_auth.password", "", c.SentinelAuth.Password.Reveal() != "")
	only("sentinel_auth.password_file", c.SentinelAuth.PasswordFile, c.SentinelAuth.PasswordFile != "")
}

// addresses finds what is wrong with the entries of address.
func (v *validation) addresses(c *Config) {
	seen := map[address]bool{}
	for _, entry := range c.Address {
		parsed, err := parseAddress(entry, false)
		if err != nil {
			v.add("address", entry, err.Error())
			continue
		}
		if seen[parsed] {
			v.add("address", entry, "stands twice in the list; name each node once")
		}
		seen[parsed] = true
		if _, err := netip.ParseAddr(parsed.host); err == nil && c.Discovery == DiscoveryDNS {
			v.against("discovery", "address", entry, "is no name, so there is nothing to resolve; give the name that the service moves, or set discovery: static")
		}
	}
	if c.Discovery == DiscoveryDNS && len(c.Address) > 1 {
		v.against("discovery", "address", strings.Join(c.Address, ","), "has more than one entry; give the one name that always leads to the master (the primary endpoint)")
	}
}

func (v *validation) probe(c *Config) {
	p := c.Probe
	v.positive("probe.timeout", int64(p.Timeout), formatDuration(p.Timeout))
	for _, key := range []struct {
		name  string
		every time.Duration
	}{{"probe.poll", p.Poll}, {"probe.poll_holding", p.PollHolding}} {
		if key.every < leastPoll {
			v.add(key.name, formatDuration(key.every), fmt.Sprintf("must be at least %v, so as not to overload nodes and name servers", leastPoll))
		}
	}
	if p.PollHolding > p.Poll && p.Poll >= leastPoll {
		v.against("probe.poll", "probe.poll_holding", formatDuration(p.PollHolding),
			fmt.Sprintf("is longer than probe.poll (%s), but nodes must be asked more often while commands are held; lower it", formatDuration(p.Poll)))
	}
}
