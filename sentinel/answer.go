package sentinel

import (
	"strconv"
	"strings"
	"time"
)

// answer is what a Sentinel says about our master in one round of questions:
// first SENTINEL MASTER, then get-master-addr-by-name.
//
// The order matters. The leader of a failover shows the new config-epoch with
// the old ip and port in SENTINEL MASTER until its own +switch-master, a second
// or more; only get-master-addr gives the right address there (Redis 7.0
// sentinel.c sentinelGetCurrentMasterAddress). Asked in this order, the epoch can
// be older than the address but never newer.
type answer struct {
	// known is false if the Sentinel does not know the name.
	known bool
	// addr is get-master-addr's, after the address map: what is announced.
	addr string
	// subject is SENTINEL MASTER's own ip and port, after the address map: the
	// node that flags and failover-state are about. It differs from addr on the
	// leader from +promoted-slave to its +switch-master.
	subject string
	epoch   uint64
	flags   flags
	// raw is the flags field as given, bounded, for people.
	raw string
	// stage is failover-state, empty if no failover is under way.
	stage string
	// downAfter is Sentinel's down-after-milliseconds; 0 if it did not say.
	downAfter time.Duration
	// quorum and others (num-other-sentinels) are for people only.
	quorum, others int
}

// announces says whether the answer names exactly this master of this epoch.
func (a answer) announces(t target) bool {
	return a.known && a.addr == t.addr && a.epoch == t.epoch
}

// flags are those of SENTINEL MASTER that steadis acts upon.
type flags uint8

const (
	flagSDown flags = 1 << iota
	flagODown
	flagFailover
)

// Replies and payloads of Sentinels are not trusted; these bound what is kept.
const (
	maxFlags = 256
	maxStage = 64
	maxRunID = 64
	maxPeers = 32
)

// parseFlags reads the comma-separated flags of an instance (Redis 7.0
// sentinel.c addReplySentinelRedisInstance).
func parseFlags(s string) flags {
	var f flags
	for word := range strings.SplitSeq(s, ",") {
		switch word {
		case "s_down":
			f |= flagSDown
		case "o_down":
			f |= flagODown
		case "failover_in_progress", "force_failover":
			f |= flagFailover
		}
	}
	return f
}

// parseAnswer joins the two replies. ok is false if they make no sense.
func parseAnswer(o *Options, fields map[string]string, hostport []string) (a answer, ok bool) {
	if len(hostport) != 2 {
		return answer{}, false
	}
	addr, ok := o.dialable(hostport[0], hostport[1])
	if !ok {
		return answer{}, false
	}
	epoch, err := strconv.ParseUint(fields["config-epoch"], 10, 63)
	if err != nil {
		return answer{}, false
	}
	a = answer{known: true, addr: addr, epoch: epoch}
	a.subject, _ = o.dialable(fields["ip"], fields["port"])
	a.raw = bounded(fields["flags"], maxFlags)
	a.flags = parseFlags(a.raw)
	a.stage = bounded(fields["failover-state"], maxStage)
	if a.stage == "none" {
		a.stage = ""
	}
	if ms, err := strconv.ParseUint(fields["down-after-milliseconds"], 10, 31); err == nil {
		a.downAfter = time.Duration(ms) * time.Millisecond
	}
	a.quorum = small(fields["quorum"])
	a.others = small(fields["num-other-sentinels"])
	return a, true
}

// small reads a count that is only shown.
func small(s string) int {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// bounded cuts a text that came from outside; what is not printable is replaced,
// since the text ends up in logs and pages.
func bounded(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
}

// peer is another Sentinel, as one Sentinel lists it.
type peer struct{ addr, runid string }

// parsePeers reads the reply to SENTINEL SENTINELS, at most maxPeers of it.
// Rows without a usable address or runid are left out: while a Sentinel has not
// heard a hello of another one it may list it without a runid.
func parsePeers(o *Options, rows []map[string]string) []peer {
	var peers []peer
	for _, row := range rows {
		if len(peers) == maxPeers {
			break
		}
		addr, ok := o.dialable(row["ip"], row["port"])
		if !ok || !isRunID(row["runid"]) {
			continue
		}
		peers = append(peers, peer{addr: addr, runid: row["runid"]})
	}
	return peers
}

// isRunID accepts what Redis makes, 40 hex digits, and is lenient about length.
func isRunID(s string) bool {
	if s == "" || len(s) > maxRunID {
		return false
	}
	for _, c := range s {
		if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}
