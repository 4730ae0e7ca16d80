package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"steadis/proxy/upstream"
)

func TestMessages(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{})
	r.open(s)
	one, two := r.person(nobody), r.person(nobody)
	one.subscribe(Channels, "news")
	one.subscribe(Patterns, "n*")
	one.subscribe(Patterns, "*s")
	two.subscribe(Patterns, "n*")
	two.subscribe(Shards, "news")

	s.do("PUBLISH", "news", "1")
	s.do("SPUBLISH", "news", "2")
	s.do("PUBLISH", "noise", "3")
	two.gets(message(Patterns, "n*", "news", "1"), message(Shards, "news", "2"), message(Patterns, "n*", "noise", "3"))
	one.until("4 messages", func() bool { return len(one.got) == 4 })
	one.mu.Lock()
	slices.Sort(one.got[1:3]) // Redis keeps patterns in no order
	one.mu.Unlock()
	one.gets(message(Channels, "news", "1"), message(Patterns, "*s", "news", "1"), message(Patterns, "n*", "news", "1"),
		message(Patterns, "n*", "noise", "3"))

	one.unsubscribe(Patterns, "n*", "never subscribed")
	s.do("PUBLISH", "noise", "4")
	s.do("PUBLISH", "news", "5")
	one.until("2 messages", func() bool { return len(one.got) == 2 })
	one.gets(message(Channels, "news", "5"), message(Patterns, "*s", "news", "5"))
	two.leave()
	one.leave()
	s.becomes(nil, "PUBSUB", "CHANNELS")
	s.becomes(nil, "PUBSUB", "SHARDCHANNELS")
	if n := s.number("PUBSUB", "NUMPAT"); n != 0 {
		t.Errorf("%d patterns are left", n)
	}
}

// TestOneMemberHasItsOrder: what one client gets of several channels is in the order
// in which it was published, however many lines there are.
func TestOneMemberHasItsOrder(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{Lines: 3})
	r.open(s)
	people := []*person{r.person(nobody), r.person(nobody), r.person(nobody), r.person(nobody)}
	for _, p := range people {
		p.subscribe(Channels, "a", "b", "c")
	}
	var want []string
	for i := range 300 {
		channel := string("abc"[i%3])
		s.send("PUBLISH", channel, fmt.Sprint(i))
		want = append(want, message(Channels, channel, fmt.Sprint(i)))
	}
	for range 300 {
		s.reply()
	}
	for _, p := range people {
		p.gets(want...)
		if p.settled == 0 {
			t.Error("never settled")
		}
	}
	if n := r.hubs.Hub(nobody).Connections(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

func TestSubscribedAlready(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{Lines: 1})
	r.open(s)
	one, two := r.person(nobody), r.person(nobody)
	one.subscribe(Channels, "a")
	if one.ask(Channels, "a", "a") != nil || two.ask(Channels, "a") != nil {
		t.Error("a name that is subscribed needs no answer of Redis'")
	}
	ticket := two.ask(Channels, "b", "a", "b")
	if ticket == nil {
		t.Fatal("a name that is not subscribed needs one")
	}
	if next := two.ask(Channels, "a"); next == nil {
		t.Error("a Subscribe has overtaken a ticket")
	} else {
		two.outcome(next)
	}
	if got := two.order; len(got) != 2 || got[0] != ticket {
		t.Error("tickets were not answered in order")
	}
	s.do("PUBLISH", "a", "1")
	s.do("PUBLISH", "b", "2")
	one.gets(message(Channels, "a", "1"))
	two.gets(message(Channels, "a", "1"), message(Channels, "b", "2"))
	hub := r.hubs.Hub(nobody)
	for _, c := range []struct {
		kind Kind
		name string
		want int
	}{{Channels, "a", 2}, {Channels, "b", 1}, {Patterns, "a", 0}, {Channels, "c", 0}} {
		if n := hub.Count(c.kind, c.name); n != c.want {
			t.Errorf("%v %s: %d subscribers, want %d", c.kind, c.name, n, c.want)
		}
	}
	if st := r.hubs.Stats(); st != (Stats{Hubs: 1, Connections: 1, Members: 2, Names: 2}) {
		t.Errorf("%+v", st)
	}
	two.leave()
	two.leave()
	if two.ask(Channels, "a") == nil {
		t.Error("who has left was subscribed")
	}
	s.becomes([]string{"a"}, "PUBSUB", "CHANNELS")
	if one.ask(Channels) != nil {
		t.Error("no names, no answer")
	}
}

// TestAnyName: names are bytes.
func TestAnyName(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{})
	r.open(s)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	names := []string{"", "\r\n", "$5\r\nhello\r\n", "\x00", string(all), strings.Repeat("x", 200<<10)}
	p := r.person(nobody)
	p.subscribe(Channels, names...)
	var want []string
	for _, name := range names {
		if n := s.number("PUBLISH", name, "m"); n != 1 {
			t.Errorf("%d receivers of %.20q", n, name)
		}
		want = append(want, message(Channels, name, "m"))
	}
	p.gets(want...)
	p.unsubscribe(Channels, names...)
	s.becomes(nil, "PUBSUB", "CHANNELS")
}

