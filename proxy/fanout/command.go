package fanout

import (
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

const (
	// chunkNames is how many names go out in one command: a command of that size
	// keeps Redis from its other clients for half a millisecond.
	chunkNames = 1000
	// chunkPatterns is the same for patterns: Redis 7.0 goes through the list of all
	// patterns of the connection for each (pubsub.c pubsubSubscribePattern). With 10,000
	// of them a hundred take it 3 ms.
	chunkPatterns = 100
	// chunkBytes bounds the names of one command together, but for the first.
	chunkBytes = 64 << 10
)

// chunk splits off the topics that go out in one command.
func chunk(kind Kind, topics []*topic) (head, rest []*topic) {
	limit := chunkNames
	if kind == Patterns {
		limit = chunkPatterns
	}
	size, n := 0, 0
	for n < len(topics) && n < limit {
		if size += len(topics[n].name); size > chunkBytes && n > 0 {
			break
		}
		n++
	}
	return topics[:n:n], topics[n:]
}

// role is what a command is sent for.
type role uint8

const (
	asking    role = iota // for a ticket
	restoring             // after a change of connection
	dropping              // nobody wants the topics any more
)

// command is an upstream.Call: it (un)subscribes topics of one kind. Without
// topics it is a PING.
type command struct {
	line    *line
	conn    *upstream.Conn // where it was sent
	role    role
	kind    Kind
	topics  []*topic
	ticket  *Ticket // of asking
	attempt int
}

// AppendWire implements upstream.Call.
func (c *command) AppendWire(dst []byte) []byte {
	args := make([]string, 1, 1+len(c.topics))
	switch {
	case len(c.topics) == 0:
		args[0] = "PING"
	case c.role == dropping:
		args[0] = unsubscribeVerbs[c.kind]
	default:
		args[0] = subscribeVerbs[c.kind]
	}
	for _, t := range c.topics {
		args = append(args, t.name)
	}
	return resp.AppendCommand(dst, args...)
}

// Frames implements upstream.Call: there is a reply for each name (Redis 7.0
// pubsub.c).
func (c *command) Frames() int { return max(1, len(c.topics)) }

// ErrorEnds implements upstream.Call: Redis checks all names before it begins
// (Redis 7.0 server.c processCommand).
func (c *command) ErrorEnds() bool { return true }

// Trusted implements upstream.Call.
func (c *command) Trusted() bool { return true }

// Stake implements upstream.Call.
func (c *command) Stake() upstream.Stake { return 0 }

// Reply implements upstream.Call. What counts is the last frame: all replies to one
// command come in one piece, with no message in between.
func (c *command) Reply(frame []byte, last bool) upstream.Owner {
	if !last {
		return nil
	}
	var n news
	l := c.line
	l.mu.Lock()
	if c.conn == l.conn {
		switch c.role {
		case asking:
			l.asked(c, frame, &n)
		case restoring:
			l.restored(c, frame, &n)
		}
	}
	l.mu.Unlock()
	return n.tell()
}

// Lost implements upstream.Call. If the connection is over, everything on it begins
// anew on the next (detach). Here is for a connection that stands, but was paused
// before the command went out.
func (c *command) Lost(fate upstream.Fate) upstream.Owner {
	l := c.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if fate != upstream.NotSent || c.conn != l.conn {
		return nil
	}
	l.blocked = true // LinkEvent ends that
	switch c.role {
	case asking:
		if t := c.ticket; t.state == sent && t.attempt == c.attempt {
			l.again(t)
		}
	case restoring:
		l.restore.back(c)
	case dropping:
		l.undrop(c)
	}
	return nil
}

// confirm notes that Redis has subscribed the topics. One that was dropped since is
// in no map any more.
func (c *command) confirm() {
	for _, t := range c.topics {
		t.live = true
	}
}

// sendDrops unsubscribes what nobody wants any more.
func (l *line) sendDrops() {
	if len(l.drops) == 0 || !l.open() {
		return
	}
	var byKind [kinds][]*topic
	for _, t := range l.drops {
		if t.doomed = t.refs == 0; t.doomed {
			byKind[t.kind] = append(byKind[t.kind], t)
		}
	}
	l.drops = nil
	for kind, rest := range byKind {
		for len(rest) > 0 {
			var head []*topic
			head, rest = chunk(Kind(kind), rest)
			if !l.send(&command{line: l, role: dropping, kind: Kind(kind), topics: head}) {
				l.drops = append(l.drops, head...)
				continue
			}
			for _, t := range head {
				t.doomed, t.asked, t.live = false, false, false
				l.forget(t)
			}
		}
	}
}

// undrop takes an UNSUBSCRIBE back that was not sent: Redis may have the names
// subscribed. Who wants one of them by now has a ticket for it.
func (l *line) undrop(c *command) {
	for _, t := range c.topics {
		now := l.topics[t.kind][t.name]
		if now == nil {
			now = t
			l.topics[t.kind][t.name] = t
		}
		now.asked = true
		if now.refs == 0 {
			l.doom(now)
		}
	}
}
