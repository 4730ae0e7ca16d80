package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"steadis/proxy/upstream"
)

func TestFailover(t *testing.T) {
	a, b := startRedis(t), startRedis(t)
	r := newRig(t, Options{Lines: 2})
	r.open(a)
	people := make([]*person, 6)
	for i := range people {
		people[i] = r.person(nobody)
		people[i].subscribe(Channels, "all", fmt.Sprint("own", i))
		people[i].subscribe(Patterns, "p*")
		people[i].subscribe(Shards, "all")
	}
	stranger := r.person(nobody) // has nothing to lose
	r.pool.Close()
	a.do("PUBLISH", "all", "before") // the connections stand
	for _, p := range people {
		p.gets(message(Channels, "all", "before"))
	}
	ticket := people[0].ask(Channels, "new", "all")
	if ticket == nil {
		t.Fatal("subscribed without a master")
	}
	r.open(b)
	for i, p := range people {
		p.until("a gap", func() bool { return p.gaps == 1 })
		if i == 0 && p.outcome(ticket) != "" {
			t.Error("the ticket was refused")
		}
	}
	b.do("PUBLISH", "all", "after")
	b.do("PUBLISH", "own3", "mine")
	b.do("PUBLISH", "part", "p")
	b.do("SPUBLISH", "all", "shard")
	for i, p := range people {
		want := []string{message(Channels, "all", "after"), message(Patterns, "p*", "part", "p"), message(Shards, "all", "shard")}
		if i == 3 {
			want = slices.Insert(want, 1, message(Channels, "own3", "mine"))
		}
		p.gets(want...)
		if p.gaps != 1 || len(p.refused)+len(p.rejected) > 0 {
			t.Errorf("%d gaps, refused %q, rejected %q", p.gaps, p.refused, p.rejected)
		}
	}
	if stranger.gaps != 0 {
		t.Error("a gap without subscriptions")
	}
	b.becomes([]string{"all", "new", "own0", "own1", "own2", "own3", "own4", "own5"}, "PUBSUB", "CHANNELS")
	a.becomes(nil, "PUBSUB", "CHANNELS")
	// The same master, but a new connection.
	b.must("CLIENT KILL TYPE pubsub")
	for _, p := range people {
		p.until("a gap", func() bool { return p.gaps == 2 })
	}
}

