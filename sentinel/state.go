package sentinel

import (
	"time"

	"go.uber.org/zap/zapcore"

	"go.uber.org/zap"

	"steadis/sentinel/topology"
)

// target is one announcement: this address is the master since that epoch.
type target struct {
	addr  string
	epoch uint64
}

// state is the pure core: who is the master, by what the Sentinels said so far.
// It holds no goroutine, socket, clock or logger; step is its only door, time
// comes in as an argument, and everything that it wants done goes out as effects.
// It is used by one goroutine.
//
// The files around it hold one question each: quorum.go who is announced,
// hold.go whether commands may flow meanwhile, follow.go when to move,
// learn.go which further Sentinels to listen to, mood.go what to complain about
// and how often to ask.
type state struct {
	master string // the name
	// poll and pollHolding are Options.Poll and Options.PollHolding.
	poll, pollHolding time.Duration

	// members are the Sentinels by dialled address; order lists the configured
	// ones as configured, then the learned ones.
	members map[string]*member
	order   []string
	// wanted is a list of Sentinels that is to be the configured one, since wantedSince;
	// nil if there is none (reload.go).
	wanted      []string
	wantedSince time.Time

	// followed is the announcement that the data path works by, generation
	// counts them. generation 0 means that none has been verified yet.
	followed   target
	generation uint64
	// hold is non-nil while nothing new may be sent to followed.addr.
	hold *hold
	plan *plan // a change of master that is wanted
	// minorityHolds and fences are Options.HoldWithoutMajority and Options.Fence.
	minorityHolds, fences bool
	minoritySince         time.Time // since when no majority answers; zero if one does
	fenced                string    // the master for which a fence is up
	// asking is the ROLE question under way, if any. A new one gets a new id, so
	// that a late answer to a former one is recognised.
	asking   *asking
	lastRole uint64
	said     saying // the last answer, so that the same one is logged once
	// away: the followed master gave no answer when it was last asked. backAt is
	// when it last said master after that, or after it had owed the answer for long; owed is
	// what it owes now, oldest first.
	away   bool
	backAt time.Time
	owed   []owed
	// backward is a lower epoch on which all agree, and since when.
	backward      target
	backwardSince time.Time
	// doubtAt is when the data path last doubted; wantRole that the followed
	// master is to be asked for its ROLE because of it.
	doubtAt  time.Time
	wantRole bool

	view    topology.View // as last published
	serving string        // the reason that a serving view carries

	trail    []SwitchPhase // steps of the failover that may be under way
	switches []Switch
	holds    uint64
	// downAt and begunAt are when a Sentinel last said of the followed master that a quorum
	// finds it down, and that its failover has begun.
	downAt, begunAt time.Time
	replicas        []replica // as listed last

	mood    mood
	effects []effect
}

// member is one Sentinel and what it said last.
type member struct {
	addr string
	// learned members were listed by a majority of the configured ones under
	// listedAs; they are not configured.
	learned  bool
	listedAs string
	// joining: wanted, but not configured yet. It has no vote.
	joining bool
	// runid is what it says itself, empty while unknown.
	runid string
	// up: the last question was answered. asked and at are when the last
	// answered question was sent and answered, downSince when up ended.
	up        bool
	asked, at time.Time
	downSince time.Time
	why       string // the last failure
	tried     bool   // at least one question has been answered or has failed

	subscribed, forbidden bool
	refused               string // why SUBSCRIBE is forbidden

	answer answer // the last one, kept when the Sentinel is lost
	// flagged is since when its answers carry flags that mean trouble.
	flagged time.Time
	peers   []peer
	pace    time.Duration

	// agreed: it has announced what we follow. Only who agreed before can turn.
	agreed bool
	claim  claim
	// chatter counts the lines about its connections.
	chatter chatter
	// distrustUntil and distrust: its last lone claim came to nothing, so new
	// ones are ignored until then; distrust is the time it gets next.
	distrustUntil time.Time
	distrust      time.Duration
	// forgiven: its last lone claim came to nothing, and the next will not be forgiven.
	forgiven bool
}

func newState(o *Options, now time.Time) *state {
	s := &state{
		master: o.Master, poll: o.Poll, pollHolding: o.PollHolding,
		minorityHolds: o.HoldWithoutMajority, fences: o.Fence,
		members: make(map[string]*member),
		mood:    mood{began: now},
		view:    topology.View{Phase: topology.Unknown, Since: now, Reason: reasonNobodyYet},
	}
	for _, a := range o.Addresses {
		s.members[a] = &member{addr: a}
		s.order = append(s.order, a)
	}
	return s
}

// step takes one input at the given time and returns what is to be done. now
// must not go back.
func (s *state) step(in input, now time.Time) []effect {
	s.effects = nil
	switch in := in.(type) {
	case answered:
		s.onAnswered(in, now)
	case failed:
		s.onFailed(in, now)
	case subscription:
		s.onSubscription(in, now)
	case heard:
		s.onHeard(in, now)
	case listed:
		s.onListed(in)
	case replicated:
		s.onReplicated(in)
	case roleSaid:
		s.onRoleSaid(in, now)
	case doubted:
		s.onDoubted(in, now)
	case planned:
		s.onPlanned(in)
	case unplanned:
		s.plan = nil
	case reconfigured:
		s.onReconfigured(in, now)
	case ticked:
	}
	s.decide(now)
	return s.effects
}

