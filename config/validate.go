package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// leastPoll bounds how often Sentinels are asked: faster gains nothing on
// Sentinel's own tick of 52 to 100 ms and loads every Sentinel.
const leastPoll = 10 * time.Millisecond

// Validate gives everything that is wrong with c's values and with how they fit
// together, or nothing. It does no I/O. It does not ask for a Sentinel or a
// master, without which `steadis config` has to work; Input.NeedDeployment does.
func (c *Config) Validate() Faults { return c.validate().faults }

// validate looks at every value.
func (c *Config) validate() *validation {
	v := &validation{choices: map[string][]string{}}
	v.deployment(c)
	v.discovery(c)
	v.replicas(c)
	v.masters(c)
	v.listeners(c)
	v.unixMode(c)
	v.tls(c)
	v.proxyProtocol(c)
	v.loops(c)
	v.hold(c)
	v.sentinelTimes(c)
	v.oneOf("without_majority", c.WithoutMajority, MinorityServe, MinorityHold)
	v.handover(c)
	v.token(c)
	v.auth("sentinel_auth", c.SentinelAuth)
	v.auth("upstream", c.Upstream.Auth)
	v.users(c)
	v.upstream(c)
	v.limits(c)
	v.commands("allow_commands", c.AllowCommands, true)
	v.commands("deny_commands", c.DenyCommands, false)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, LogConsole, LogJSON)
	return v
}

// missing gives the faults of a configuration that names no deployment.
func (c *Config) missing() Faults {
	v := &validation{}
	if c.Discovery != DiscoverySentinel {
		v.missingAddress(c)
		return v.faults
	}
	if len(c.Sentinel) == 0 {
		v.add("sentinel", "", "is not set; name your Sentinels: --sentinel 10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379, or STEADIS_SENTINEL, or the key in the file")
	}
	if c.Master == "" && !c.Several() {
		v.add("master", "", "is not set; give the name of your master in Sentinel's configuration: --master mymaster, or STEADIS_MASTER, or the key in the file")
	}
	return v.faults
}

// validation collects faults, and what it has learnt of the keys meanwhile.
type validation struct {
	faults  Faults
	choices map[string][]string // the values of each key that has but a few; nil: nobody wants to know
}

func (v *validation) add(key, value, problem string) {
	v.faults = append(v.faults, Fault{Key: key, Value: value, Problem: problem})
}

// against adds a fault of key that the value of another key is part of.
func (v *validation) against(other, key, value, problem string) {
	v.faults = append(v.faults, Fault{Key: key, Value: value, Problem: problem, other: other})
}

func (v *validation) oneOf(key, value string, allowed ...string) {
	if v.choices != nil {
		v.choices[key] = allowed
	}
	if slices.Contains(allowed, value) {
		return
	}
	problem := "is not one of " + strings.Join(allowed, ", ")
	if near := Nearest(strings.ToLower(value), allowed); near != "" {
		problem += fmt.Sprintf("; did you mean '%s'?", near)
	}
	v.add(key, value, problem)
}

func (v *validation) positive(key string, value int64, text string) {
	if value <= 0 {
		v.add(key, text, "must be more than 0")
	}
}

func (v *validation) atLeastZero(key string, value int64, text string) {
	if value < 0 {
		v.add(key, text, "must be 0 or more")
	}
}

