package conformance

import (
	"strings"
	"sync/atomic"
)

// difference is something in which two servers, or a server and steadis, may
// differ. An entry that no test needs fails the whole run (main_test.go).
type difference struct {
	// name is the command as COMMAND gives it, "client|list"; "monitor" and
	// "push message" for what comes unasked.
	name string
	// when narrows it to some arguments; nil is all.
	when func(command []string) bool
	// level makes equal what may differ.
	level leveller
	// reason says why it must differ.
	reason string
	// ends says that the connection may be open on one side and closed on the other.
	ends bool
	// unsent says that steadis may deliver it to a client that is being disconnected
	// while Redis drops it.
	unsent bool
	// refused says that steadis does not let it pass, and level is not used: the
	// direct server is not even asked (TestRefused).
	refused bool
	// sometimes says that the two sides may well agree.
	sometimes bool

	used atomic.Bool // some reply needed it, or might have
}

func (d *difference) about(w owned) bool {
	return d.name == w.name && (d.when == nil || d.when(w.command))
}

// Reasons that several entries have.
const (
	hashSeed   = "the order of a hash table depends on a seed that each server draws for itself"
	drawsLots  = "the server draws lots"
	clockRuns  = "the two sides are asked one after the other, and the clock runs"
	perProcess = "it is about the process that answers"

	dropsUnsent = "Redis drops what it has not written yet for a client that is killed (networking.c freeClient)"

	sentinelOwns  = "only Sentinel may say which server is master"
	replicates    = "a replica connects to the master itself"
	stopsMaster   = "it can stop or crash the master for all clients"
	stopsTraffic  = "it would stop the master for all clients and make Sentinel fail over"
	loadsCode     = "it changes the code of one server and not of its replicas"
	clusterWrites = "a master that Sentinel watches is not part of a Redis Cluster"
	perConn       = "each server numbers and addresses its connections by itself; steadis has ids of its own"
)

