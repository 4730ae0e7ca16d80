package sentinel

import (
	"fmt"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Whether commands may flow while the master may be changing.
//
// A hold begins at the first sign, from any one Sentinel, that a failover of the
// followed master has begun: that Sentinel then has a claim. It ends with a
// switch (follow.go), or without one when no claim is left that counts, the
// Sentinels announce the same address and epoch as before, and ROLE there says
// master.
//
// One Sentinel is enough to begin a hold because for a forced failover there is
// only one that knows: the leader is silent towards the others for about 1.25 s
// (the INFO of the promoted replica, then a hello message), while the writes that
// are acknowledged from 160 ms on are lost. So one Sentinel that lies or is
// isolated can make us hold. What bounds that:
//
//   - A lone claim is disproved, and its hold ends, when for loneFor the failover
//     has made no step, a majority of the other configured Sentinels answers
//     that nothing is wrong (same address and epoch, no s_down, o_down or
//     failover flag), and ROLE says master. loneFor is twice the time after
//     which a real forced failover shows up at the others. A failover that makes
//     steps gets more time, at most loneMax in all; electedFor a step once it has a
//     leader, because a busy machine was seen to take 2.7 s for the INFO that ends a
//     promotion; and all of loneMax while who claims it announces a newer master, because
//     a leader that died after the promotion and is back was seen to do so 3 s before the
//     others heard of it.
//   - A disproved claim stays ignored for as long as it is made, and new claims
//     of the same Sentinel are ignored for distrustFirst, doubling up to
//     distrustMax each time; a switch to which its claim led clears its name. Once in a
//     row it is forgiven a claim that came to nothing because it could not be reached any
//     more: a leader that dies tells no lie, and may lead the next failover.
//   - An ignored claim counts again while somebody else corroborates it (s_down,
//     or a claim of its own). So an automatic failover led by a
//     distrusted Sentinel is held for all the same, since the others see s_down.
//
// This bounds a lie for as long as a majority of the others answers. If they do
// not, one Sentinel can hold for good: then nobody is left to tell an isolated
// Sentinel from the only one that survived, and serving a master that may have
// been deposed loses writes.
//
// What this costs: a forced failover whose leader is stuck for more than loneFor
// in one step, or is distrusted, may promote its replica while we serve the old
// master. Writes are then at risk until the others switch, as without any hold.
//
// A claim of a Sentinel that cannot be reached any more can end by being
// disproved, or after lostClaimFor: that is longer than it takes Sentinel to
// demote an old master (about 10 s after the switch), so that ROLE tells.

const (
	loneFor       = 2500 * time.Millisecond
	electedFor    = 5 * time.Second // the same once the failover has a leader
	loneMax       = 10 * time.Second
	distrustFirst = 20 * time.Second
	distrustMax   = 10 * time.Minute
	lostClaimFor  = 15 * time.Second
	maxStages     = 8
)

// claim is one Sentinel's word that a failover of subject is under way.
type claim struct {
	what    string // for people: "+try-failover", "flag o_down"; empty: no claim
	cause   string // for the metric: one of holdCauses
	subject string
	// since is when it began, progress when the failover last made a step that
	// it had not made before; stages are the steps that it made.
	since, progress time.Time
	stages          []string
	ignored         bool
	raised          time.Time // when it became what it is
	elected         bool      // the failover has a leader, who will promote a replica
}

// The causes of holds, label of the metric holds_total.
const (
	causeTryFailover = "try_failover" // event +try-failover
	causeODown       = "o_down"       // event +odown or the flag
	causeFailover    = "failover_in_progress"
	causeAnnounced   = "announced"  // a newer master is announced
	causeReplica     = "replica"    // the followed master says that it is a replica
	causeSwitchover  = "switchover" // an operator wants another master (plan.go)
	causeEmptied     = "emptied"    // the data path does, for the master has lost its data (plan.go)
	causeMinority    = "minority"   // no majority of the Sentinels can be asked (plan.go)
)

var holdCauses = []string{causeTryFailover, causeODown, causeFailover, causeAnnounced, causeReplica, causeSwitchover, causeEmptied, causeMinority}

// hold is the time in which nothing new may be sent to the followed master.
type hold struct {
	since  time.Time
	cause  string
	reason string
}

// escalate makes a claim of o_down one of a failover.
func (c *claim) escalate(what, cause string, now time.Time) {
	if cause == causeTryFailover || cause == causeFailover && c.cause == causeODown {
		c.raised = now
	}
	if c.cause == causeODown {
		c.what, c.cause = what, cause
	}
}

// progressed notes a step, once each.
func (c *claim) progressed(stage string, now time.Time) {
	if c.what == "" || stage == "" || len(c.stages) == maxStages {
		return
	}
	switch stage {
	case "+odown", "+try-failover", "wait_start":
	default:
		c.elected = true
	}
	for _, s := range c.stages {
		if s == stage {
			return
		}
	}
	c.stages = append(c.stages, stage)
	c.progress = now
}

// claimByEvent starts a claim at +try-failover or +odown. An event about another
// address than the followed one (a former or a later master) is kept, and counts
// if that address is what we follow.
func (s *state) claimByEvent(m *member, ev event, now time.Time) {
	cause := causeODown
	if ev.name == "+try-failover" {
		cause = causeTryFailover
	}
	again := m.claim.ignored && cause == causeTryFailover && !m.distrusted(now)
	if m.claim.what != "" && m.claim.subject == ev.subject && !again {
		m.claim.escalate(ev.name, cause, now)
		m.claim.progressed(ev.name, now)
		return
	}
	s.begin(m, claim{what: ev.name, cause: cause, subject: ev.subject}, now)
}

// begin gives m a claim.
func (s *state) begin(m *member, c claim, now time.Time) {
	c.since, c.progress, c.raised = now, now, now
	c.ignored = m.distrusted(now)
	m.claim = c
}

func (m *member) distrusted(now time.Time) bool { return now.Before(m.distrustUntil) }

// updateClaim lets a new answer begin, carry on or end the claim of m. Only an
// answer to a question that was sent after the claim began can end it: an older
// one may have crossed the event.
func (s *state) updateClaim(m *member, now time.Time) {
	c, a := &m.claim, m.answer
	flagged := a.known && a.flags&(flagODown|flagFailover) != 0 && a.subject != ""
	turned := s.newer(a) && a.addr != s.followed.addr
	if c.what != "" && !m.asked.Before(c.since) {
		still := flagged && a.subject == c.subject ||
			turned && c.subject == s.followed.addr
		if !still {
			*c = claim{}
		}
	}
	if c.what != "" {
		switch {
		case a.flags&flagFailover != 0:
			c.escalate("flag failover_in_progress", causeFailover, now)
		case flagged && m.asked.After(c.raised):
			// The attempt is over, aborted for want of a replica or of votes.
			c.what, c.cause, c.elected = "flag o_down", causeODown, false
		}
		c.progressed(a.stage, now)
		return
	}
	switch {
	case flagged:
		what, cause := "flag o_down", causeODown
		if a.flags&flagFailover != 0 {
			what, cause = "flag failover_in_progress", causeFailover
		}
		s.begin(m, claim{what: what, cause: cause, subject: a.subject}, now)
	case turned && m.agreed:
		s.begin(m, claim{what: "the announcement of " + a.addr, cause: causeAnnounced, subject: s.followed.addr}, now)
	}
}

// newer says whether an answer announces a later epoch than the followed one.
func (s *state) newer(a answer) bool {
	return s.generation > 0 && a.known && a.epoch > s.followed.epoch
}

// claims says whether m's claim is about the followed master.
func (s *state) claims(m *member) bool {
	return m.claim.what != "" && m.claim.subject == s.followed.addr
}

// counts says whether m's claim is a reason to hold.
func (s *state) counts(m *member) bool {
	if s.backAgain(m) {
		return false
	}
	return s.claims(m) && (!m.claim.ignored || s.corroborated(m))
}

// backAgain: since m began its claim, the master was away for us too and has come
// back; or, of a claim of o_down, another Sentinel has seen it well. A Sentinel
// connects to a node once a second, so it goes on saying o_down for so long, and a
// candidate that was not elected says so for 10 s. Little is risked: o_down promotes
// nobody, nor does a candidate; its election is a step by which the claim counts
// again, two ticks (104 ms) before it acts, as is another +try-failover. A master
// that only the Sentinels cannot reach was never away for us: then all count.
func (s *state) backAgain(m *member) bool {
	c := &m.claim
	if c.cause != causeAnnounced && !c.elected && s.backAt.After(c.raised) {
		return true
	}
	if c.cause != causeODown {
		return false
	}
	for _, n := range s.members {
		if n != m && s.fine(n, c.since) {
			return true
		}
	}
	return false
}

// corroborated: another Sentinel sees something as well.
func (s *state) corroborated(m *member) bool {
	for _, n := range s.members {
		if n == m || !n.up {
			continue
		}
		if s.claims(n) && !n.claim.ignored ||
			n.answer.known && n.answer.subject == s.followed.addr && n.answer.flags&(flagSDown|flagODown) != 0 {
			return true
		}
	}
	return false
}

// claimants gives the members whose claims count, in order.
func (s *state) claimants() []*member {
	var ms []*member
	for _, a := range s.order {
		if m := s.members[a]; s.counts(m) {
			ms = append(ms, m)
		}
	}
	return ms
}

// expireClaims drops claims of Sentinels that have been lost for long, and
// ignores lone claims that are disproved.
func (s *state) expireClaims(now time.Time) {
	for _, m := range s.members {
		if m.claim.what != "" && !m.up && m.tried && now.Sub(m.downSince) >= lostClaimFor && now.Sub(m.claim.since) >= lostClaimFor {
			m.claim = claim{}
		}
	}
	ms := s.claimants()
	if len(ms) == 0 || !s.disproved(ms, now) {
		return
	}
	for _, m := range ms {
		if m.claim.ignored {
			continue
		}
		m.claim.ignored = true
		if m.up || m.forgiven {
			m.distrust = min(max(2*m.distrust, distrustFirst), distrustMax)
			m.distrustUntil = now.Add(m.distrust)
		}
		m.forgiven = true
		s.log(zapcore.WarnLevel, "sentinel claims a failover that no other one sees, ignored",
			zap.String("sentinel", m.addr), zap.String("claim", m.claim.what),
			zap.Duration("stood", now.Sub(m.claim.since)), zap.Duration("ignored_for", m.distrust))
	}
}

// disproved says whether the claims of ms may be ignored, see the rule above.
// ROLE is asked afterwards, by the release.
func (s *state) disproved(ms []*member, now time.Time) bool {
	claiming := make(map[*member]bool)
	var last time.Time
	for _, m := range ms {
		if now.Before(s.due(m)) {
			return false
		}
		claiming[m] = true
		if m.claim.since.After(last) {
			last = m.claim.since
		}
	}
	electors := s.electors()
	own, fine := 0, 0
	for _, m := range electors {
		if claiming[m] {
			own++
		} else if s.fine(m, last) {
			fine++
		}
	}
	return own < majority(len(electors)) && fine >= majority(len(electors)-own)
}

// due is when m's claim, if it makes no further step, can be disproved.
func (s *state) due(m *member) time.Time {
	c, patience := &m.claim, loneFor
	switch {
	case c.elected && m.up && s.newer(m.answer):
		patience = loneMax
	case c.elected:
		patience = electedFor
	}
	due, end := c.progress.Add(patience), c.since.Add(loneMax)
	if end.Before(due) {
		return end
	}
	return due
}

// fine: m has answered since then that nothing is wrong with the followed master.
func (s *state) fine(m *member, since time.Time) bool {
	return m.up && m.asked.After(since) && m.answer.announces(s.followed) && m.answer.flags == 0
}

// undecided: nobody who is a reason to hold leads a failover.
func (s *state) undecided() bool {
	ms := s.claimants()
	for _, m := range ms {
		if m.claim.cause == causeAnnounced || m.claim.elected {
			return false
		}
	}
	return len(ms) > 0
}

// updateHold begins a hold if there is a reason. It never ends one.
func (s *state) updateHold(now time.Time) {
	if s.generation == 0 || s.hold != nil {
		return
	}
	if ms := s.claimants(); len(ms) > 0 {
		m := ms[0]
		for _, n := range ms {
			if n.claim.since.Before(m.claim.since) {
				m = n
			}
		}
		s.beginHold(m.claim.cause, fmt.Sprintf("%s seen by Sentinel %s", m.claim.what, m.addr), now)
		return
	}
	if s.plan != nil {
		s.beginHold(s.plan.cause, s.plan.reason, now)
		return
	}
	if s.outvoted(now) {
		s.beginHold(causeMinority, "fewer than a majority of the Sentinels can be asked", now)
		return
	}
	if t, ripe := s.candidate(now); ripe {
		s.beginHold(causeAnnounced, fmt.Sprintf("a majority of the Sentinels announces %s", t.addr), now)
	}
}

func (s *state) beginHold(cause, reason string, now time.Time) {
	s.hold = &hold{since: now, cause: cause, reason: reason}
	s.holds++
	s.note(now, "hold", reason)
	s.emit(countHold{cause})
	s.emit(askSentinel{})
	s.log(zapcore.WarnLevel, "hold", zap.String("master", s.followed.addr),
		zap.Uint64("epoch", s.followed.epoch), zap.String("reason", reason))
}

// releasable says whether the hold may end without a switch once ROLE says
// master. strict: "cannot say" is then not good enough.
func (s *state) releasable(now time.Time) (ok, strict bool) {
	if len(s.claimants()) > 0 || s.plan != nil || s.outvoted(now) {
		return false, false
	}
	newer, up, same := false, false, false
	var lost time.Time
	for _, m := range s.members {
		newer = newer || s.newer(m.answer) && !m.claim.ignored
		up = up || m.up
		same = same || m.up && m.answer.announces(s.followed)
		if m.downSince.After(lost) {
			lost = m.downSince
		}
	}
	switch {
	case newer:
		// Somebody has announced a later epoch and has not been disproved: then
		// only a quorum can say that the followed master is still the one.
		q := s.count()
		return q.ok && q.target == s.followed, false
	case up:
		return same, false
	default:
		return now.Sub(lost) >= lostClaimFor, true
	}
}

// endHold lets commands flow to the same master again.
func (s *state) endHold(now time.Time) {
	h := s.hold
	s.hold = nil
	s.trail = nil
	s.serving = fmt.Sprintf("the failover did not happen (%s)", h.reason)
	s.log(zapcore.WarnLevel, "release without a switch", zap.String("master", s.followed.addr),
		zap.Uint64("epoch", s.followed.epoch), zap.Duration("held", now.Sub(h.since)), zap.String("reason", h.reason))
}
