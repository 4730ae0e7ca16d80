package fanout

import (
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// restoreWindow is how many commands of a restoration are in flight: enough to keep
// Redis busy, and few enough to leave room for its other clients.
const restoreWindow = 4

// restoration brings the subscriptions to a new connection. The line's lock guards
// it. Only the connection's reader, the link's events and Tick move it on, never a
// call of a subscriber's, because its end is told to subscribers.
type restoration struct {
	on       bool
	queue    []batch
	inFlight int
	busy     bool      // Redis runs a script and answers nothing else: Tick tries again
	members  []*Member // those who had subscriptions when it began
}

// batch is topics of one kind, for one command.
type batch struct {
	kind   Kind
	topics []*topic
}

// begin lists what is to be restored on a connection on which nothing is subscribed.
func (r *restoration) begin(l *line) {
	*r = restoration{}
	for kind := range Kind(kinds) {
		var all []*topic
		for _, t := range l.topics[kind] {
			if len(t.subs) > 0 {
				all = append(all, t)
			}
		}
		for len(all) > 0 {
			b := batch{kind: kind}
			b.topics, all = chunk(kind, all)
			r.queue = append(r.queue, b)
		}
	}
	if r.on = len(r.queue) > 0; !r.on {
		return
	}
	for m := range l.members {
		if m.live > 0 {
			r.members = append(r.members, m)
		}
	}
}

// back puts a command's topics back into the queue, which will get no reply.
func (r *restoration) back(c *command) {
	r.inFlight--
	r.queue = append(r.queue, batch{c.kind, c.topics})
}

// moveOn sends the next commands of a restoration; when all are answered, those whose
// subscriptions were moved are told, and the tickets' turn has come.
func (l *line) moveOn(n *news) {
	r := &l.restore
	for r.on && len(r.queue) > 0 && r.inFlight < restoreWindow && !r.busy && l.open() {
		b := r.queue[0]
		if wanted := b.wanted(); len(wanted) > 0 {
			if !l.send(&command{line: l, role: restoring, kind: b.kind, topics: wanted}) {
				return
			}
			for _, t := range wanted {
				t.asked = true
			}
			r.inFlight++
		}
		r.queue = r.queue[1:]
	}
	if r.on && len(r.queue) == 0 && r.inFlight == 0 {
		for _, m := range r.members {
			*n = append(*n, m.tellGap)
		}
		*r = restoration{}
	}
	l.sendTickets()
	l.sendDrops()
}

// wanted returns the topics that somebody is still subscribed to.
func (b batch) wanted() []*topic {
	wanted := make([]*topic, 0, len(b.topics))
	for _, t := range b.topics {
		if len(t.subs) > 0 {
			wanted = append(wanted, t)
		}
	}
	return wanted
}

// restored takes Redis' answer to a command of a restoration. It is refused as a
// whole if the user may not read one of the names, so halves of it are tried.
func (l *line) restored(c *command, frame []byte, n *news) {
	r := &l.restore
	r.inFlight--
	half := len(c.topics) / 2
	switch {
	case frame[0] != '-':
		c.confirm()
	case resp.IsError(frame, "BUSY"): // no word about the names
		r.busy = true
		r.queue = append(r.queue, batch{c.kind, c.topics})
	case half == 0:
		l.refuse(c.topics[0], frame, n)
	default:
		r.queue = append(r.queue, batch{c.kind, c.topics[:half]}, batch{c.kind, c.topics[half:]})
	}
	l.moveOn(n)
}

// refuse ends all subscriptions of a topic that Redis did not restore. Tickets for it
// get their own answer.
func (l *line) refuse(t *topic, frame []byte, n *news) {
	t.asked = false
	for len(t.subs) > 0 {
		s := t.subs[len(t.subs)-1]
		s.deaden()
		l.release(s)
		*n = append(*n, func() upstream.Owner { return s.member.sub.Refused(t.kind, t.name, frame) })
	}
}
