package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// history is what a master says of the data that it has.
type history struct {
	// runID is another one each time that the server starts.
	runID string
	// replID names the history of writes that it has; olderID the one that it goes on with.
	// offset is how much of it it has, in bytes.
	replID, olderID string
	offset          int64
	// keys: at least one database has some, or had.
	keys bool
}

// The sections of INFO that a history is read from. Redis before 7.0 takes one at a time.
var (
	infoServer   = resp.AppendCommand(nil, "INFO", "server")
	infoKeyspace = resp.AppendCommand(nil, "INFO", "keyspace")
)

// errUntold: the master refuses to tell its history.
var errUntold = errors.New("it does not tell INFO server, replication and keyspace")

// recall asks a master for its history. The error is errUntold, or that of Pilot.Fetch.
func recall(ctx context.Context, pilot *upstream.Pilot) (h history, err error) {
	for _, section := range [][]byte{infoServer, infoReplication, infoKeyspace} {
		frame, err := pilot.Fetch(ctx, section)
		if err != nil {
			return history{}, err
		}
		if len(frame) == 0 || frame[0] != '$' {
			return history{}, errUntold
		}
		h.read(frame)
	}
	if h.runID == "" || h.replID == "" {
		return history{}, errUntold
	}
	return h, nil
}

// read takes what it needs from the lines of a section of INFO (Redis 7.0 server.c
// genRedisInfoString).
func (h *history) read(info []byte) {
	for line := range bytes.SplitSeq(info, []byte("\r\n")) {
		name, value, _ := strings.Cut(string(line), ":")
		switch {
		case name == "run_id":
			h.runID = value
		case name == "master_replid":
			h.replID = value
		case name == "master_replid2":
			h.olderID = value
		case name == "master_repl_offset":
			h.offset, _ = strconv.ParseInt(value, 10, 64) // 0 if it makes no sense
		case strings.HasPrefix(name, "db") && strings.HasPrefix(value, "keys="):
			h.keys = true // a database without keys is not listed
		}
	}
}

// lost says what a master that had the history before has lost by a restart; empty if nothing, or if
// there is no telling. What was loaded from an append-only file has a new name and no
// offset (Redis 7.0 server.c loadDataFromDisk), so only that it is not empty is known of it.
func (h history) lost(before history) string {
	switch {
	case before.runID == "" || h.runID == before.runID:
		return ""
	case h.olderID == before.replID && h.offset < before.offset:
		return fmt.Sprintf("it has restarted with older data: %d of %d bytes of its history", h.offset, before.offset)
	case h.olderID == before.replID:
		return "" // it goes on where it was, be it without a key: those of a queue come and go
	case before.keys && !h.keys:
		return "it has restarted without its data"
	}
	return ""
}