// differences is the whole list of what may differ.
var differences = []*difference{
	// The connection.
	{name: "client|id", level: anyInteger, reason: perConn},
	{name: "hello", level: anyAt("id"), reason: perConn},
	{name: "client|getredir", level: anyInteger, reason: perConn, sometimes: true},
	{name: "client|trackinginfo", level: anyAt("redirect"), reason: perConn, sometimes: true},
	{name: "push tracking-redir-broken", level: anyInteger, reason: perConn, sometimes: true},
	{name: "client|info", level: clientLine, reason: perConn},
	{name: "client|list", level: lines("\n", namedClient), reason: perConn + "; only the clients that a test has named are compared"},
	{name: "client|list", level: clientLine, reason: perConn},
	{name: "client|setinfo", level: setInfo, reason: "client libraries send it to any server; steadis takes it from all, whatever the master's version"},
	// MONITOR of the master does not show what steadis answers without asking it: CLIENT
	// SETNAME, SETINFO, NO-EVICT and REPLY. No dialogue has these behind MONITOR.
	{name: "ping", level: pongs, reason: "steadis answers PING itself, also to a user who may not PING (NOPERM from Redis)", sometimes: true},
	{name: "quit", ends: true, reason: "after CLIENT REPLY OFF, Redis 7.0 leaves the connection open: it closes only behind a reply", sometimes: true},
	{name: "push message", unsent: true, reason: dropsUnsent, sometimes: true},
	{name: "push pmessage", unsent: true, reason: dropsUnsent, sometimes: true},
	{name: "push smessage", unsent: true, reason: dropsUnsent, sometimes: true},
	{name: "monitor", level: matched(`^\d+\.\d+ \[(\d+) (lua|[^]]*)\]`, "0.0 [$1 addr]"), reason: "time and address of each command"},

	// Hash tables.
	{name: "smembers", level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "sunion", level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "sinter", level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "sdiff", level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "sscan", level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "keys", level: anyOrder, reason: hashSeed},
	{name: "scan", level: anyOrder, reason: hashSeed},
	{name: "scan", when: lacks("count"), level: all(cursor, scanned), reason: hashSeed + ", so a step that does not see all keys sees others, and its cursor is another"},
	{name: "sort", when: has("nosort"), level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "sort_ro", when: has("nosort"), level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "unsubscribe", when: bare, level: anyName, reason: hashSeed, sometimes: true},
	{name: "punsubscribe", when: bare, level: anyName, reason: hashSeed, sometimes: true},
	{name: "sunsubscribe", when: bare, level: anyName, reason: hashSeed, sometimes: true},
	{name: "acl|cat", level: anyOrder, reason: hashSeed},
	{name: "command", level: anyOrder, reason: hashSeed},
	{name: "command|info", level: anyOrder, reason: hashSeed},
	{name: "command|list", level: anyOrder, reason: hashSeed},
	{name: "command|docs", level: anyPairOrder, reason: hashSeed},
	{name: "config|get", level: anyPairOrder, reason: hashSeed},
	{name: "pubsub|channels", level: anyOrder, reason: hashSeed, sometimes: true},
	{name: "function|list", level: anyOrder, reason: hashSeed, sometimes: true},

	// Chance.
	{name: "randomkey", level: anyText, reason: drawsLots, sometimes: true},
	{name: "spop", level: all(anyOrder, anyText), reason: drawsLots, sometimes: true},
	{name: "srandmember", level: all(anyOrder, anyText), reason: drawsLots, sometimes: true},
	{name: "hrandfield", level: anyText, reason: drawsLots, sometimes: true},
	{name: "zrandmember", level: all(anyText, anyNumber), reason: drawsLots, sometimes: true},
	{name: "acl|genpass", level: anyHex, reason: drawsLots},
	{name: "lolwut", level: lines("\n", lolwutLine), reason: drawsLots + "; the version line must agree"},

	// Time.
	{name: "time", level: timeOfDay, reason: clockRuns},
	{name: "lastsave", level: near(3600), reason: clockRuns, sometimes: true},
	{name: "ttl", level: near(2), reason: clockRuns, sometimes: true},
	{name: "pttl", level: near(2000), reason: clockRuns},
	{name: "expiretime", level: near(2), reason: clockRuns, sometimes: true},
	{name: "pexpiretime", level: near(2000), reason: clockRuns, sometimes: true},
	{name: "object|idletime", level: near(60), reason: clockRuns, sometimes: true},
	{name: "xadd", when: has("*"), level: streamID, reason: clockRuns},
	{name: "xpending", level: anyInteger, when: longerThan(3), reason: clockRuns + ": idle time", sometimes: true},
	{name: "xinfo|consumers", level: anyAt("idle"), reason: clockRuns, sometimes: true},
	{name: "xinfo|stream", level: all(anyAt("seen-time"), near(60000)), reason: clockRuns, sometimes: true},
	{name: "slowlog|get", level: slowlog, reason: clockRuns + ", and the harness asks too: only entries with a word conf-... are compared, without id, start, duration, client", sometimes: true},
	{name: "slowlog|len", level: anyInteger, reason: clockRuns, sometimes: true},
	{name: "latency|latest", level: near(1e12), reason: clockRuns, sometimes: true},
	{name: "latency|history", level: near(1e12), reason: clockRuns, sometimes: true},
	{name: "acl|log", level: all(anyAt("age-seconds", "client-info", "entry-id", "timestamp-created", "timestamp-last-updated")), reason: clockRuns + "; and it shows the connection", sometimes: true},

	// The process.
	{name: "dump", when: has("stream"), level: anyText, reason: clockRuns + ": a consumer group's times are in it", sometimes: true},
	{name: "info", level: lines("\r\n", infoLine), reason: perProcess},
	{name: "memory|stats", level: anyNumber, reason: perProcess},
	{name: "memory|doctor", level: matched(`(?s)^.*$`, ""), reason: perProcess, sometimes: true},
	{name: "memory|malloc-stats", level: matched(`(?s)^.*$`, ""), reason: perProcess},
	{name: "memory|usage", level: near(512), reason: perProcess + ": how its memory happens to be rounded", sometimes: true},
	{name: "config|get", when: has("*"), level: anyAt("port", "dir", "pidfile", "logfile", "replica-announce-port"), reason: "two servers on one machine"},

	// Refused: each of these would take the master out of Sentinel's hands, stop it, or
	// needs the connection to the server itself.
	{name: "replicaof", refused: true, reason: sentinelOwns},
	{name: "slaveof", refused: true, reason: sentinelOwns},
	{name: "failover", refused: true, reason: sentinelOwns},
	{name: "sync", refused: true, reason: replicates},
	{name: "psync", refused: true, reason: replicates},
	{name: "replconf", refused: true, reason: replicates},
	{name: "shutdown", refused: true, reason: stopsMaster},
	{name: "debug", refused: true, reason: stopsMaster},
	{name: "client|pause", refused: true, reason: stopsTraffic},
	{name: "client|unpause", refused: true, reason: stopsTraffic},
	{name: "module|load", refused: true, reason: loadsCode},
	{name: "module|loadex", refused: true, reason: loadsCode},
	{name: "module|unload", refused: true, reason: loadsCode},
	{name: "script|debug", refused: true, reason: "the Lua debugger takes the connection over"},
	{name: "cluster|addslots", refused: true, reason: clusterWrites},
	{name: "cluster|addslotsrange", refused: true, reason: clusterWrites},
	{name: "cluster|bumpepoch", refused: true, reason: clusterWrites},
	{name: "cluster|delslots", refused: true, reason: clusterWrites},
	{name: "cluster|delslotsrange", refused: true, reason: clusterWrites},
	{name: "cluster|failover", refused: true, reason: clusterWrites},
	{name: "cluster|flushslots", refused: true, reason: clusterWrites},
	{name: "cluster|forget", refused: true, reason: clusterWrites},
	{name: "cluster|meet", refused: true, reason: clusterWrites},
	{name: "cluster|replicate", refused: true, reason: clusterWrites},
	{name: "cluster|reset", refused: true, reason: clusterWrites},
	{name: "cluster|saveconfig", refused: true, reason: clusterWrites},
	{name: "cluster|set-config-epoch", refused: true, reason: clusterWrites},
	{name: "cluster|setslot", refused: true, reason: clusterWrites},
}