func TestRefusedTicket(t *testing.T) {
	s := startRedis(t)
	s.must("ACL SETUSER bob on >pw +subscribe +unsubscribe +psubscribe +ping +role resetchannels &news &sport")
	r := newRig(t, Options{Lines: 1})
	r.open(s)
	bob := upstream.Identity{User: "bob", Password: "pw", Auth: true}
	one, two := r.person(bob), r.person(bob)
	one.subscribe(Channels, "news")
	for _, c := range []struct {
		kind  Kind
		names []string
		want  string
	}{
		{Channels, []string{"news", "sport", "secret"}, "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"},
		{Channels, []string{"secret"}, "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"},
		{Patterns, []string{"n*"}, "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"},
		{Shards, []string{"news"}, "-NOPERM this user has no permissions to run the 'ssubscribe' command\r\n"},
	} {
		for _, p := range []*person{one, two} {
			if got := p.outcome(p.ask(c.kind, c.names...)); got != c.want {
				t.Errorf("%v %v: got %q", c.kind, c.names, got)
			}
		}
	}
	s.becomes([]string{"news"}, "PUBSUB", "CHANNELS")
	two.subscribe(Channels, "sport")
	s.do("PUBLISH", "news", "1")
	s.do("PUBLISH", "sport", "2")
	one.gets(message(Channels, "news", "1"))
	two.gets(message(Channels, "sport", "2"))

	// A refusal in a later chunk takes the earlier ones along.
	names := []string{"secret"}
	for range 3 * chunkNames {
		names = append(names, "sport")
	}
	slices.Reverse(names)
	if got := one.outcome(one.ask(Channels, names...)); !strings.HasPrefix(got, "-NOPERM") {
		t.Errorf("got %q", got)
	}
	s.do("PUBLISH", "sport", "3")
	s.do("PUBLISH", "news", "4")
	one.gets(message(Channels, "news", "4"))
}

// TestUsersDoNotMix: each identity has its own hub; databases and protocols do not
// count.
func TestUsersDoNotMix(t *testing.T) {
	s := startRedis(t)
	s.must("ACL SETUSER bob on >pw ~* &* +@all")
	r := newRig(t, Options{Lines: 1, Hubs: 2, Name: "fan-out"})
	r.open(s)
	a, b := r.person(nobody), r.person(upstream.Identity{User: "bob", Password: "pw", Auth: true})
	c := r.person(upstream.Identity{DB: 5, Protocol: 3, Name: "c"})
	for _, p := range []*person{a, b, c} {
		p.subscribe(Channels, "x")
	}
	if list := s.do("CLIENT", "LIST", "TYPE", "pubsub"); strings.Count(list, " name=fan-out ") != 2 ||
		strings.Count(list, " user=bob ") != 1 || strings.Count(list, " db=0 ") != 2 {
		t.Errorf("%s", list)
	}
	if r.hubs.Join(upstream.Identity{User: "eve"}, a) != nil {
		t.Error("a third hub, and two are the most")
	}
	b.leave()
	d := r.person(upstream.Identity{User: "eve"}) // takes the place of bob's
	if r.hubs.Hub(b.m.line.id) != nil {
		t.Error("a hub without members has not made room")
	}
	d.leave()
	r.hubs.Tick()
	if n := r.hubs.Stats().Hubs; n != 2 {
		t.Errorf("%d hubs: one was closed at once", n)
	}
	r.hubs.Tick()
	a.leave()
	if n := r.hubs.Stats().Hubs; n != 1 {
		t.Errorf("%d hubs", n)
	}
	r.hubs.Tick()
	r.hubs.Tick()
	if c.ask(Channels, "x") != nil {
		t.Error("a hub with a member was closed")
	}
	c.leave()
	r.hubs.Tick()
	r.hubs.Tick()
	eventually(t, "connections", func() string { return s.do("CLIENT", "LIST", "TYPE", "pubsub") },
		func(list string) bool { return !strings.Contains(list, "fan-out") })
	r.hubs.Close()
	if r.hubs.Join(nobody, a) != nil {
		t.Error("joined what is closed")
	}
}

// TestResubscribeRacesWithUnsubscribe: one leaves while the other comes; what is
// wanted in the end is subscribed, and whoever is told so gets the next message.
func TestResubscribeRacesWithUnsubscribe(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{Lines: 1})
	r.open(s)
	one, two := r.person(nobody), r.person(nobody)
	one.subscribe(Channels, "x")
	for i := range 500 {
		one.unsubscribe(Channels, "x")
		if i%3 == 0 { // nobody waits for the answer in between
			two.ask(Channels, "x")
			two.unsubscribe(Channels, "x")
		}
		two.subscribe(Channels, "x")
		if n := s.number("PUBLISH", "x", fmt.Sprint(i)); n != 1 {
			t.Fatalf("round %d: %d receivers", i, n)
		}
		two.gets(message(Channels, "x", fmt.Sprint(i)))
		one, two = two, one
	}
	two.leave()
	one.leave()
	s.becomes(nil, "PUBSUB", "CHANNELS")
}

// TestTicketWhoseNamesAreGone is answered all the same.
func TestTicketWhoseNamesAreGone(t *testing.T) {
	s := startRedis(t)
	r := newRig(t, Options{Lines: 1})
	p := r.person(nobody)
	ticket := p.ask(Channels, "a", "b")
	p.unsubscribe(Channels, "a", "b")
	r.open(s)
	if got := p.outcome(ticket); got != "" {
		t.Errorf("got %q", got)
	}
	if names := s.list("PUBSUB", "CHANNELS"); len(names) > 0 {
		t.Errorf("subscribed: %q", names)
	}
}
