package sentinel

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/topology"
)

// When to move.
//
// An announcement with a quorum (quorum.go) is followed once ROLE at its address
// says master:
//
//   - at a higher epoch: at once. That is a failover.
//   - at the same epoch but another address: at once. An operator has pointed the
//     name at another node (SENTINEL REMOVE and MONITOR both start at epoch 0).
//   - at a lower epoch: only if a majority of the configured Sentinels says so,
//     every configured one that answers agrees, and this has stood for
//     backwardFor. Epochs go back when an operator does REMOVE and MONITOR; they
//     also seem to when Sentinels start from old files, until a hello message
//     (every 2 s) corrects them. In the latter case the old master still says
//     ROLE master for about 10 s, so nothing but time tells the two apart.
//
// ROLE alone is never a reason: an old master says master for about 10 s after a
// switch, and a replica that was promoted by a leader that died may say so for
// good while Sentinel promotes another one (semantics.md 1.2 f).
//
// A node is asked for its ROLE only after a quorum has announced it, so that no
// single Sentinel can make us send RolePassword to an address of its choice.

const (
	backwardFor = 3 * time.Second
	// slowRole: a master that has owed an answer for so long was away, and is back with it.
	slowRole = 150 * time.Millisecond
	// roleGap is the time between an answer that is not "master" and the next
	// question, roleGapLater the same once that has gone on for roleSlowAfter.
	roleGap       = 30 * time.Millisecond
	roleGapLater  = 250 * time.Millisecond
	roleSlowAfter = 10 * time.Second
)

// purpose is why a node is asked for its ROLE.
type purpose uint8

const (
	toSwitch purpose = iota
	toRelease
	toCheck // the data path doubts the followed master
	toMeet  // the followed master is said to be down, and may come back
)

// asking is one target's ROLE question, asked again until it is settled.
type asking struct {
	target
	purpose  purpose
	id       uint64
	began    time.Time
	inFlight bool
	next     time.Time // when to ask again; zero: at once
	last     role
	detail   string
}

// owed is a question for its ROLE that the followed master has not answered yet.
type owed struct {
	id    uint64
	asked time.Time
}

// candidate gives the announcement that ought to be followed instead of the
// present one. ok is false if there is none, or none yet.
func (s *state) candidate(now time.Time) (target, bool) {
	q := s.count()
	if !q.ok || (s.generation > 0 && q.target == s.followed) {
		s.backwardSince = time.Time{}
		return target{}, false
	}
	if s.generation == 0 || q.epoch >= s.followed.epoch {
		s.backwardSince = time.Time{}
		return q.target, true
	}
	if !q.base || !s.unanimous(q.target) {
		s.backwardSince = time.Time{}
		return target{}, false
	}
	if s.backwardSince.IsZero() || s.backward != q.target {
		s.backward, s.backwardSince = q.target, now
		s.log(zapcore.WarnLevel, "all sentinels announce a lower epoch, waiting for it to stand",
			zap.String("master", q.addr), zap.Uint64("epoch", q.epoch),
			zap.Uint64("followed_epoch", s.followed.epoch), zap.Duration("wait", backwardFor))
	}
	return q.target, now.Sub(s.backwardSince) >= backwardFor
}

// unanimous: every configured Sentinel that answers announces t.
func (s *state) unanimous(t target) bool {
	for _, m := range s.configured() {
		if m.up && !m.answer.announces(t) {
			return false
		}
	}
	return true
}

// pursue asks for the ROLE that is wanted now and acts upon the answer. It
// returns true if it has changed whom we follow or whether we hold.
func (s *state) pursue(now time.Time) bool {
	t, why, wanted := s.want(now)
	if !wanted {
		s.asking = nil
		return false
	}
	if s.asking == nil || s.asking.target != t || s.asking.purpose != why {
		s.asking = &asking{target: t, purpose: why, began: now}
		if why == toSwitch && s.generation > 0 {
			s.note(now, "a majority announces "+t.addr, "")
		}
	}
	a := s.asking
	if s.settled(a, now) {
		s.asking = nil
		return true
	}
	if s.asking != nil && !a.inFlight && !now.Before(a.next) {
		s.lastRole++
		a.id, a.inFlight = s.lastRole, true
		if a.target == s.followed {
			s.owed = append(s.owed, owed{a.id, now})
		}
		s.emit(askRole{id: a.id, addr: t.addr})
	}
	return false
}

// want says whose ROLE matters now, and for what.
func (s *state) want(now time.Time) (target, purpose, bool) {
	if t, ok := s.candidate(now); ok {
		return t, toSwitch, true
	}
	if s.hold != nil {
		if ok, _ := s.releasable(now); ok {
			return s.followed, toRelease, true
		}
		if s.undecided() {
			return s.followed, toMeet, true
		}
		return target{}, 0, false
	}
	if s.wantRole {
		return s.followed, toCheck, true
	}
	return target{}, 0, false
}