// TestNoMaster: tickets wait, and may be cancelled; what was subscribed comes back,
// even after the pool has given up.
func TestNoMaster(t *testing.T) {
	a, b := startRedis(t), startRedis(t)
	r := newRig(t, Options{Lines: 1})
	one, two := r.person(nobody), r.person(nobody)
	first := one.ask(Channels, "first")
	gone := two.ask(Channels, "gone")
	r.open(a)
	if one.outcome(first) != "" || two.outcome(gone) != "" {
		t.Fatal("refused")
	}
	r.pool.Close()
	r.pool.GiveUp()
	eventually(t, "connections", r.hubs.Hub(nobody).Connections, func(n int) bool { return n == 0 })
	late := two.ask(Channels, "late")
	givenUp := one.ask(Channels, "first", "given up")
	for range 3 * 64 {
		one.m.Cancel(one.ask(Channels, "again and again"))
	}
	one.m.Cancel(givenUp)
	one.m.Cancel(givenUp)
	three := r.person(nobody)
	three.ask(Patterns, "left*")
	three.leave()
	two.unsubscribe(Channels, "gone")
	r.open(b)
	one.until("a gap", func() bool { return one.gaps == 1 })
	if got := two.outcome(late); got != "" {
		t.Errorf("got %q", got)
	}
	b.becomes([]string{"first", "late"}, "PUBSUB", "CHANNELS")
	if n := b.number("PUBSUB", "NUMPAT"); n != 0 || two.gaps != 0 {
		t.Errorf("%d patterns, %d gaps of who had nothing", n, two.gaps)
	}
	if givenUp.Live() || len(one.order) != 1 || len(r.hubs.Hub(nobody).lines[0].waiting) != 0 {
		t.Error("a cancelled ticket was answered")
	}
	// A hub whose first connection comes only now.
	r.pool.Close()
	r.pool.GiveUp()
	four := r.person(upstream.Identity{User: "default", Auth: true})
	over := four.ask(Channels, "over")
	r.reopen(b)
	if got := four.outcome(over); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestCancelAnsweredTicket: Redis has answered, but its subscriber does not know yet.
func TestCancelAnsweredTicket(t *testing.T) {
	a := startRedis(t)
	r := newRig(t, Options{Lines: 1})
	r.open(a)
	p := r.person(nobody)
	p.subscribe(Channels, "old")
	p.mu.Lock()
	ticket := p.m.Subscribe(Channels, []string{"old", "new"})
	eventually(t, "tickets sent", func() int { return p.line(func(l *line) int { return len(l.sent) }) }, func(n int) bool { return n == 0 })
	p.m.Cancel(ticket) // Subscribed waits for the lock
	p.mu.Unlock()
	a.becomes([]string{"old"}, "PUBSUB", "CHANNELS")
	a.do("PUBLISH", "old", "1")
	p.gets(message(Channels, "old", "1"))
	if _, ok := p.answers[ticket]; ok {
		t.Error("a cancelled ticket was answered")
	}
}

// line looks at the person's line.
func (p *person) line(look func(*line) int) int {
	p.m.line.mu.Lock()
	defer p.m.line.mu.Unlock()
	return look(p.m.line)
}

// TestNewMasterRefusesNames: the culprits are found among many, and only those who
// have them hear of it.
func TestNewMasterRefusesNames(t *testing.T) {
	a, b := startRedis(t), startRedis(t)
	a.must("ACL SETUSER bob on >pw +@all &*")
	b.must("ACL SETUSER bob on >pw +@all resetchannels &ok* &fine*")
	r := newRig(t, Options{Lines: 1})
	r.open(a)
	bob := upstream.Identity{User: "bob", Password: "pw", Auth: true}
	good, bad := r.person(bob), r.person(bob)
	var names []string
	for i := range 2500 {
		names = append(names, fmt.Sprint("ok", i))
	}
	good.subscribe(Channels, names...)
	bad.subscribe(Channels, "ok7", "secret1", "fine", "secret2")
	bad.subscribe(Patterns, "*")
	r.open(b)
	good.until("a gap", func() bool { return good.gaps == 1 })
	bad.until("a gap", func() bool { return bad.gaps == 1 })
	slices.Sort(bad.refused)
	if want := []string{"channels secret1 NOPERM", "channels secret2 NOPERM", "patterns * NOPERM"}; !slices.Equal(bad.refused, want) {
		t.Errorf("refused %q", bad.refused)
	}
	if len(good.refused)+len(good.rejected)+len(bad.rejected) > 0 {
		t.Errorf("refused %q, rejected %q %q", good.refused, good.rejected, bad.rejected)
	}
	b.becomes(append(names, "fine"), "PUBSUB", "CHANNELS")
	if n := r.hubs.Stats().Names; n != len(names)+1 {
		t.Errorf("%d names", n)
	}
	b.do("PUBLISH", "secret1", "x")
	b.do("PUBLISH", "ok7", "y")
	bad.gets(message(Channels, "ok7", "y"))
	good.gets(message(Channels, "ok7", "y"))
	// An ACL that changes: Redis ends the connection, and who may not read hears so.
	b.must("ACL SETUSER bob resetchannels &ok*")
	bad.until("a refusal", func() bool { return slices.Contains(bad.refused, "channels fine NOPERM") })
	good.until("a gap", func() bool { return good.gaps == 2 })
}

func TestRejectedIdentity(t *testing.T) {
	a, b := startRedis(t), startRedis(t)
	a.must("ACL SETUSER bob on >pw +@all &*")
	r := newRig(t, Options{Lines: 1})
	r.open(a)
	bob := upstream.Identity{User: "bob", Password: "pw", Auth: true}
	one, two, other := r.person(bob), r.person(bob), r.person(nobody)
	one.subscribe(Channels, "x")
	other.subscribe(Channels, "x")
	r.pool.Close()
	ticket := two.ask(Channels, "y")
	r.open(b)
	for _, p := range []*person{one, two} {
		p.until("a rejection", func() bool { return slices.Equal(p.rejected, []string{"WRONGPASS"}) })
	}
	if ticket.Live() || len(two.order) > 0 || one.gaps > 0 {
		t.Error("a ticket was answered as well")
	}
	other.until("a gap", func() bool { return other.gaps == 1 })
	b.must("ACL SETUSER bob on >pw +@all &*")
	one.subscribe(Channels, "z") // Redis is asked again
	b.do("PUBLISH", "x", "1")
	b.do("PUBLISH", "z", "2")
	one.gets(message(Channels, "z", "2"))
	other.gets(message(Channels, "x", "1"))
}

// TestBusyMaster: BUSY says nothing about the names, so nobody loses any.
func TestBusyMaster(t *testing.T) {
	a, b := startRedis(t), startRedis(t, "--busy-reply-threshold", "1")
	r := newRig(t, Options{Lines: 1})
	r.open(a)
	p := r.person(nobody)
	p.subscribe(Channels, "x")
	script := b.again(t)
	script.send("EVAL", "while true do end", "0")
	eventually(t, "PING", func() string { return b.do("PING") }, func(s string) bool { return strings.HasPrefix(s, "-BUSY") })
	r.open(b)
	eventually(t, "the restoration", func() int {
		return p.line(func(l *line) int {
			if l.restore.busy {
				return 1
			}
			return 0
		})
	}, func(n int) bool { return n == 1 })
	r.hubs.Tick()
	ticket := p.ask(Channels, "y") // waits behind the restoration
	if r.person(nobody).ask(Channels, "x") == nil {
		t.Error("subscribed what is not restored")
	}
	b.must("SCRIPT KILL")
	script.reply()
	eventually(t, "channels", func() []string {
		r.hubs.Tick()
		return b.list("PUBSUB", "CHANNELS")
	}, func(got []string) bool { return slices.Equal(got, []string{"x", "y"}) })
	p.outcome(ticket)
	if p.gaps != 1 || len(p.refused) > 0 {
		t.Errorf("%d gaps, refused %q", p.gaps, p.refused)
	}
}

// TestFormerConnectionFirst: while the former connection's reader still hands out
// messages, nothing is subscribed on the new one.
func TestFormerConnectionFirst(t *testing.T) {
	a, b := startRedis(t), startRedis(t)
	r := newRig(t, Options{Lines: 1})
	r.open(a)
	p := r.person(nobody)
	p.subscribe(Channels, "x")
	p.mu.Lock()
	p.block = make(chan struct{})
	p.mu.Unlock()
	a.do("PUBLISH", "x", "old")
	p.until("a message at hand", func() bool { return p.blocked })
	l := p.m.line
	former := l.link.Conn()
	r.open(b)
	eventually(t, "a connection", l.link.Conn, func(c *upstream.Conn) bool { return c != nil && c != former })
	l.LinkEvent(l.link, upstream.Ready, nil) // as the link does at some time
	l.mu.Lock()
	if l.conn != former || l.restore.on {
		t.Error("restoring before the former reader's end")
	}
	l.mu.Unlock()
	q := r.person(nobody)
	ticket := q.ask(Channels, "x")
	if ticket == nil {
		t.Error("subscribed on a connection that the link has given up")
	}
	p.mu.Lock()
	close(p.block)
	p.block = nil
	p.mu.Unlock()
	p.until("a gap", func() bool { return p.gaps == 1 })
	q.outcome(ticket)
	b.do("PUBLISH", "x", "new")
	q.gets(message(Channels, "x", "new"))
	p.until("the new message", func() bool { return slices.Contains(p.got, message(Channels, "x", "new")) })
	if n := len(p.got); p.got[n-1] != message(Channels, "x", "new") || p.got[0] != message(Channels, "x", "old") {
		t.Errorf("got %q", p.got)
	}
}
