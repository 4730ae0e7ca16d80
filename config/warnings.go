package config

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// shortHold is what a failover takes at least where Sentinel's
// down-after-milliseconds is 1 s, with a reserve: it adds about 1.2 s (measured, Redis 7.0).
const shortHold = 3 * time.Second

// Warnings gives what is allowed and probably not meant, each as a sentence
// that says what to do. c must be valid.
func (c *Config) Warnings() []string {
	var warnings []string
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	switch n := len(c.Sentinel); {
	case n == 1:
		warn("only one Sentinel is named: if it stops, no failover is seen; name at least three")
	case n > 0 && n%2 == 0:
		warn("%d Sentinels are named, whose majority is %d: no more of them may fail than of %d; name an odd number", n, n/2+1, n-1)
	}
	for _, own := range c.PerMaster() {
		own.shortHold(c.of(own), warn)
	}
	if c.InDoubt == InDoubtRetry {
		warn("in_doubt is retry: a write that lost its reply may run twice")
	}
	if admin, err := parseAddress(c.Admin, true); err == nil && !admin.loopback() {
		warn("admin is %s, which other machines can reach and which has no password; open it to your monitoring only", c.Admin)
	}
	for _, from := range slices.Sorted(maps.Keys(c.AddressMap)) {
		if from == c.AddressMap[from] {
			warn("address_map maps %s to itself; remove the line", from)
		}
	}
	return append(warnings, c.unusedTLS()...)
}

// shortHold warns if hold is short for what happens in it; of says whose it is.
func (c *Config) shortHold(of string, warn func(format string, args ...any)) {
	hold := formatDuration(c.Hold)
	if c.Hold < shortHold {
		warn("hold%s is %s: a failover takes Sentinel's down-after-milliseconds + 1.2 s, so clients may get errors; raise it", of, hold)
	}
	// Warnings, not faults: a short hold next to the other defaults is for tests and
	// does what it says.
	if c.Upstream.DialTimeout >= c.Hold {
		warn("upstream.dial_timeout is not shorter than hold%s (%s): one dial can use up the hold; lower it", of, hold)
	}
	if c.SentinelTimeout >= c.Hold {
		warn("sentinel_timeout is not shorter than hold%s (%s): one silent Sentinel can use up the hold; lower it", of, hold)
	}
	if c.Upstream.Heartbeat >= c.Hold {
		warn("upstream.heartbeat is not shorter than hold%s (%s): the hold may be over before a frozen master is noticed; lower it", of, hold)
	}
}

// Warnings adds to Config.Warnings what the origins of values and the files that Load
// has read give cause for.
func (l *Loaded) Warnings() []string {
	warnings := append(l.Config.Warnings(), l.warnings...)
	for _, k := range Keys() {
		if k.kind.secret() && l.Origins[k.Path] == "--"+k.Flag {
			warnings = append(warnings, fmt.Sprintf("--%s stands in the process list, where every user of this machine can read it; use %s or %s_file", k.Flag, k.Env, k.Path))
		}
	}
	return warnings
}