// decide draws every conclusion that the state allows. It is idempotent: with
// nothing new it does nothing.
func (s *state) decide(now time.Time) {
	s.updateConfigured(now)
	s.expireClaims(now)
	s.updatePlan(now)
	s.updateMinority(now)
	// A switch changes what claims and announcements mean, so once more then.
	for {
		s.updateHold(now)
		if !s.pursue(now) {
			break
		}
	}
	s.updateFence()
	s.show(now)
	s.updateMood(now)
	s.updateChatter(now)
}

func (s *state) onAnswered(in answered, now time.Time) {
	m := s.members[in.from]
	if m == nil {
		return // of a session that has been closed since
	}
	if !m.up {
		s.say(m, now, zapcore.InfoLevel, "sentinel connected",
			zap.Bool("learned", m.learned), zap.String("master", in.answer.addr),
			zap.Uint64("epoch", in.answer.epoch), zap.String("flags", in.answer.raw))
	}
	m.up, m.tried, m.why = true, true, ""
	m.asked, m.at = in.asked, now
	if in.runid != "" && in.runid != m.runid {
		m.runid = in.runid
		s.updateLearned()
	}
	before := m.answer
	m.answer = in.answer
	s.noteSigns(m.answer, now)
	if before.addr != in.answer.addr && s.generation > 0 && s.newer(in.answer) {
		s.note(now, "announces "+in.answer.addr, m.addr)
	}
	if m.answer.flags == 0 {
		m.flagged = time.Time{}
	} else if m.flagged.IsZero() {
		m.flagged = now
	}
	s.updateClaim(m, now)
	m.agreed = s.generation > 0 && in.answer.announces(s.followed)
}

func (s *state) onFailed(in failed, now time.Time) {
	m := s.members[in.from]
	if m == nil {
		return
	}
	if m.up || !m.tried {
		m.downSince = now
		s.say(m, now, zapcore.WarnLevel, "sentinel lost",
			zap.Bool("learned", m.learned), zap.String("error", in.why))
	}
	m.up, m.tried, m.why = false, true, in.why
}

func (s *state) onSubscription(in subscription, now time.Time) {
	m := s.members[in.from]
	if m == nil || (m.subscribed == in.on && m.forbidden == in.forbidden) {
		return
	}
	if in.forbidden && !m.forbidden {
		s.say(m, now, zapcore.WarnLevel, "sentinel refuses SUBSCRIBE, polling only", zap.String("error", in.why))
	} else if in.on {
		s.say(m, now, zapcore.InfoLevel, "sentinel subscribed")
	}
	m.subscribed, m.forbidden, m.refused = in.on, in.forbidden, ""
	if in.forbidden {
		m.refused = in.why
	}
}

func (s *state) onHeard(in heard, now time.Time) {
	m := s.members[in.from]
	ev := in.event
	if m == nil || (ev.master != "" && ev.master != s.master) {
		return
	}
	if ev.concernsAll() {
		s.emit(askSentinel{})
		s.mood.oddFor(now, oddAfterEvent)
	} else {
		s.emit(askSentinel{addr: m.addr})
	}
	if ev.isStep() && ev.subject == s.followed.addr {
		s.note(now, ev.name, m.addr)
		if ev.name == "+odown" {
			s.downAt = now
		} else {
			s.begunAt = now
		}
	}
	if ev.isStage() {
		m.claim.progressed(ev.name, now)
	}
	if ev.beginsFailover() {
		s.claimByEvent(m, ev, now)
	}
}

func (s *state) onListed(in listed) {
	m := s.members[in.from]
	if m == nil || m.learned {
		return // only a configured Sentinel introduces others
	}
	m.peers = in.peers
	s.updateLearned()
}

func (s *state) onDoubted(in doubted, now time.Time) {
	s.mood.oddFor(now, oddAfterDoubt)
	if now.Sub(s.doubtAt) < doubtGap && !s.doubtAt.IsZero() {
		return // a storm of doubts is one doubt; fast polling goes on anyway
	}
	s.doubtAt = now
	s.emit(askSentinel{})
	if in.generation == s.generation && s.generation > 0 && s.hold == nil {
		s.wantRole = true
	}
}

func (s *state) emit(e effect) { s.effects = append(s.effects, e) }

func (s *state) log(level zapcore.Level, text string, fields ...zap.Field) {
	s.emit(logLine{level: level, text: text, fields: fields})
}

// note adds a step to the trail of the failover that may be under way.
func (s *state) note(now time.Time, name, by string) {
	if len(s.trail) < maxTrail {
		s.trail = append(s.trail, SwitchPhase{At: now, Name: name, By: by})
	}
}

const (
	maxTrail    = 24
	maxSwitches = 50
	// doubtGap is the least time between two rounds of questions that the data
	// path causes.
	doubtGap = 20 * time.Millisecond
)
