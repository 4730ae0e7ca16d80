package fanout

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"steadis/proxy/upstream"
)

// valve stops the first write that has word in it, of any of its connections.
type valve struct {
	word    string
	once    sync.Once
	entered chan struct{} // closed when that write has come
	release chan struct{} // closed to let it go
}

func newValve(word string) *valve {
	return &valve{word: word, entered: make(chan struct{}), release: make(chan struct{})}
}

func (v *valve) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return valved{nc, v}, nil
}

type valved struct {
	net.Conn
	*valve
}

func (c valved) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(c.word)) {
		c.once.Do(func() {
			close(c.entered)
			select {
			case <-c.release:
			case <-time.After(patience): // the test has failed before it did so
			}
		})
	}
	return c.Conn.Write(b)
}

// TestPausedBeforeItWasSent: what comes back unsent when the gate shuts goes out when
// it opens again, for as far as it is still wanted.
func TestPausedBeforeItWasSent(t *testing.T) {
	s := startRedis(t)
	v := newValve("stuck")
	r := newRigOn(t, Options{Lines: 1}, v.dial)
	r.open(s)
	one, two, three, four := r.person(nobody), r.person(nobody), r.person(nobody), r.person(nobody)
	one.subscribe(Channels, "drop", "dropped and taken", "shared", "dropped twice")
	two.subscribe(Channels, "shared")

	stuck := two.ask(Channels, "stuck")
	<-v.entered // that one is in the network's hands
	one.unsubscribe(Channels, "drop", "dropped and taken", "shared", "dropped twice")
	again := two.ask(Channels, "dropped and taken")
	three.ask(Channels, "dropped twice")
	three.unsubscribe(Channels, "dropped twice")
	taken := three.ask(Channels, "cancelled", "shared")
	wanted := one.ask(Channels, "wanted")
	r.pool.Close()
	if n := one.line(func(l *line) int { return len(l.waiting) }); n != 4 {
		t.Errorf("%d tickets came back", n)
	}
	three.m.Cancel(taken)
	two.unsubscribe(Channels, "shared")
	if four.ask(Channels, "shared") != nil {
		t.Error("a name whose UNSUBSCRIBE has yet to go is subscribed")
	}
	if ticket := three.ask(Channels, "drop"); ticket == nil {
		t.Error("after an UNSUBSCRIBE that came back, Redis' word is needed")
	}
	close(v.release)
	if got := two.outcome(stuck); got != "" {
		t.Errorf("got %q", got)
	}
	r.reopen(s)
	if two.outcome(again) != "" || one.outcome(wanted) != "" {
		t.Error("refused")
	}
	s.becomes([]string{"shared", "stuck", "dropped and taken", "wanted", "drop"}, "PUBSUB", "CHANNELS")
	for _, c := range []struct {
		p    *person
		name string
	}{{two, "dropped and taken"}, {one, "wanted"}, {four, "shared"}, {three, "drop"}} {
		s.do("PUBLISH", c.name, "m")
		c.p.gets(message(Channels, c.name, "m"))
	}
	if one.gaps+two.gaps+three.gaps+four.gaps > 0 {
		t.Error("a gap on a connection that stands")
	}
	for _, p := range []*person{one, two, three, four} {
		p.leave()
	}
	s.becomes(nil, "PUBSUB", "CHANNELS")
}

// TestRestorationPaused: the gate shuts in the middle of a restoration, and opens again.
func TestRestorationPaused(t *testing.T) {
	a, b := startRedis(t), startRedis(t)
	v := newValve("\r\nSUBSCRIBE\r\n")
	r := newRigOn(t, Options{Lines: 1}, func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == a.addr {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
		return v.dial(ctx, network, addr)
	})
	r.open(a)
	p, q := r.person(nobody), r.person(nobody)
	var names []string
	for i := range 6*chunkNames + 1 {
		names = append(names, fmt.Sprint(i))
	}
	p.subscribe(Channels, names...)
	q.subscribe(Channels, "other")
	r.open(b)
	<-v.entered
	r.pool.Close()
	p.unsubscribe(Channels, names[:3*chunkNames]...)
	p.m.line.sentAndBack()
	close(v.release)
	r.reopen(b)
	p.until("a gap", func() bool { return p.gaps == 1 })
	q.until("a gap", func() bool { return q.gaps == 1 })
	b.becomes(append(names[3*chunkNames:], "other"), "PUBSUB", "CHANNELS")
}

