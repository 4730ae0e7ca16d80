package fanout

import "slices"

// Ticket stands for a Subscribe that Redis has yet to answer.
type Ticket struct {
	member *Member
	kind   Kind
	names  []string
	seq    uint64 // the place among the line's tickets

	// The line's lock guards the fields below.
	subs    []*Subscription // one for each name; once settled, those that it made live
	state   ticketState
	at      int // its place in the line's waiting or sent
	attempt int // counts how often it was sent; replies to a former attempt do not count
	left    int // commands of this attempt without a reply
}

type ticketState uint8

const (
	waiting   ticketState = iota // to be sent
	sent                         // commands of it are in flight
	settled                      // Redis has answered
	cancelled                    // by Cancel, Leave or Rejected
)

// Kind returns what the names are.
func (t *Ticket) Kind() Kind { return t.kind }

// Names returns the names as Subscribe got them.
func (t *Ticket) Names() []string { return t.names }

// Live says whether the ticket has not been cancelled. It may be called with the
// subscriber's lock held.
func (t *Ticket) Live() bool {
	t.member.line.mu.Lock()
	defer t.member.line.mu.Unlock()
	return t.state != cancelled
}

// tickets is a set of them.
type tickets []*Ticket

func (s *tickets) add(t *Ticket, state ticketState) {
	t.state, t.at = state, len(*s)
	*s = append(*s, t)
}

func (s *tickets) remove(t *Ticket) {
	n := len(*s) - 1
	last := (*s)[n]
	(*s)[t.at], last.at = last, t.at
	(*s)[n] = nil
	if *s = (*s)[:n]; n == 0 && cap(*s) > 64 {
		*s = nil
	}
}

// inOrder returns the tickets in the order in which they were issued.
func (s tickets) inOrder() []*Ticket {
	return slices.SortedFunc(slices.Values(s), func(a, b *Ticket) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
}

// issue makes a ticket. l.mu must be held.
func (l *line) issue(m *Member, kind Kind, names []string) *Ticket {
	l.seq++
	t := &Ticket{member: m, kind: kind, names: names, seq: l.seq, subs: make([]*Subscription, len(names))}
	for i, name := range names {
		s := l.subscription(m, kind, name)
		s.pending++ // twice, if it is named twice: settle counts in the same way
		t.subs[i] = s
	}
	m.tickets = append(m.tickets, t)
	l.waiting.add(t, waiting)
	return t
}

// sendTickets sends what waits, in order, once all else is restored.
func (l *line) sendTickets() {
	if len(l.waiting) == 0 || !l.open() || l.restore.on {
		return
	}
	for _, t := range l.waiting.inOrder() {
		if !l.sendTicket(t) {
			return
		}
	}
}

// sendTicket asks Redis for the names of t that are not subscribed: what is, the
// user may read, for Redis ends a connection that reads more than it may. At least
// one command is sent, so that the answer always comes from the connection's reader,
// in order, and never from within a call of the subscriber's.
func (l *line) sendTicket(t *Ticket) bool {
	topics := make([]*topic, 0, len(t.subs))
	for _, s := range t.subs {
		if !s.topic.live && s.Live() {
			topics = append(topics, s.topic)
		}
	}
	var commands []*command
	for rest := topics; len(rest) > 0 || len(commands) == 0; {
		var head []*topic
		head, rest = chunk(t.kind, rest)
		commands = append(commands, &command{line: l, role: asking, kind: t.kind, topics: head, ticket: t, attempt: t.attempt})
	}
	if !l.send(commands...) {
		return false
	}
	t.left = len(commands)
	l.waiting.remove(t)
	l.sent.add(t, sent)
	for _, topic := range topics {
		topic.asked = true
	}
	return true
}

// asked takes Redis' answer to a command of a ticket.
func (l *line) asked(c *command, frame []byte, n *news) {
	refused := frame[0] == '-' && len(c.topics) > 0
	if !refused {
		c.confirm()
	}
	t := c.ticket
	if t.state != sent || t.attempt != c.attempt {
		return
	}
	if t.left--; t.left == 0 || refused {
		l.sent.remove(t)
		l.settle(t, refused)
		var refusal []byte
		if refused {
			refusal = frame
		}
		*n = append(*n, t.tell(refusal))
	}
	l.sendDrops()
}

// settle brings the names of t to where Redis' answer has them.
func (l *line) settle(t *Ticket, refused bool) {
	t.state = settled
	made := t.subs[:0]
	for _, s := range t.subs {
		s.pending--
		switch {
		case !s.Live():
		case refused:
			l.release(s)
		case s.enliven():
			made = append(made, s)
		}
	}
	clear(t.subs[len(made):])
	t.subs = made
	t.member.closeTicket(t)
}

// release ends s if neither Redis' confirmation nor a ticket is left to hold it.
func (l *line) release(s *Subscription) {
	if s.at < 0 && s.pending == 0 {
		l.end(s)
	}
}

// cancel takes t back, whether Redis has answered or not.
func (l *line) cancel(t *Ticket) {
	switch t.state {
	case cancelled:
		return
	case settled: // and its subscriber has not heard of it yet
		for _, s := range t.subs {
			if s.Live() {
				s.deaden()
				l.release(s)
			}
		}
		t.state, t.subs = cancelled, nil
		return
	case waiting:
		l.waiting.remove(t)
	case sent:
		l.sent.remove(t)
	}
	for _, s := range t.subs {
		if s.pending--; s.Live() {
			l.release(s)
		}
	}
	t.state, t.subs = cancelled, nil
	t.member.closeTicket(t)
}

// again has a ticket sent anew whose commands will get no reply.
func (l *line) again(t *Ticket) {
	l.sent.remove(t)
	t.attempt++
	l.waiting.add(t, waiting)
}