// settled acts upon the last answer of a, and returns true if that settled it.
func (s *state) settled(a *asking, now time.Time) bool {
	if a.inFlight || a.last == roleUnasked {
		return false
	}
	switch a.purpose {
	case toSwitch:
		if a.last != roleMaster && a.last != roleCannotSay {
			return false
		}
		s.follow(a.target, now)
		return true
	case toRelease:
		_, strict := s.releasable(now)
		if a.last == roleMaster || a.last == roleCannotSay && !strict && s.hold.cause != causeReplica {
			s.endHold(now)
			return true
		}
		return false
	case toMeet:
		return len(s.claimants()) == 0
	default:
		// A master that gives no answer is asked until it does: what is known of it must not
		// be of long ago once a failover begins (backAgain).
		if a.last == roleSilent {
			return false
		}
		s.wantRole = false
		if a.last == roleReplica {
			s.beginHold(causeReplica, s.followed.addr+" says that it is a replica", now)
		}
		return true
	}
}

// paid takes the question of that id, and those before it, from what the followed master owes, and
// returns how long the oldest of them was owed; 0 if it was asked nothing of that id.
func (s *state) paid(id uint64, now time.Time) time.Duration {
	i := slices.IndexFunc(s.owed, func(o owed) bool { return o.id == id })
	if i < 0 {
		return 0
	}
	oldest := s.owed[0].asked
	s.owed = s.owed[i+1:]
	return now.Sub(oldest)
}

func (s *state) onRoleSaid(in roleSaid, now time.Time) {
	if waited := s.paid(in.id, now); in.role == roleMaster && waited >= slowRole {
		s.away, s.backAt = false, now
	}
	a := s.asking
	if a == nil || !a.inFlight || a.id != in.id {
		return // nobody wants to know any more
	}
	a.inFlight = false
	if said := (saying{a.target, in.role}); said != s.said {
		s.said = said
		s.logRole(a, in)
	}
	if a.target == s.followed {
		switch {
		case in.role == roleSilent:
			s.away = true
		case in.role == roleMaster && s.away:
			s.away, s.backAt = false, now
		}
	}
	a.last, a.detail = in.role, in.detail
	gap := roleGap
	if now.Sub(a.began) > roleSlowAfter {
		gap = roleGapLater
	}
	a.next = now.Add(gap)
}

// saying is what a node said of its ROLE; only another one is worth a line.
type saying struct {
	target
	role role
}

// logRole logs an answer that is not what it should be.
func (s *state) logRole(a *asking, in roleSaid) {
	if in.role != roleMaster {
		level := zapcore.InfoLevel
		if in.role == roleCannotSay {
			level = zapcore.WarnLevel
		}
		s.log(level, "role of the announced master", zap.String("master", a.addr),
			zap.Stringer("role", in.role), zap.String("detail", in.detail))
	}
}

// follow makes t the master that the data path works by.
func (s *state) follow(t target, now time.Time) {
	from, held := s.followed, time.Duration(0)
	if s.hold != nil {
		held = now.Sub(s.hold.since)
	}
	first, kind := s.generation == 0, s.kind(now)
	s.generation++
	s.followed = t
	s.hold, s.plan, s.wantRole, s.backwardSince = nil, nil, false, time.Time{}
	s.downAt, s.begunAt = time.Time{}, time.Time{}
	s.fenced = "" // what stands ends by itself
	s.away, s.backAt, s.owed = false, time.Time{}, nil
	q := s.count()
	s.serving = fmt.Sprintf("announced by %d of %d Sentinels", q.votes, q.voters)
	s.note(now, "follow "+t.addr, "")
	for _, m := range s.members {
		if m.claim.what != "" && m.claim.subject == from.addr {
			m.distrustUntil, m.distrust, m.forgiven = time.Time{}, 0, false
		}
		m.agreed = m.answer.announces(t)
	}
	if first {
		s.log(zapcore.InfoLevel, "master found", zap.String("master", t.addr), zap.Uint64("epoch", t.epoch), zap.String("by", s.serving))
		s.trail = nil
		return
	}
	s.switches = append(s.switches, Switch{At: now, From: from.addr, To: t.addr, Epoch: t.epoch,
		Generation: s.generation, Kind: kind, HeldMS: held.Milliseconds(), Phases: s.trail})
	s.switches = s.switches[max(0, len(s.switches)-maxSwitches):]
	s.trail = nil
	s.mood.oddFor(now, oddAfterEvent)
	s.emit(countSwitch{kind, held})
	s.emit(askSentinel{})
	s.log(zapcore.WarnLevel, "switch", zap.String("from", from.addr), zap.String("to", t.addr),
		zap.Uint64("from_epoch", from.epoch), zap.Uint64("epoch", t.epoch),
		zap.Uint64("generation", s.generation), zap.String("kind", kind), zap.Duration("held", held), zap.String("by", s.serving))
}

// kindFor is how long a sign of a failover says what kind the next change of master is.
const kindFor = time.Minute

// kind says what kind of change of master comes now, from the signs of the last minute.
func (s *state) kind(now time.Time) string {
	recent := func(at time.Time) bool { return !at.IsZero() && now.Sub(at) < kindFor }
	switch {
	case recent(s.downAt):
		return topology.Unplanned
	case recent(s.begunAt):
		return topology.Planned
	default:
		return topology.Announced
	}
}

// noteSigns notes what an answer tells of the kind of a failover of the followed master.
func (s *state) noteSigns(a answer, now time.Time) {
	if s.generation == 0 || !a.known || a.subject != s.followed.addr {
		return
	}
	if a.flags&flagODown != 0 {
		s.downAt = now
	}
	if a.flags&flagFailover != 0 {
		s.begunAt = now
	}
}
