package proxy

import (
	"strings"
	"time"
	"unicode"

	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

// Status is the data path's part of /api/status. It is a copy.
type Status struct {
	State
	Clients int         `json:"clients"`
	Hold    hold.Counts `json:"hold"`
	Uptime  float64     `json:"uptime_seconds"`
	// Stopping says that the process is shutting down.
	Stopping bool `json:"stopping"`
	// Limits bound what may wait.
	Limits HoldLimits `json:"hold_limits"`
	// Second is what went through in the last whole second.
	Second  Sample  `json:"last_second"`
	Traffic Traffic `json:"traffic"`
	// Upstream are the connections to the master, Replicas what it tells of its replicas.
	Upstream upstream.Figures `json:"upstream"`
	Replicas []Replica        `json:"replicas"`
	// Connected has a row for each client, at most 200: those that wait first, then those
	// that were heard last. It may be a second old.
	Connected []Connected `json:"connected"`
}

// HoldLimits are the bounds of the hold.
type HoldLimits struct {
	Seconds  float64 `json:"seconds"`
	Commands int     `json:"commands"`
	Bytes    int64   `json:"bytes"`
}

// Traffic is what went through since the start.
type Traffic struct {
	Commands uint64 `json:"commands"`
	BytesIn  uint64 `json:"bytes_in"`
	BytesOut uint64 `json:"bytes_out"`
	// InDoubt counts the writes that were sent and lost their reply.
	InDoubt         uint64 `json:"in_doubt"`
	ClientsAccepted uint64 `json:"clients_accepted"`
	ClientsRefused  uint64 `json:"clients_refused"`
}

// Status returns what the data path is doing, in numbers. It may be called concurrently.
func (s *Server) Status() Status {
	set := s.set.Load()
	now := s.now()
	return Status{
		State: s.State(), Clients: s.clients(), Hold: s.hold.Counts(), Uptime: now.Sub(s.started).Seconds(),
		Stopping: s.ending.Load() != serving,
		Limits:   HoldLimits{Seconds: set.Hold.Seconds(), Commands: set.HoldMaxCommands, Bytes: set.HoldMaxBytes},
		Second:   s.pulse.last(),
		Traffic: Traffic{
			Commands: s.traffic.commands.Load(), BytesIn: s.traffic.in.Load(), BytesOut: s.traffic.out.Load(),
			InDoubt: s.doubts.Load(), ClientsAccepted: s.accepted.Load(), ClientsRefused: s.turnedAway.Load(),
		},
		Upstream: s.pool.Figures(), Replicas: s.replicas(), Connected: s.connected(now),
	}
}

// maxShown bounds texts from outside that are shown, in characters.
const maxShown = 64

// printable makes a text from outside fit to be shown: short, and nothing in it that
// changes how what stands around it is read.
func printable(text string) string {
	n := 0
	for i := range text {
		if n == maxShown {
			text = text[:i] + "…"
			break
		}
		n++
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// wholeSeconds is how times of clients are shown, as in CLIENT LIST.
func wholeSeconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }
