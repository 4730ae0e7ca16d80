package proxy

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"

	"steadis/proxy/resp"
)

// Replica is a replica as the master tells of it in INFO replication.
type Replica struct {
	// Address is the replica's, as the master knows it: before any address map.
	Address string `json:"address"`
	// State is the link's: online, or how far the first copy has come.
	State string `json:"state"`
	// LagSeconds is how long ago the replica last told how far it is; it does so each
	// second. LagBytes is how far it is behind.
	LagSeconds int   `json:"lag_seconds"`
	LagBytes   int64 `json:"lag_bytes"`
}

const (
	// surveyEvery is after how many heartbeats the master is asked for its replicas.
	surveyEvery = 2
	maxReplicas = 32
)

var infoReplication = resp.AppendCommand(nil, "INFO", "replication")

// survey asks the master for its replicas, to be shown: nothing is decided by them. A
// user that may not ask is not made to ask again: the master would log each refusal. It
// returns false if the master has not answered.
func (c *conductor) survey(ctx context.Context) bool {
	if c.mayNotAsk {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, c.set.Load().Heartbeat)
	defer cancel()
	frame, err := c.pilot.Fetch(ctx, infoReplication)
	if err != nil || len(frame) == 0 {
		return false // the heartbeat will say what is wrong
	}
	if frame[0] != '$' {
		c.mayNotAsk = true
		return true
	}
	replicas := parseReplicas(frame)
	c.nodes.Store(&replicas)
	return c.remember(ctx, frame)
}

// parseReplicas reads the lines of INFO replication such as
//
//	slave0:ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0
//	master_repl_offset:1234
func parseReplicas(info []byte) []Replica {
	replicas := []Replica{}
	var offsets []int64
	var own int64
	for line := range bytes.SplitSeq(info, []byte("\r\n")) {
		name, value, ok := strings.Cut(string(line), ":")
		if !ok {
			continue
		}
		if name == "master_repl_offset" {
			own, _ = strconv.ParseInt(value, 10, 64) // 0 if it makes no sense
		}
		if number, found := strings.CutPrefix(name, "slave"); !found || number == "" || strings.Trim(number, "0123456789") != "" || len(replicas) == maxReplicas {
			continue
		}
		fields := map[string]string{}
		for field := range strings.SplitSeq(value, ",") {
			key, text, _ := strings.Cut(field, "=")
			fields[key] = text
		}
		lag, _ := strconv.Atoi(fields["lag"])
		offset, _ := strconv.ParseInt(fields["offset"], 10, 64)
		replicas = append(replicas, Replica{
			Address: net.JoinHostPort(printable(fields["ip"]), printable(fields["port"])), State: printable(fields["state"]), LagSeconds: lag,
		})
		offsets = append(offsets, offset)
	}
	for i := range replicas {
		replicas[i].LagBytes = max(0, own-offsets[i])
	}
	return replicas
}

// replicas returns what the master has told last of its replicas.
func (s *Server) replicas() []Replica {
	if known := s.nodes.Load(); known != nil {
		return *known
	}
	return []Replica{}
}
