package replicas

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// state is the pure core. step is its only door; it is used by one goroutine.
type state struct {
	poll, pollHolding, maxLag time.Duration

	master  string // who serves now; empty if nobody
	samples []sample
	nodes   map[string]*member // the candidates, and the master
	listing bool
	listAt  time.Time // when the Sentinels were asked last

	oddUntil time.Time
	set      topology.Replicas // as last published
	effects  []effect
}

// sample is what the master had at one moment: at least this much.
type sample struct {
	at     time.Time
	replID string
	offset int64
}

// member is one node and what it last said.
type member struct {
	addr    string
	said    node.Said
	asking  bool
	askedAt time.Time
	listed  time.Time // when somebody last listed it as a replica; zero: never

	misses  int       // questions in a row without an answer
	fresh   time.Time // it has all that the master had then
	good    time.Time // since when nothing is wrong with it; zero: something is
	was     bool      // it was good before
	fit     bool
	doubted bool // by the data path, since its last answer
	strikes int  // doubts that its own answers did not bear out
	strike  time.Time
	outTill time.Time // after too many of them
	why     string    // why it is not fit
}

// inputs
type (
	// served: this is the master that serves now, or "".
	served struct{ master string }
	// said: a node answered a question that was sent at asked.
	said struct {
		addr  string
		asked time.Time
		node.Said
	}
	// listed: these are replicas by a majority of the Sentinels. failed: no majority answered.
	listed struct {
		addrs  []string
		failed bool
	}
	// doubted: the data path distrusts a node.
	doubted struct{ addr string }
	ticked  struct{}
)

// effects
type effect interface{ isEffect() }

type (
	publish struct{ set topology.Replicas }
	ask     struct{ addr string }
	list    struct{}
	forget  struct{ addr string }
	logLine struct {
		level  zapcore.Level
		text   string
		fields []zap.Field
	}
)

func (publish) isEffect() {}
func (ask) isEffect()     {}
func (list) isEffect()    {}
func (forget) isEffect()  {}
func (logLine) isEffect() {}

const (
	// comeBack is how long one that was out must be well before it is fit again.
	comeBack = time.Second
	// forgetAfter is how long one that nobody lists any more is remembered.
	forgetAfter = 30 * time.Second
	// oddAfter is how long to ask more often after a sign of trouble.
	oddAfter = 5 * time.Second
	// doubtGap is the least time between two questions that the data path causes.
	doubtGap = 20 * time.Millisecond
	// maxStrikes doubts, none of them longer than strikeGap after the one before, put a node
	// out for outFor although it says itself that it is well.
	maxStrikes = 8
	strikeGap  = 2 * time.Second
	outFor     = 5 * time.Second
	// listPolls is how many times less often Sentinels are asked than nodes.
	listPolls  = 2
	maxSamples = 256
)

func newState(o *Options) *state {
	s := &state{poll: o.Poll, pollHolding: o.PollHolding, maxLag: o.MaxLag, nodes: map[string]*member{}}
	s.set.Reason = s.reason()
	return s
}

// step takes one input at the given time and returns what is to be done.
func (s *state) step(in any, now time.Time) []effect {
	s.effects = nil
	switch in := in.(type) {
	case served:
		s.onServed(in, now)
	case said:
		s.onSaid(in, now)
	case listed:
		s.listing = false
		if !in.failed {
			s.note(in.addrs, now)
		}
	case doubted:
		s.onDoubted(in, now)
	case ticked:
	}
	s.judgeAll(now)
	s.forgetOld(now)
	s.schedule(now)
	s.show()
	return s.effects
}

func (s *state) onServed(in served, now time.Time) {
	if in.master == s.master {
		return
	}
	s.master = in.master
	s.oddUntil = now.Add(oddAfter)
	if in.master != "" && s.nodes[in.master] == nil {
		s.nodes[in.master] = &member{addr: in.master}
	}
}

// note takes a list of replicas.
func (s *state) note(addrs []string, now time.Time) {
	for _, addr := range addrs {
		m := s.nodes[addr]
		if m == nil {
			m = &member{addr: addr}
			s.nodes[addr] = m
		}
		m.listed = now
	}
}

func (s *state) onSaid(in said, now time.Time) {
	m := s.nodes[in.addr]
	if m == nil {
		return
	}
	m.asking, m.said = false, in.Said
	if in.Role == node.Silent {
		m.misses++
		if m.fit || m.addr == s.master {
			s.oddUntil = now.Add(oddAfter)
		}
		return
	}
	m.misses, m.doubted = 0, false
	switch {
	case in.Role == node.Master && in.addr == s.master && in.Offset >= 0 && in.ReplID != "":
		s.samples = append(s.samples, sample{in.asked, in.ReplID, in.Offset})
		s.samples = s.samples[max(0, len(s.samples)-maxSamples):]
	case in.Role == node.Replica:
		s.measure(m)
	}
}

// measure finds the last moment of which the replica has all. A replica that was asked
// before the master may be measured anew when the master has answered.
func (s *state) measure(m *member) {
	for i := len(s.samples) - 1; i >= 0; i-- {
		p := s.samples[i]
		if p.replID == m.said.ReplID && p.offset <= m.said.Offset {
			if p.at.After(m.fresh) {
				m.fresh = p.at
			}
			return
		}
	}
}