func (v *validation) deployment(c *Config) {
	seen := map[address]string{}
	for _, entry := range c.Sentinel {
		parsed, err := parseAddress(entry, false)
		if err != nil {
			v.add("sentinel", entry, strings.ReplaceAll(err.Error(), ":6379", ":26379"))
			continue
		}
		if _, twice := seen[parsed]; twice {
			v.add("sentinel", entry, "stands twice in the list, and would have two votes; name each Sentinel once")
		}
		seen[parsed] = entry
	}
	if strings.ContainsFunc(c.Master, blank) {
		v.add("master", c.Master, "has a blank or a control character in it; Sentinel's names have none")
	}
	for _, from := range slices.Sorted(maps.Keys(c.AddressMap)) {
		for _, side := range []string{from, c.AddressMap[from]} {
			if _, err := parseAddress(side, false); err != nil {
				v.add("address_map", side, err.Error())
			}
		}
	}
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func (v *validation) listeners(c *Config) {
	if len(c.Listen) == 0 && !c.Several() {
		v.add("listen", "", "is empty, so no client could connect; write for example 127.0.0.1:6379")
	}
	var taken []string
	for i, entry := range c.Listeners() {
		key := c.listenKey(i)
		parsed, err := parseListen(entry)
		if err != nil {
			v.add(key, entry, err.Error())
			continue
		}
		for _, other := range taken {
			earlier, _ := parseListen(other) // it is in taken because it could be parsed
			sameSocket := entry == other && parsed == (address{})
			if sameSocket || parsed.collides(earlier) {
				v.add(key, entry, fmt.Sprintf("takes the same place as '%s'; remove one of the two", other))
				break
			}
		}
		taken = append(taken, entry)
	}
	if c.Admin == "" {
		v.withoutAdmin(c)
		return
	}
	admin, err := parseAddress(c.Admin, true)
	if err != nil {
		v.add("admin", c.Admin, err.Error())
		return
	}
	for _, entry := range taken {
		if parsed, _ := parseListen(entry); parsed.collides(admin) {
			v.against("listen", "admin", c.Admin, fmt.Sprintf("takes the same port as listen '%s'; choose another port for one of the two", entry))
		}
	}
}

// withoutAdmin finds what only the admin server would use.
func (v *validation) withoutAdmin(c *Config) {
	const problem = "has no effect, as admin is empty and there is no admin server; set admin, or remove it"
	if c.AdminPprof {
		v.against("admin", "admin_pprof", "true", problem)
	}
	if c.AdminToken.Reveal() != "" {
		v.against("admin", "admin_token", "", problem)
	}
	if c.AdminTokenFile != "" {
		v.against("admin", "admin_token_file", c.AdminTokenFile, problem)
	}
}

// mostSocketPath is the longest path of a Unix socket (sockaddr_un without its final zero).
const mostSocketPath = 107

func (v *validation) handover(c *Config) {
	switch path := c.Handover; {
	case path == "":
	case !filepath.IsAbs(path):
		v.add("handover", path, "is not an absolute path; write for example /run/steadis/handover")
	case len(path) > mostSocketPath:
		v.add("handover", path, fmt.Sprintf("has %d bytes, and the path of a Unix socket %d at most; choose a shorter one", len(path), mostSocketPath))
	case slices.Contains(c.Listeners(), "unix:"+path):
		v.against("listen", "handover", path, "is where clients are listened for too; choose another path")
	}
}

// loops finds addresses by which steadis would connect to itself.
func (v *validation) loops(c *Config) {
	for _, entry := range c.Listeners() {
		here, err := parseListen(entry)
		if err != nil || here.port == 0 {
			continue
		}
		for _, sentinel := range c.Sentinel {
			if there, err := parseAddress(sentinel, false); err == nil && there.reaches(here) {
				v.against("listen", "sentinel", sentinel, fmt.Sprintf("is steadis itself, which listens on '%s'; give the Sentinel's address, or another one to listen on", entry))
			}
		}
		for _, node := range c.Address {
			if there, err := parseAddress(node, false); err == nil && there.reaches(here) {
				v.against("listen", "address", node, fmt.Sprintf("is steadis itself, which listens on '%s'; give the Redis server's address", entry))
			}
		}
		for _, from := range slices.Sorted(maps.Keys(c.AddressMap)) {
			to := c.AddressMap[from]
			if there, err := parseAddress(to, false); err == nil && there.reaches(here) {
				v.against("listen", "address_map", from+"="+to, fmt.Sprintf("leads to steadis itself, which listens on '%s'; give the Redis server's address", entry))
			}
		}
	}
}

func (v *validation) hold(c *Config) {
	v.positive("hold", int64(c.Hold), formatDuration(c.Hold))
	v.positive("hold_max_commands", int64(c.HoldMaxCommands), strconv.Itoa(c.HoldMaxCommands))
	v.positive("hold_max_bytes", int64(c.HoldMaxBytes), c.HoldMaxBytes.String())
	v.oneOf("in_doubt", c.InDoubt, InDoubtClose, InDoubtError, InDoubtRetry)
	v.durable(c)
	v.atLeastZero("drain", int64(c.Drain), formatDuration(c.Drain))
	v.atLeastZero("threads", int64(c.Threads), strconv.Itoa(c.Threads))
	v.positive("gc_percent", int64(c.GCPercent), strconv.Itoa(c.GCPercent))
}

func (v *validation) durable(c *Config) {
	d := c.Durable
	if d.Replicas < 0 {
		v.add("durable.replicas", strconv.Itoa(d.Replicas), "must be 0 or more")
	}
	switch {
	case d.Timeout < time.Millisecond:
		v.add("durable.timeout", formatDuration(d.Timeout), "must be at least 1ms; Redis would wait without end for 0")
	case d.Replicas > 0:
		for _, own := range c.PerMaster() {
			if hold := own.Hold; d.Timeout >= hold && hold > 0 {
				v.against("hold", "durable.timeout", formatDuration(d.Timeout),
					fmt.Sprintf("is not shorter than hold%s (%s), after which a silent connection is given up; lower it or raise hold", c.of(own), formatDuration(hold)))
			}
		}
	}
	v.oneOf("durable.reads", d.Reads, ReadsConfirmed, ReadsAny)
	v.oneOf("durable.emptied_master", d.EmptiedMaster, EmptiedReplace, EmptiedServe)
}

func (v *validation) poll(key string, every time.Duration) {
	if every < leastPoll {
		v.add(key, formatDuration(every), fmt.Sprintf("must be at least %v, so as not to overload the Sentinels", leastPoll))
	}
}

func (v *validation) sentinelTimes(c *Config) {
	v.positive("sentinel_timeout", int64(c.SentinelTimeout), formatDuration(c.SentinelTimeout))
	v.poll("sentinel_poll", c.SentinelPoll)
	v.poll("sentinel_poll_holding", c.SentinelPollHolding)
	if c.SentinelPollHolding > c.SentinelPoll && c.SentinelPoll >= leastPoll {
		v.against("sentinel_poll", "sentinel_poll_holding", formatDuration(c.SentinelPollHolding),
			fmt.Sprintf("is longer than sentinel_poll (%s), but Sentinels must be asked more often while commands are held; lower it", formatDuration(c.SentinelPoll)))
	}
}

func (v *validation) token(c *Config) {
	switch {
	case c.AdminToken.Reveal() != "" && c.AdminTokenFile != "":
		v.against("admin_token", "admin_token_file", c.AdminTokenFile, "contradicts admin_token, which is set too; remove one of the two")
	case c.AdminToken.Reveal() == Mask:
		v.add("admin_token", "", "is '"+Mask+"', which `steadis config` prints in place of a token; write the token itself")
	}
}

func (v *validation) auth(section string, a Auth) {
	switch {
	case a.Password.Reveal() != "" && a.PasswordFile != "":
		v.against(section+".password", section+".password_file", a.PasswordFile, "contradicts "+section+".password, which is set too; remove one of the two")
	case a.User != "" && a.Password.Reveal() == "" && a.PasswordFile == "":
		v.against(section+".password", section+".user", a.User, "has no password; set "+section+".password or "+section+".password_file (any text for a user with nopass)")
	}
	if strings.ContainsFunc(a.User, blank) {
		v.add(section+".user", a.User, "has a blank or a control character in it; Redis' users have none")
	}
	if a.Password.Reveal() == Mask {
		v.add(section+".password", "", "is '"+Mask+"', which `steadis config` prints in place of a password; write the password itself")
	}
}

func (v *validation) upstream(c *Config) {
	v.positive("upstream.connections", int64(c.Upstream.Connections), strconv.Itoa(c.Upstream.Connections))
	v.positive("upstream.dials", int64(c.Upstream.Dials), strconv.Itoa(c.Upstream.Dials))
	v.atLeastZero("upstream.dial_rate", int64(c.Upstream.DialRate), strconv.Itoa(c.Upstream.DialRate))
	v.positive("upstream.heartbeat", int64(c.Upstream.Heartbeat), formatDuration(c.Upstream.Heartbeat))
	v.positive("upstream.dial_timeout", int64(c.Upstream.DialTimeout), formatDuration(c.Upstream.DialTimeout))
}

func (v *validation) limits(c *Config) {
	l := c.Limits
	v.positive("limits.clients", int64(l.Clients), strconv.Itoa(l.Clients))
	v.positive("limits.pipeline", int64(l.Pipeline), strconv.Itoa(l.Pipeline))
	v.positive("limits.output", int64(l.Output), l.Output.String())
	v.positive("limits.pubsub_output", int64(l.PubSubOutput), l.PubSubOutput.String())
	v.positive("limits.pubsub_output_soft", int64(l.PubSubOutputSoft), l.PubSubOutputSoft.String())
	v.atLeastZero("limits.pubsub_soft_time", int64(l.PubSubSoftTime), formatDuration(l.PubSubSoftTime))
	if l.PubSubOutputSoft > l.PubSubOutput && l.PubSubOutput > 0 {
		v.against("limits.pubsub_output", "limits.pubsub_output_soft", l.PubSubOutputSoft.String(),
			fmt.Sprintf("is more than limits.pubsub_output (%v), at which the client is disconnected at once; lower it", l.PubSubOutput))
	}
	if l.Keepalive > 0 && l.Keepalive < time.Second {
		v.add("limits.keepalive", formatDuration(l.Keepalive), "is less than a second, the least that TCP knows; raise it, or write 0 for none")
	}
	v.positive("limits.memory", int64(l.Memory), l.Memory.String())
	v.atLeastZero("limits.idle", int64(l.Idle), formatDuration(l.Idle))
	v.atLeastZero("limits.keepalive", int64(l.Keepalive), formatDuration(l.Keepalive))
	v.positive("limits.query_memory", int64(l.QueryMemory), l.QueryMemory.String())
	v.positive("limits.bulk", int64(l.Bulk), l.Bulk.String())
}
