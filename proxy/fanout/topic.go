package fanout

import "sync/atomic"

// topic is a name that somebody wants, or wanted, on one line. The line's lock
// guards it.
//
// asked and live are what is known of the line's connection. The commands on it
// run in their order, so what counts for asked is the last one that was sent. A
// topic that nobody wants leaves the line's map when its UNSUBSCRIBE is sent: who
// wants the name then gets a new topic, and a SUBSCRIBE behind that UNSUBSCRIBE.
type topic struct {
	kind Kind
	name string

	subs []*Subscription // those that are to get its messages, in no order
	refs int             // subscriptions that hold it, those that wait for Redis included

	asked  bool // Redis may have it subscribed
	live   bool // Redis has it subscribed, and nothing was sent to change that
	doomed bool // in the line's drops
}

// Subscription is one member's subscription of one name.
type Subscription struct {
	topic  *topic
	member *Member
	over   atomic.Bool

	at      int32 // the place in topic.subs; -1 while it is not there
	pending int32 // unanswered tickets that name it
}

// Live says whether the subscription has not been ended. Where Unsubscribe is called
// and Live is asked under one lock, the subscriber's, no message gets past an
// Unsubscribe that has returned.
func (s *Subscription) Live() bool { return !s.over.Load() }

// Kind returns what its name is.
func (s *Subscription) Kind() Kind { return s.topic.kind }

// Name returns the channel or pattern that was subscribed.
func (s *Subscription) Name() string { return s.topic.name }

// enliven lets s get messages. It returns false if it does already.
func (s *Subscription) enliven() bool {
	if s.at >= 0 {
		return false
	}
	s.at = int32(len(s.topic.subs))
	s.topic.subs = append(s.topic.subs, s)
	s.member.live++
	return true
}

// deaden lets s get no more messages.
func (s *Subscription) deaden() {
	if s.at < 0 {
		return
	}
	t := s.topic
	n := len(t.subs) - 1
	last := t.subs[n]
	t.subs[s.at], last.at = last, s.at
	t.subs[n] = nil
	t.subs = t.subs[:n]
	if c := cap(t.subs); c > 64 && n < c/4 {
		t.subs = append(make([]*Subscription, 0, c/2), t.subs...)
	}
	s.at = -1
	s.member.live--
}

// end ends s altogether.
func (l *line) end(s *Subscription) {
	s.over.Store(true)
	s.deaden()
	delete(s.member.subs[s.topic.kind], s.topic.name)
	if s.topic.refs--; s.topic.refs == 0 {
		l.doom(s.topic)
	}
}

// doom has a topic unsubscribed that nobody wants, at the next sendDrops.
func (l *line) doom(t *topic) {
	switch {
	case !t.asked || l.conn == nil:
		l.forget(t)
	case !t.doomed:
		t.doomed = true
		l.drops = append(l.drops, t)
	}
}

// forget takes t out of the map, unless another one has taken its place.
func (l *line) forget(t *topic) {
	if l.topics[t.kind][t.name] == t {
		delete(l.topics[t.kind], t.name)
	}
}

// subscription returns m's subscription of a name, a new one if need be, which gets
// no messages yet.
func (l *line) subscription(m *Member, kind Kind, name string) *Subscription {
	if s := m.subs[kind][name]; s != nil {
		return s
	}
	t := l.topics[kind][name]
	if t == nil {
		t = &topic{kind: kind, name: name}
		if l.topics[kind] == nil {
			l.topics[kind] = make(map[string]*topic)
		}
		l.topics[kind][name] = t
	}
	t.refs++
	s := &Subscription{topic: t, member: m, at: -1}
	if m.subs[kind] == nil {
		m.subs[kind] = make(map[string]*Subscription)
	}
	m.subs[kind][t.name] = s
	return s
}
