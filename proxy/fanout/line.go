package fanout

import (
	"sync"

	"steadis/proxy/upstream"
)

// line is one upstream connection of a Hub, across masters, and the subscriptions of
// the members that share it. A member is on one line with all it has, so that its
// messages keep Redis' order.
//
// # Connections
//
// conn is where the subscriptions are. The link may have a newer one already, while
// the former one's reader still hands out the messages that it has read. Nothing is
// subscribed on the newer one before the link has told of the former one's end
// (Down): so one reader at a time has messages, and they come in order. Down does not
// say which connection has ended. If one came and went that was never used, while the
// former one's reader was still busy, messages of the two masters may cross.
type line struct {
	pool *upstream.Pool
	id   upstream.Identity

	// mu guards the fields below, and all of the line's topics, subscriptions,
	// tickets and members. It comes after a subscriber's lock and before a link's
	// and a connection's. No I/O and no callback under it.
	mu      sync.Mutex
	link    *upstream.Link // nil until it is first needed, and after Rejected
	conn    *upstream.Conn
	blocked bool // conn takes no commands now; a LinkEvent will come
	closed  bool

	topics  [kinds]map[string]*topic
	members map[*Member]struct{}
	drops   []*topic // doomed ones
	restore restoration
	seq     uint64  // of the last ticket
	waiting tickets // not sent
	sent    tickets
	run     run
}

func newLine(pool *upstream.Pool, id upstream.Identity) *line {
	return &line{pool: pool, id: id, members: make(map[*Member]struct{})}
}

// connect gets the line a link. It is called from within a subscriber's call, so it
// tells nobody anything: without a link, nothing is subscribed.
func (l *line) connect() {
	if l.link != nil || l.closed {
		return
	}
	l.link = l.pool.Pin(l.id, l)
	l.link.Keep()
	// If it is Queued, or Over, Ready will come: the link is kept up. If it is Gone,
	// the pool has stopped.
	if l.link.Await(l) == upstream.Usable {
		l.attach(nil) // nothing is to be restored, so there are no news
	}
}

// LinkEvent implements upstream.Waiter.
func (l *line) LinkEvent(link *upstream.Link, e upstream.Event, frame []byte) {
	var n news
	l.mu.Lock()
	if link == l.link {
		switch e {
		case upstream.Ready:
			l.blocked = false
			l.attach(&n)
		case upstream.Down:
			// Only a connection that the link has given up can be the one that ended.
			if l.conn != nil && link.Conn() != l.conn {
				l.detach()
			}
			l.attach(&n)
		case upstream.Refused:
			l.reject(frame, &n)
		case upstream.Expired: // subscriptions wait for as long as it takes
		}
	}
	l.mu.Unlock()
	n.settle()
}

// attach goes on where the link's connection is, unless the former one is not over.
func (l *line) attach(n *news) {
	if l.conn == nil {
		if l.conn = l.link.Conn(); l.conn == nil {
			return
		}
		l.blocked = false
		l.conn.Subscribed(true)
		l.restore.begin(l)
	}
	l.moveOn(n)
}

// detach forgets what was known of a connection that is over.
func (l *line) detach() {
	l.conn, l.drops, l.restore = nil, nil, restoration{}
	for _, t := range append(tickets(nil), l.sent...) {
		l.again(t)
	}
	for _, byName := range l.topics {
		for _, t := range byName {
			t.asked, t.live, t.doomed = false, false, false
			if t.refs == 0 {
				l.forget(t)
			}
		}
	}
}

// reject ends everything: Redis does not accept the identity.
func (l *line) reject(frame []byte, n *news) {
	l.link, l.conn, l.drops, l.restore = nil, nil, nil, restoration{}
	for m := range l.members {
		l.clear(m)
		*n = append(*n, func() upstream.Owner { return m.sub.Rejected(frame) })
	}
	l.topics = [kinds]map[string]*topic{} // those that were to be dropped
}

// close gives the line's connection up. Its members hear nothing.
func (l *line) close() {
	l.mu.Lock()
	link := l.link
	l.link, l.conn, l.closed = nil, nil, true
	l.mu.Unlock()
	if link != nil {
		link.Close()
	}
}

// stands says whether what is subscribed on conn brings messages, as far as can be
// known.
func (l *line) stands() bool { return l.conn != nil && l.link.Conn() == l.conn }

// open says whether conn takes commands, as far as can be known.
func (l *line) open() bool { return l.conn != nil && !l.blocked }

// send sends commands, all or none. If it returns false, a LinkEvent will tell when
// to try again.
func (l *line) send(commands ...*command) bool {
	calls := make([]upstream.Call, len(commands))
	for i, c := range commands {
		c.conn = l.conn
		calls[i] = c
	}
	l.blocked = l.conn.Send(calls) != nil
	return !l.blocked
}

// tick tries again what Redis was too busy for.
func (l *line) tick() {
	var n news
	l.mu.Lock()
	if l.restore.busy {
		l.restore.busy = false
		l.moveOn(&n)
	}
	l.mu.Unlock()
	n.settle()
}
