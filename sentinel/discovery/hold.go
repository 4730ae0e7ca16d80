package discovery

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/node"
)

// When to hold.
//
// While the followed master says that it is a replica, commands are held, for as long
// as it takes: there is no master. If the record leaves it out and nobody whom it names
// is a master yet, a promotion is likely to follow, and what the old one takes until then
// is likely to be lost: commands are held, but at most for recordHold, since a record that
// leads nowhere must not stop a master that works.
//
// That the master is silent is no reason here: the data path notices by itself, and
// holds.

const (
	recordHold = 10 * time.Second
	// settleFor is how long the record must name the followed master again before a hold
	// that its change began is over: name servers with an old and a new record may answer
	// in turn.
	settleFor = time.Second
)

// reason says why commands are to be held now; "" if they are not.
func (s *state) reason() (cause, reason string) {
	f := s.nodes[s.followed]
	switch {
	case s.generation == 0:
		return "", ""
	case f.said.Role == node.Replica:
		return causeReplica, s.followed + " says that it is a replica"
	case s.resolves && !s.unheeded && !slices.Contains(s.record, s.followed) && !s.onlyDeposed():
		return causeRecord, fmt.Sprintf("%s leads to %s now, where no master is yet", s.endpoint, join(s.record))
	}
	return "", ""
}

// updateHold begins a hold if there is a reason, and ends it if there is none any more.
func (s *state) updateHold(now time.Time) {
	cause, reason := s.reason()
	if cause == causeRecord && s.hold != nil && now.Sub(s.hold.since) >= recordHold {
		s.unheeded = true
		s.log(zapcore.WarnLevel, "the name leads to no master; the former one is served on until that changes",
			zap.String("name", s.endpoint), zap.Strings("addresses", s.record), zap.String("master", s.followed))
		cause = ""
	}
	switch {
	case cause != "" && s.hold == nil:
		s.hold = &hold{since: now, cause: cause, reason: reason}
		s.holds++
		s.note(now, "hold")
		s.emit(countHold{cause})
		s.log(zapcore.WarnLevel, "hold", zap.String("master", s.followed), zap.String("reason", reason))
	case cause != "":
		s.hold.cause, s.hold.reason = cause, reason
	case s.hold != nil && s.releasable(now):
		s.endHold(now)
	}
}

// releasable says whether a hold without a reason may end. A master that said that it was
// a replica has to say that it is one again.
func (s *state) releasable(now time.Time) bool {
	if s.hold.cause == causeReplica {
		return s.nodes[s.followed].said.Role == node.Master
	}
	return s.unheeded || s.onlyDeposed() || now.Sub(s.recordSince) >= settleFor
}

// endHold lets commands flow to the same master again.
func (s *state) endHold(now time.Time) {
	h := s.hold
	s.hold, s.trail = nil, nil
	s.serving = "the failover did not happen (" + h.reason + ")"
	s.log(zapcore.WarnLevel, "release without a switch", zap.String("master", s.followed),
		zap.Duration("held", now.Sub(h.since)), zap.String("reason", h.reason))
}