// has says whether an argument is this word, in any letter case.
func has(word string) func([]string) bool {
	return func(command []string) bool {
		for _, a := range command[1:] {
			if strings.EqualFold(a, word) {
				return true
			}
		}
		return false
	}
}

func lacks(word string) func([]string) bool {
	return func(command []string) bool { return !has(word)(command) }
}

func longerThan(n int) func([]string) bool {
	return func(command []string) bool { return len(command) > n }
}

func bare(command []string) bool { return len(command) == 1 }

// anyName lets the channel differ in a reply to unsubscribing from all.
var anyName = each(func(nd *node) {
	if len(nd.items) == 3 && !nd.items[1].null {
		nd.items[1].text = "x"
	}
})

// slowlog keeps the entries that a test has made recognisable, and of those only
// the commands.
var slowlog = each(func(nd *node) {
	var own []node
	for _, entry := range nd.items {
		if len(entry.items) != 6 || !strings.Contains(entry.items[3].render(), "conf-") {
			continue
		}
		for i := range entry.items {
			if i != 3 {
				entry.items[i].text = "x"
			}
		}
		own = append(own, entry)
	}
	nd.items = own
})

// ownFields are the fields of CLIENT LIST that a client determines by what it sends;
// the others are of the connection that the server has.
var ownFields = map[string]bool{"name": true, "db": true, "sub": true, "psub": true, "ssub": true, "multi": true, "cmd": true,
	"user": true, "redir": true, "resp": true, "flags": true}

// clientLine keeps the names of all fields, in their order, and the values that are
// the client's own. Steadis has the fields of CLIENT SETINFO for any version. Only the
// server knows that a watched key has been touched (flag d).
var clientLine = lines("\n", func(line string) string {
	line, _, _ = strings.Cut(line, " lib-name=")
	parts := strings.Split(line, " ")
	for i, part := range parts {
		if flags, found := strings.CutPrefix(part, "flags="); found {
			if flags = strings.ReplaceAll(flags, "d", ""); flags == "" {
				flags = "N"
			}
			parts[i] = "flags=" + flags
		}
		if name, _, found := strings.Cut(part, "="); found && (!ownFields[name] || strings.HasPrefix(part, "redir=") && part != "redir=-1") {
			parts[i] = name + "="
		}
	}
	return strings.Join(parts, " ")
})

// setInfo lets steadis take what an old server does not know.
func setInfo(direct, front *node) {
	if direct.kind == '-' && strings.HasPrefix(direct.text, "ERR unknown subcommand") && front.render() == "+OK\r\n" {
		*direct = *front
	}
}

// namedClient drops the clients that the tests did not name: Sentinel's, steadis'
// own and those of the tests' harness.
func namedClient(line string) string {
	if strings.Contains(line, " name=conf") {
		return line
	}
	return ""
}

// sameInfo are the fields of INFO whose values must agree.
var sameInfo = map[string]bool{"redis_version": true, "redis_mode": true, "redis_build_id": true, "role": true, "os": true, "arch_bits": true,
	"cluster_enabled": true, "connected_slaves": true, "maxmemory_policy": true, "loading": true, "maxclients": true}

// infoLine keeps headings, the names of fields and the values that must agree. Of
// statistics there is a line for each command or error so far, and those differ.
func infoLine(line string) string {
	name, value, found := strings.Cut(line, ":")
	switch {
	case line == "# Steadis":
		return ""
	case !found:
		return line
	case strings.HasPrefix(name, "cmdstat_"), strings.HasPrefix(name, "errorstat_"), strings.HasPrefix(name, "latency_percentiles_usec_"):
		return ""
	case strings.HasPrefix(name, "steadis_"):
		return "" // its own section
	case strings.HasPrefix(name, "db"):
		keys, _, _ := strings.Cut(value, ",avg_ttl")
		return name + ":" + keys
	case sameInfo[name]:
		return line
	}
	return name + ":"
}

func lolwutLine(line string) string {
	if strings.HasPrefix(line, "Redis ver.") {
		return line
	}
	return ""
}

// cursor lets the cursor of a scan differ, but not whether it is the end.
func cursor(direct, front *node) {
	for _, nd := range []*node{direct, front} {
		if len(nd.items) == 2 && nd.items[0].text != "0" {
			nd.items[0].text = "x"
		}
	}
}

// scanned lets the keys of one step of a scan differ.
var scanned = each(func(nd *node) {
	if len(nd.items) == 2 && nd.items[1].kind == '*' {
		nd.items[1].items = nil
	}
})

// timeOfDay lets the seconds differ a little and the microseconds at will.
func timeOfDay(direct, front *node) {
	if len(direct.items) == 2 && len(front.items) == 2 {
		near(60)(&direct.items[0], &front.items[0])
		anyText(&direct.items[1], &front.items[1])
	}
}

// streamID lets ids differ that the server has made of its clock.
var streamID = matched(`^\d{13}-\d+$`, "0-0")