func (s *state) onDoubted(in doubted, now time.Time) {
	m := s.nodes[in.addr]
	if m == nil {
		return
	}
	s.oddUntil = now.Add(oddAfter)
	if now.Sub(m.strike) > strikeGap {
		m.strikes = 0
	}
	if m.strikes++; m.strikes >= maxStrikes && m.fit {
		m.strikes, m.outTill = 0, now.Add(outFor)
	}
	m.strike, m.doubted = now, true
	if now.Sub(m.askedAt) >= doubtGap {
		m.askedAt = time.Time{}
	}
}

// judgeAll decides who is fit.
func (s *state) judgeAll(now time.Time) {
	for _, addr := range s.addresses() {
		m := s.nodes[addr]
		m.why = s.fault(m, now)
		switch {
		case m.why != "":
			m.good = time.Time{}
		case m.good.IsZero():
			m.good = now
		}
		was := m.fit
		m.fit = m.why == "" && (m.fit || !m.was || now.Sub(m.good) >= comeBack)
		if m.why == "" && !m.fit {
			m.why = "it has just come back"
		}
		m.was = m.was || m.fit
		switch {
		case m.fit && !was:
			s.log(zapcore.InfoLevel, "replica in", zap.String("replica", addr), zap.Duration("lag", now.Sub(m.fresh)))
		case was && !m.fit:
			s.log(zapcore.WarnLevel, "replica out", zap.String("replica", addr), zap.String("reason", m.why))
		}
	}
}

// fault says what is wrong with a node as a replica to read from; "" if nothing is.
func (s *state) fault(m *member, now time.Time) string {
	d := m.said
	switch {
	case d.Role == node.Unasked:
		return "it has not answered yet"
	case d.Role == node.Silent && (m.misses > 1 || m.doubted || !m.fit):
		return "no answer: " + d.Detail
	case d.Role == node.Silent:
	case d.Role != node.Replica:
		return "it says: " + d.Role.String()
	case d.Offset < 0:
		return "it refuses INFO replication, so its lag cannot be known; its user needs +info"
	case d.Syncing:
		return "it is being given a whole copy"
	case !d.LinkUp && !m.fit:
		return "its link to the master is down"
	}
	switch lag := now.Sub(m.fresh); {
	case m.fresh.IsZero():
		return "its lag is not known yet"
	case lag > s.maxLag:
		return fmt.Sprintf("it lags by %v", lag.Round(100*time.Millisecond))
	case now.Before(m.outTill):
		return "connections to it fail again and again"
	}
	return ""
}

// forgetOld forgets who is no master and was not listed for long.
func (s *state) forgetOld(now time.Time) {
	for addr, m := range s.nodes {
		if addr != s.master && now.Sub(m.listed) > forgetAfter {
			delete(s.nodes, addr)
			s.emit(forget{addr})
		}
	}
}

func (s *state) pace(now time.Time) time.Duration {
	if now.Before(s.oddUntil) {
		return min(s.poll, s.pollHolding)
	}
	return s.poll
}

// schedule puts the questions whose time has come.
func (s *state) schedule(now time.Time) {
	every := s.pace(now)
	if !s.listing && !now.Before(s.listAt.Add(listPolls*every)) {
		s.listing, s.listAt = true, now
		s.emit(list{})
	}
	for _, addr := range s.addresses() {
		if m := s.nodes[addr]; !m.asking && !now.Before(m.askedAt.Add(every)) {
			m.asking, m.askedAt = true, now
			s.emit(ask{addr})
		}
	}
}

// deadline is when step wants a ticked input if nothing else happens before.
func (s *state) deadline(now time.Time) time.Time {
	every := s.pace(now)
	first := now.Add(every)
	at := func(t time.Time) {
		if t.After(now) && t.Before(first) {
			first = t
		}
	}
	for _, m := range s.nodes {
		if !m.asking {
			at(m.askedAt.Add(every))
		}
		if m.fit {
			at(m.fresh.Add(s.maxLag + time.Millisecond))
		}
		if !m.good.IsZero() {
			at(m.good.Add(comeBack))
		}
	}
	return first
}

// show publishes the set if it has changed.
func (s *state) show() {
	set := topology.Replicas{Master: s.master}
	for _, addr := range s.addresses() {
		if s.nodes[addr].fit {
			set.Fit = append(set.Fit, addr)
		}
	}
	if len(set.Fit) == 0 {
		set.Reason = s.reason()
	}
	if set.Master != s.set.Master || set.Reason != s.set.Reason || !slices.Equal(set.Fit, s.set.Fit) {
		s.set = set
		s.emit(publish{set})
	}
}

// reason says why nobody is fit. It has no figures that change all the time.
func (s *state) reason() string {
	var says []string
	for _, addr := range s.addresses() {
		if addr != s.master {
			why, _, _ := strings.Cut(s.nodes[addr].why, " by ")
			says = append(says, addr+": "+why)
		}
	}
	if says == nil {
		return "no replica is known"
	}
	return "no replica is fit: " + strings.Join(says, ", ")
}

// addresses gives the known nodes in a fixed order.
func (s *state) addresses() []string {
	all := make([]string, 0, len(s.nodes))
	for addr := range s.nodes {
		all = append(all, addr)
	}
	slices.Sort(all)
	return all
}

func (s *state) emit(e effect) { s.effects = append(s.effects, e) }

func (s *state) log(level zapcore.Level, text string, fields ...zap.Field) {
	s.emit(logLine{level: level, text: text, fields: fields})
}
