package fanout

import "steadis/proxy/upstream"

// run is what a line's reader needs while it hands out a run of messages: memory
// that is used again for each, so that a message costs none per subscriber.
type run struct {
	audience []*Subscription  // nil while a message is being handed out
	due      []upstream.Owner // to be settled at the end of the run
	spare    []upstream.Owner
	told     bool // the connection's reader will call Settle
}

// Push implements upstream.Pinner: a message has come.
func (l *line) Push(link *upstream.Link, frame []byte) upstream.Owner {
	kind, name, ok := parseMessage(frame)
	if !ok {
		return nil
	}
	audience, due := l.audience(link, kind, name)
	if audience == nil {
		return nil
	}
	for _, s := range audience {
		if o := s.member.sub.Message(s, frame); o != nil {
			due = append(due, o)
		}
	}
	return l.handedOut(audience, due)
}

// audience returns who is to get a message, and an empty list of owners.
func (l *line) audience(link *upstream.Link, kind Kind, name []byte) ([]*Subscription, []upstream.Owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if link != l.link {
		return nil, nil
	}
	t := l.topics[kind][string(name)]
	if t == nil || len(t.subs) == 0 {
		return nil, nil
	}
	audience := append(l.run.audience[:0], t.subs...)
	due := l.run.spare
	l.run.audience, l.run.spare = nil, nil
	return audience, due
}

// handedOut notes who is to be settled, and keeps the memory.
func (l *line) handedOut(audience []*Subscription, due []upstream.Owner) upstream.Owner {
	clear(audience)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.run
	most := 2*len(l.members) + 64 // more than that is left from busier times
	if cap(audience) <= most {
		r.audience = audience[:0]
	}
	if len(r.due) == 0 {
		r.due, due = due, r.due
	} else {
		r.due = append(r.due, due...)
		clear(due)
	}
	if cap(due) <= most {
		r.spare = due[:0]
	}
	if r.told || len(r.due) == 0 {
		return nil
	}
	r.told = true
	return l
}

// Settle implements upstream.Owner: the run is over.
func (l *line) Settle() {
	l.mu.Lock()
	due := l.run.due
	l.run.due, l.run.told = nil, false
	l.mu.Unlock()
	for _, o := range due {
		o.Settle()
	}
	clear(due)
	l.mu.Lock()
	if l.run.due == nil && cap(due) <= 2*len(l.members)+64 {
		l.run.due = due[:0]
	}
	l.mu.Unlock()
}
