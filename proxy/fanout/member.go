package fanout

import (
	"slices"

	"steadis/proxy/upstream"
)

// Member is a Subscriber's place in a Hub. Its methods may be called concurrently and
// with the subscriber's own lock held; none of them waits or calls the subscriber.
type Member struct {
	hubs *Hubs
	hub  *Hub
	at   int // which line of the hub
	line *line
	sub  Subscriber

	// The line's lock guards the fields below.
	subs    [kinds]map[string]*Subscription
	live    int       // subscriptions that get messages
	tickets []*Ticket // unanswered, oldest first
	left    bool
}

// Subscribe subscribes names. It returns nil if all of them are subscribed already on
// a connection that stands: the caller confirms to its client at once, and gets
// messages. Else Subscriber.Subscribed will tell how the ticket ended. While there is
// no master that is as long as it takes: a subscriber that does not want to wait any
// longer calls Cancel.
//
// A name may be subscribed already, or be named twice; it brings each message once,
// as in Redis. The slice belongs to the ticket. The names of one call are subscribed
// all or none. No two tickets of a member overtake each other, and while there is one
// Subscribe does not return nil, so that confirmations come in order.
func (m *Member) Subscribe(kind Kind, names []string) *Ticket {
	l := m.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.left {
		return &Ticket{member: m, kind: kind, names: names, state: cancelled}
	}
	if len(names) == 0 {
		return nil
	}
	l.connect()
	if len(m.tickets) == 0 && l.ready(kind, names) {
		for _, name := range names {
			l.subscription(m, kind, name).enliven()
		}
		return nil
	}
	t := l.issue(m, kind, names)
	l.sendTickets()
	return t
}

// ready says whether Redis has all names subscribed.
func (l *line) ready(kind Kind, names []string) bool {
	if !l.stands() {
		return false
	}
	for _, name := range names {
		if t := l.topics[kind][name]; t == nil || !t.live {
			return false
		}
	}
	return true
}

// Unsubscribe ends subscriptions, as far as there are any, at once: for them,
// Subscription.Live is false from its return on. A ticket that names one of them is
// answered all the same; the subscriber should let it be answered first, as Redis
// does one after the other.
func (m *Member) Unsubscribe(kind Kind, names []string) {
	l := m.line
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		if s := m.subs[kind][name]; s != nil {
			l.end(s)
		}
	}
	l.sendDrops()
}

// Cancel takes a ticket back that Subscribed has not told of: what was subscribed
// before it still is, and nothing else of it.
func (m *Member) Cancel(t *Ticket) {
	l := m.line
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel(t)
	l.sendDrops()
}

// Leave ends all that the member has, tickets too. It must be called once the
// subscriber does not need the hub any more. Further calls do nothing.
func (m *Member) Leave() {
	l := m.line
	l.mu.Lock()
	left := m.left
	m.left = true
	l.clear(m)
	delete(l.members, m)
	l.sendDrops()
	l.mu.Unlock()
	if !left {
		m.hubs.leave(m)
	}
}

// join makes m one of those who hear what concerns them all.
func (l *line) join(m *Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members[m] = struct{}{}
}

// clear ends all that m has.
func (l *line) clear(m *Member) {
	for len(m.tickets) > 0 {
		l.cancel(m.tickets[len(m.tickets)-1])
	}
	for _, byName := range m.subs {
		for _, s := range byName {
			l.end(s)
		}
	}
	m.subs = [kinds]map[string]*Subscription{}
}

func (m *Member) closeTicket(t *Ticket) {
	if i := slices.Index(m.tickets, t); i >= 0 {
		m.tickets = slices.Delete(m.tickets, i, i+1)
	}
}

// tell makes the call that answers t.
func (t *Ticket) tell(refusal []byte) func() upstream.Owner {
	return func() upstream.Owner { return t.member.sub.Subscribed(t, refusal) }
}

func (m *Member) tellGap() upstream.Owner {
	m.sub.Gap()
	return nil
}
