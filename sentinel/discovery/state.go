package discovery

import (
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// state is the pure core: who is the master, by the record and by what nodes say of
// themselves. step is its only door, time comes in as an argument, and everything that
// it wants done goes out as effects. It is used by one goroutine.
//
// choose.go says whom to follow, hold.go when to hold, show.go what to tell people.
type state struct {
	poll, pollHolding time.Duration
	resolves          bool
	endpoint          string // for people

	// record is what the endpoint stands for, as of the last answer; recordSince since
	// when it has been so. whyNot is why the last question was not answered.
	record      []string
	recordSince time.Time
	whyNot      string
	resolving   bool
	resolvedAt  time.Time // when it was last asked

	nodes map[string]*member
	// followed is the master that the data path works by, generation counts them. 0
	// means that none has been verified yet.
	followed   string
	epoch      uint64
	generation uint64
	hold       *hold
	// unheeded: a hold because of this record came to nothing.
	unheeded bool

	began, oddUntil time.Time

	view     topology.View
	serving  string // the reason that a serving view carries
	trail    []topology.Step
	switches []topology.Switch
	holds    uint64

	complaint, logged string
	complaintSince    time.Time

	effects []effect
}

// member is one node and what it last said.
type member struct {
	addr    string
	said    node.Said
	asking  bool      // a question is under way
	askedAt time.Time // when it was last asked; zero: ask at once
	at      time.Time // when it last answered, or failed to

	misses      int       // questions in a row without an answer
	troubleFrom time.Time // since when it has not said master; zero while it does
	// deposed: it was followed and then replaced. demoted: it has said since that it is
	// a replica, so that a later "master" is a new promotion.
	deposed, demoted bool
}

func newState(o *Options, now time.Time) *state {
	s := &state{poll: o.Poll, pollHolding: o.PollHolding, resolves: o.Resolves, endpoint: endpoint(o.Addresses),
		nodes: map[string]*member{}, began: now}
	if !o.Resolves {
		s.record, s.recordSince = slices.Clone(o.Addresses), now
	}
	s.view = topology.View{Phase: topology.Unknown, Since: now, Reason: s.unknown()}
	return s
}

// step takes one input at the given time and returns what is to be done. now must not
// go back.
func (s *state) step(in input, now time.Time) []effect {
	s.effects = nil
	switch in := in.(type) {
	case resolved:
		s.onResolved(in, now)
	case said:
		s.onSaid(in, now)
	case doubted:
		s.onDoubted(in, now)
	case ticked:
	}
	if t := s.choice(now); t != "" && t != s.followed {
		s.follow(t, now)
	}
	s.updateHold(now)
	s.updateMembers()
	s.schedule(now)
	s.show(now)
	s.complain(now)
	return s.effects
}

func (s *state) onResolved(in resolved, now time.Time) {
	s.resolving = false
	s.whyNot = in.why
	if in.why != "" || slices.Equal(in.record, s.record) {
		return
	}
	first := s.record == nil
	level := zapcore.WarnLevel
	if first {
		level = zapcore.InfoLevel
	}
	s.log(level, "the name leads to", zap.String("name", s.endpoint), zap.Strings("addresses", in.record), zap.Strings("before", s.record))
	s.record, s.recordSince, s.unheeded = in.record, now, false
	if s.generation > 0 {
		s.note(now, "the name leads to "+join(in.record))
		s.oddFor(now)
	}
}

func (s *state) onSaid(in said, now time.Time) {
	m := s.nodes[in.addr]
	if m == nil {
		return // nobody wants to know any more
	}
	before := m.said.Role
	m.asking, m.said, m.at = false, in.Said, now
	if in.Role == node.Silent {
		m.misses++
	} else {
		m.misses = 0
	}
	switch {
	case in.Role == node.Master:
		m.troubleFrom = time.Time{}
	case m.troubleFrom.IsZero():
		m.troubleFrom = now
	}
	m.demoted = m.demoted || m.deposed && in.Role == node.Replica
	if in.Role != before {
		s.log(levelOf(in.Role), "role", zap.String("node", in.addr), zap.Stringer("role", in.Role), zap.String("detail", in.Detail))
		if s.generation > 0 {
			s.note(now, in.addr+": "+in.Role.String())
		}
	}
}

func levelOf(r node.Role) zapcore.Level {
	if r == node.CannotSay {
		return zapcore.WarnLevel
	}
	return zapcore.InfoLevel
}

func (s *state) onDoubted(in doubted, now time.Time) {
	s.oddFor(now)
	if m := s.nodes[s.followed]; m != nil && in.generation == s.generation && now.Sub(m.askedAt) >= doubtGap {
		m.askedAt, s.resolvedAt = time.Time{}, time.Time{} // at once
	}
}

const (
	// oddAfter is how long to ask more often after a sign of trouble.
	oddAfter = 5 * time.Second
	// oddAtStart is the same after the start, while no master is known.
	oddAtStart = 30 * time.Second
	// doubtGap is the least time between two rounds of questions that the data path causes.
	doubtGap = 20 * time.Millisecond
	// deposedShare is how much less often a deposed node is asked than others.
	deposedShare = 5
	// maxDeposed bounds how many of them are remembered.
	maxDeposed  = 4
	maxTrail    = 24
	maxSwitches = 16
)

func (s *state) oddFor(now time.Time) { s.oddUntil = now.Add(oddAfter) }

// odd says whether to ask more often than usual.
func (s *state) odd(now time.Time) bool {
	if s.hold != nil || now.Before(s.oddUntil) {
		return true
	}
	if s.generation == 0 {
		return now.Sub(s.began) < oddAtStart
	}
	m := s.nodes[s.followed]
	return m != nil && m.said.Role == node.Silent
}

func (s *state) pace(now time.Time) time.Duration {
	if s.odd(now) {
		return min(s.poll, s.pollHolding)
	}
	return s.poll
}

// updateMembers makes the nodes known that are to be asked, and forgets the others: the
// record's, the followed one, and deposed ones.
func (s *state) updateMembers() {
	wanted := slices.Clone(s.record)
	if s.followed != "" {
		wanted = append(wanted, s.followed)
	}
	for _, addr := range wanted {
		if s.nodes[addr] == nil {
			s.nodes[addr] = &member{addr: addr}
		}
	}
	var deposed []*member
	for addr, m := range s.nodes {
		switch {
		case slices.Contains(wanted, addr):
		case m.deposed:
			deposed = append(deposed, m)
		default:
			s.forget(addr)
		}
	}
	if len(deposed) > maxDeposed {
		slices.SortFunc(deposed, func(a, b *member) int { return a.at.Compare(b.at) })
		s.forget(deposed[0].addr)
	}
}

func (s *state) forget(addr string) {
	delete(s.nodes, addr)
	s.emit(forget{addr})
}

// dueAt is when a node is to be asked again.
func (s *state) dueAt(m *member, now time.Time) time.Time {
	every := s.pace(now)
	if m.deposed && m.addr != s.followed && !slices.Contains(s.record, m.addr) {
		every = deposedShare * s.poll
	}
	return m.askedAt.Add(every)
}

// schedule puts the questions whose time has come.
func (s *state) schedule(now time.Time) {
	if s.resolves && !s.resolving && !now.Before(s.resolvedAt.Add(s.pace(now))) {
		s.resolving, s.resolvedAt = true, now
		s.emit(resolve{})
	}
	for _, addr := range s.addresses() {
		if m := s.nodes[addr]; !m.asking && !now.Before(s.dueAt(m, now)) {
			m.asking, m.askedAt = true, now
			s.emit(ask{addr})
		}
	}
}

// addresses gives the known nodes in a fixed order.
func (s *state) addresses() []string {
	var all []string
	for addr := range s.nodes {
		all = append(all, addr)
	}
	slices.Sort(all)
	return all
}

// deadline is when step wants a ticked input if nothing else happens before.
func (s *state) deadline(now time.Time) time.Time {
	first := now.Add(s.poll)
	at := func(t time.Time) {
		if t.After(now) && t.Before(first) {
			first = t
		}
	}
	if s.resolves && !s.resolving {
		at(s.resolvedAt.Add(s.pace(now)))
	}
	for _, m := range s.nodes {
		if !m.asking {
			at(s.dueAt(m, now))
		}
		if !m.troubleFrom.IsZero() {
			at(m.troubleFrom.Add(awayFor))
			at(m.troubleFrom.Add(backwardFor))
		}
	}
	at(s.oddUntil)
	at(s.recordSince.Add(settleFor))
	at(s.recordSince.Add(backwardFor))
	at(s.complaintSince.Add(complainAfter))
	if s.hold != nil {
		at(s.hold.since.Add(recordHold))
	}
	return first
}

func (s *state) emit(e effect) { s.effects = append(s.effects, e) }

func (s *state) log(level zapcore.Level, text string, fields ...zap.Field) {
	s.emit(logLine{level: level, text: text, fields: fields})
}

// note adds a step to the trail of the failover that may be under way.
func (s *state) note(now time.Time, name string) {
	if len(s.trail) < maxTrail {
		s.trail = append(s.trail, topology.Step{At: now, Name: name})
	}
}