// sentAndBack lets the next command of a restoration be one that was queued and comes
// back, as it would if the connection's writer had taken less.
func (l *line) sentAndBack() {
	l.mu.Lock()
	b := l.restore.queue[0]
	l.restore.queue = l.restore.queue[1:]
	l.restore.inFlight++
	c := &command{line: l, conn: l.conn, role: restoring, kind: b.kind, topics: b.topics}
	l.mu.Unlock()
	c.Lost(upstream.NotSent)
}

// TestTicketsOverlap: what one ticket does not get, or gives back, another may still get.
func TestTicketsOverlap(t *testing.T) {
	s := startRedis(t)
	s.must("ACL SETUSER bob on >pw +@all resetchannels &a &b")
	r := newRig(t, Options{Lines: 1})
	p := r.person(upstream.Identity{User: "bob", Password: "pw", Auth: true})
	refused := p.ask(Channels, "a", "secret")
	kept := p.ask(Channels, "a", "a")
	given := p.ask(Channels, "b", "a", "b")
	p.m.Cancel(given)
	r.open(s)
	if p.outcome(refused) == "" || p.outcome(kept) != "" {
		t.Error("the answers are wrong")
	}
	s.do("PUBLISH", "a", "1")
	p.gets(message(Channels, "a", "1"))
	s.becomes([]string{"a"}, "PUBSUB", "CHANNELS")
	if n := r.hubs.Stats().Names; n != 1 {
		t.Errorf("%d names", n)
	}
}

// TestReplyToAFormerAttempt does not count.
func TestReplyToAFormerAttempt(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{Lines: 1})
	r.open(s)
	p := r.person(nobody)
	p.subscribe(Channels, "x")
	l := p.m.line
	l.mu.Lock()
	ticket := l.issue(p.m, Channels, []string{"y"})
	l.waiting.remove(ticket)
	l.sent.add(ticket, sent)
	ticket.left = 1
	former := &command{line: l, conn: l.conn, role: asking, topics: []*topic{ticket.subs[0].topic}, ticket: ticket}
	l.again(ticket)
	l.waiting.remove(ticket)
	l.sent.add(ticket, sent) // again under way
	l.mu.Unlock()
	former.Reply([]byte("-ERR late\r\n"), true)
	if len(p.order) > 1 || p.line(func(l *line) int { return len(l.sent) }) != 1 {
		t.Error("it ended the ticket")
	}
}

// TestStrayEvents: what concerns a former link, or a connection that was never used,
// changes nothing.
func TestStrayEvents(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{Lines: 1})
	r.open(s)
	p := r.person(nobody)
	p.subscribe(Channels, "x", "y")
	l := p.m.line
	conn := l.conn
	l.LinkEvent(l.link, upstream.Down, nil) // of a connection between the former and this one
	former := r.pool.Pin(nobody, l)
	for _, e := range []upstream.Event{upstream.Ready, upstream.Refused, upstream.Expired, upstream.Down} {
		l.LinkEvent(former, e, []byte("-WRONGPASS\r\n"))
	}
	if l.Push(former, []byte(message(Channels, "x", "late"))) != nil || len(p.got) > 0 {
		t.Error("a message from a former link")
	}
	if l.conn != conn || len(p.rejected) > 0 || p.gaps > 0 || r.person(nobody).ask(Channels, "x") != nil {
		t.Error("a stray event had an effect")
	}
	// And a rejection while an UNSUBSCRIBE waits to be sent.
	r.pool.Close()
	p.unsubscribe(Channels, "y")
	link := l.link
	l.LinkEvent(link, upstream.Refused, []byte("-WRONGPASS\r\n"))
	if n := r.hubs.Stats().Names; n != 0 || len(p.rejected) != 1 {
		t.Errorf("%d names, rejected %q", n, p.rejected)
	}
	link.Close()
}
