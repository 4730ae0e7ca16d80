package discovery

import (
	"hash/fnv"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// Whom to follow.
//
// Candidates are the nodes of the record that say master. The followed one is kept
// while it is in the record and has not said replica; if it is silent, another one is
// followed only after awayFor, since one lost answer is no failover. If the record
// leaves it out, another one that it names is followed at once.
//
// A node that was deposed is a candidate again once it has been seen as a replica: then
// its "master" is a new promotion. Until then it may be a master that has not noticed
// its demotion, seen through a name server that has not noticed the change either, and
// is followed only when the record, or the other one's trouble, has stood for
// backwardFor.
//
// Of two candidates none is chosen: nobody here can tell which one is right.

const (
	awayFor     = time.Second
	backwardFor = 10 * time.Second
)

// choice gives the node to follow: the followed one, another one, or "" for nobody.
func (s *state) choice(now time.Time) string {
	f := s.nodes[s.followed]
	if s.generation > 0 && slices.Contains(s.record, s.followed) {
		switch f.said.Role {
		case node.Replica:
		case node.Silent:
			if f.misses < 2 || now.Sub(f.troubleFrom) < awayFor {
				return s.followed
			}
		default:
			return s.followed
		}
	}
	if s.generation == 0 && !s.heardAll() {
		return ""
	}
	if found := s.candidates(now); len(found) == 1 {
		return found[0]
	}
	return s.followed
}

// heardAll says whether every node of the record has been asked: the first master is
// chosen among all of them, or whoever is quickest would win.
func (s *state) heardAll() bool {
	for _, addr := range s.record {
		if m := s.nodes[addr]; m == nil || m.said.Role == node.Unasked {
			return false
		}
	}
	return true
}

// candidates gives who may be followed instead of the followed one.
func (s *state) candidates(now time.Time) []string {
	var found []string
	for _, addr := range s.record {
		m := s.nodes[addr]
		if m != nil && addr != s.followed && m.said.Role == node.Master && (!m.deposed || m.demoted || s.stood(now)) {
			found = append(found, addr)
		}
	}
	return found
}

// stood says whether the reason to leave the followed master has stood for long.
func (s *state) stood(now time.Time) bool {
	since := s.recordSince
	if f := s.nodes[s.followed]; slices.Contains(s.record, s.followed) {
		since = f.troubleFrom
	}
	return !since.IsZero() && now.Sub(since) >= backwardFor
}

// onlyDeposed says whether the record names nobody but deposed masters that have not been
// seen as replicas: a stale record, most likely.
func (s *state) onlyDeposed() bool {
	for _, addr := range s.record {
		if m := s.nodes[addr]; m == nil || !m.deposed || m.demoted {
			return false
		}
	}
	return len(s.record) > 0
}

// follow makes addr the master that the data path works by.
func (s *state) follow(addr string, now time.Time) {
	from, held := s.followed, time.Duration(0)
	if s.hold != nil {
		held = now.Sub(s.hold.since)
	}
	if old := s.nodes[from]; old != nil {
		old.deposed, old.demoted = true, old.said.Role == node.Replica
	}
	m := s.nodes[addr]
	m.deposed, m.demoted = false, false
	s.generation++
	s.followed, s.epoch = addr, epochOf(m)
	s.hold, s.unheeded = nil, false
	s.serving = addr + " says that it is the master"
	if s.resolves {
		s.serving = s.endpoint + " leads to " + addr + ", which says that it is the master"
	}
	if s.generation == 1 {
		s.log(zapcore.InfoLevel, "master found", zap.String("master", addr), zap.String("by", s.serving), zap.String("detail", m.said.Detail))
		s.trail = nil
		return
	}
	s.note(now, "follow "+addr)
	s.switches = append(s.switches, topology.Switch{At: now, From: from, To: addr, Epoch: s.epoch, Generation: s.generation,
		HeldMS: held.Milliseconds(), Phases: s.trail})
	s.switches = s.switches[max(0, len(s.switches)-maxSwitches):]
	s.trail = nil
	s.oddFor(now)
	s.emit(countSwitch{})
	s.log(zapcore.WarnLevel, "switch", zap.String("from", from), zap.String("to", addr), zap.Uint64("generation", s.generation),
		zap.Duration("held", held), zap.String("by", s.serving))
}

// epochOf stands for Sentinel's config epoch, which marks the cursors of scans: each
// promotion gives a node another replication id, which every steadis sees alike. Where
// INFO is refused the address has to do.
func epochOf(m *member) uint64 {
	id := m.said.ReplID
	if id == "" {
		id = m.addr
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash takes every write
	return 1 + uint64(h.Sum32())
}
