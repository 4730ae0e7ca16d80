package node

import (
	"net"
	"strconv"
	"strings"
)

// maxReplicas bounds how many replicas of one node are taken from its INFO.
const maxReplicas = 64

// readInfo takes what is wanted of INFO replication. A node that is no master has
// its own offset in slave_repl_offset; master_repl_offset is what it hands on.
func (s *Said) readInfo(text string) {
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found {
			continue
		}
		fields[name] = value
		if _, is := strings.CutPrefix(name, "slave"); is && strings.HasPrefix(value, "ip=") && len(s.Replicas) < maxReplicas {
			s.addReplica(value)
		}
	}
	offset := fields["master_repl_offset"]
	switch fields["role"] {
	case "master":
		s.Role = Master
	case "slave", "replica":
		s.Role = Replica
		offset = fields["slave_repl_offset"]
		s.LinkUp = fields["master_link_status"] == "up"
		s.Syncing = fields["master_sync_in_progress"] == "1"
		s.Replicas = nil // those of a replica are nobody's candidates
	}
	s.ReplID, s.OlderID = fields["master_replid"], fields["master_replid2"]
	if n, err := strconv.ParseInt(offset, 10, 64); err == nil {
		s.Offset = n
	}
}

// addReplica reads ip=10.0.0.2,port=6379,state=online,offset=14,lag=0. One that is not
// online is still being given its copy.
func (s *Said) addReplica(value string) {
	fields := map[string]string{}
	for pair := range strings.SplitSeq(value, ",") {
		if name, v, found := strings.Cut(pair, "="); found {
			fields[name] = v
		}
	}
	port, err := strconv.ParseUint(fields["port"], 10, 16)
	if host := fields["ip"]; err == nil && port > 0 && host != "" && len(host) <= 253 && fields["state"] == "online" &&
		!strings.ContainsAny(host, " \t[]") && (net.ParseIP(host) != nil || !strings.Contains(host, ":")) {
		s.Replicas = append(s.Replicas, [2]string{host, fields["port"]})
	}
}
