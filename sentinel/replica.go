package sentinel

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"
)

// Replicas are asked for to be shown, on the connections that there are: nothing is
// decided by them.

// ReplicaStatus is a replica of the followed master as a Sentinel lists it. Sentinel asks
// every 10 s, so link and offset may be as old.
type ReplicaStatus struct {
	// Address is what would be dialled, after the address map; Announced is what the
	// Sentinel gives.
	Address   string `json:"address"`
	Announced string `json:"announced"`
	Flags     string `json:"flags"`
	// Link is "ok" while the replica is connected to its master.
	Link     string `json:"link"`
	Priority int    `json:"priority"`
	Offset   int64  `json:"offset"`
	// Master is whom it replicates, as it says itself.
	Master string `json:"master"`
}

// Good says whether Sentinel could promote the replica now.
func (r ReplicaStatus) Good() bool {
	return r.Link == "ok" && r.Priority > 0 && !strings.Contains(r.Flags, "down") && !strings.Contains(r.Flags, "disconnected")
}

type replica = ReplicaStatus

// maxReplicas bounds what one reply can make us keep.
const maxReplicas = 32

// parseReplicas reads the reply to SENTINEL REPLICAS. Rows without a usable address are
// left out.
func parseReplicas(o *Options, rows []map[string]string) []replica {
	var all []replica
	for _, row := range rows {
		if len(all) == maxReplicas {
			break
		}
		addr, ok := o.dialable(row["ip"], row["port"])
		if !ok {
			continue
		}
		all = append(all, replica{
			Address: addr, Announced: net.JoinHostPort(row["ip"], row["port"]), Flags: bounded(row["flags"], maxFlags),
			Link: bounded(row["master-link-status"], maxStage), Priority: small(row["slave-priority"]),
			Offset: offset(row["slave-repl-offset"]),
			Master: bounded(net.JoinHostPort(row["master-host"], row["master-port"]), maxFlags),
		})
	}
	return all
}

// replicas asks for the replicas. refused: the ACL forbids it, or it is not known.
func (a *asker) replicas(ctx context.Context) (all []replica, refused bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*a.o.Timeout)
	defer cancel()
	rows, refused, err := unlessRefused(a.client.Replicas(ctx, a.o.Master).Result())
	return parseReplicas(a.o, rows), refused, err
}

// replicaTimes says when the replicas are to be asked for on a connection.
type replicaTimes struct {
	next    time.Time
	master  string // whose replicas were asked for last
	refused bool
}

// due says whether to ask now: at the pace, and at once for another master.
func (r *replicaTimes) due(master string) bool {
	return !r.refused && (master != r.master || !time.Now().Before(r.next))
}

// askReplicas asks for the replicas and reports them.
func (s *session) askReplicas(ctx context.Context, a *asker, times *replicaTimes) error {
	all, refused, err := a.replicas(ctx)
	if err != nil {
		return err
	}
	times.next, times.master, times.refused = time.Now().Add(Jitter(replicasEvery)), a.last.addr, refused
	if !refused {
		s.report(ctx, replicated{from: s.addr, replicas: all})
	}
	return nil
}

// onReplicated keeps the list of a Sentinel that announces the followed master.
func (s *state) onReplicated(in replicated) {
	m := s.members[in.from]
	if m == nil || s.generation == 0 || !m.answer.announces(s.followed) {
		return
	}
	s.replicas = in.replicas
}

// replicaRows gives the replicas for a Status, without who is master by now.
func (s *state) replicaRows() []ReplicaStatus {
	rows := make([]ReplicaStatus, 0, len(s.replicas))
	for _, r := range s.replicas {
		if r.Address != s.followed.addr {
			rows = append(rows, r)
		}
	}
	return rows
}

// offset reads a replication offset, 0 if it is none.
func offset(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
