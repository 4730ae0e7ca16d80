package failover

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// subscribing is one of the three ways to subscribe.
type subscribing struct {
	subscribe, unsubscribe, message, publish string
	pattern                                  bool
}

var subscribings = []subscribing{
	{"SUBSCRIBE", "UNSUBSCRIBE", "message", "PUBLISH", false},
	{"PSUBSCRIBE", "PUNSUBSCRIBE", "pmessage", "PUBLISH", true},
	{"SSUBSCRIBE", "SUNSUBSCRIBE", "smessage", "SPUBLISH", false},
}

// name is what is subscribed to get what is published to channel.
func (u subscribing) name(channel string) string {
	if u.pattern {
		return channel + "*"
	}
	return channel
}

// confirmed is the reply to an (un)subscribing command.
func (s *stage) confirmed(command, name string, count int) string {
	return fmt.Sprintf("%s %s %s :%d", s.in("*3", ">3"), strings.ToLower(command), name, count)
}

// wantMessage wants a message to be the next thing that the client gets, apart from
// replies in RESP3.
func (s *stage) wantMessage(words string) {
	n := len(strings.Fields(words))
	if s.proto == 3 {
		s.c.wantPush(fmt.Sprintf(">%d %s", n, words))
		return
	}
	s.c.expect(fmt.Sprintf("*%d %s", n, words))
}

// gets checks that the client gets a message that is published now, and gets nothing
// else before it. On a new master the subscription may be a moment late: what is
// published before is for nobody, as without steadis.
func (u subscribing) gets(s *stage, channel, text string) {
	s.eventually("a subscriber of "+channel, func() bool { return s.other().do(u.publish, channel, text) != ":0" })
	if u.pattern {
		s.wantMessage(strings.Join([]string{u.message, u.name(channel), channel, text}, " "))
		return
	}
	s.wantMessage(strings.Join([]string{u.message, channel, text}, " "))
}

// nobodyGets publishes until nobody is subscribed any more: a shared connection is a
// little longer than its last subscriber. The caller checks that the client got
// nothing.
func (u subscribing) nobodyGets(s *stage, channel string) {
	s.eventually("nobody to be subscribed to "+channel, func() bool { return s.other().do(u.publish, channel, "nobody") == ":0" })
}

func pubsubRowsOf(u subscribing) []matrixRow {
	return []matrixRow{
		{
			name: u.subscribe,
			before: func(s *stage) {
				s.c.want(s.confirmed(u.subscribe, u.name(s.key), 1), u.subscribe, u.name(s.key))
				u.gets(s, s.key, "before")
			},
			after: func(s *stage) {
				u.gets(s, s.key, "after")
				s.c.want(s.in("*2 pong ", "+PONG"), "PING")
				s.c.want(s.confirmed(u.subscribe, u.name("more:"+s.key), 2), u.subscribe, u.name("more:"+s.key))
				u.gets(s, "more:"+s.key, "again")
				s.c.silent()
			},
		},
		{
			name: u.subscribe + " to several, " + u.unsubscribe,
			before: func(s *stage) {
				s.c.send(u.subscribe, u.name(s.key+":a"), u.name(s.key+":b"), u.name(s.key+":c"))
				for i, channel := range []string{":a", ":b", ":c"} {
					s.c.expect(s.confirmed(u.subscribe, u.name(s.key+channel), i+1))
				}
				s.c.want(s.confirmed(u.unsubscribe, u.name(s.key+":c"), 2), u.unsubscribe, u.name(s.key+":c"))
			},
			after: func(s *stage) {
				u.gets(s, s.key+":a", "after")
				u.gets(s, s.key+":b", "after")
				s.c.want(s.confirmed(u.unsubscribe, u.name(s.key+":a"), 1), u.unsubscribe, u.name(s.key+":a"))
				u.nobodyGets(s, s.key+":a")
				u.nobodyGets(s, s.key+":c")
				s.c.want(s.confirmed(u.unsubscribe, u.name(s.key+":b"), 0), u.unsubscribe)
				u.nobodyGets(s, s.key+":b")
				s.c.want("+OK", "SET", s.key, "v")
				s.c.silent()
			},
		},
		{
			name: u.subscribe + " during the outage",
			held: func(s *stage) { s.c.send(u.subscribe, u.name(s.key)) },
			after: func(s *stage) {
				s.c.expect(s.confirmed(u.subscribe, u.name(s.key), 1))
				u.gets(s, s.key, "after") // with one PUBLISH: what is confirmed is so
				s.c.silent()
			},
		},
	}
}

// pubsubRows are about subscriptions and keyspace notifications. The first subscribers
// have a connection of their own to the master; once there is a crowd, the others
// share some. So all rows come twice, with the crowd in between.
func pubsubRows() []matrixRow {
	plain := append([]matrixRow(nil), morePubsubRows...)
	for _, u := range subscribings {
		plain = append(plain, pubsubRowsOf(u)...)
	}
	rows := append(slices.Clone(plain), crowdRow)
	for _, r := range plain {
		r.name += ", in a crowd"
		rows = append(rows, r)
	}
	return rows
}

// crowd is more subscribers than have connections of their own.
const crowd = 50

var crowdRow = matrixRow{
	name:  "crowd of subscribers",
	proto: 2,
	before: func(s *stage) {
		for range crowd {
			s.dial().want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key)
		}
		s.note = s.c.do("PUBLISH", s.key, "before")
		if n, err := strconv.Atoi(s.note[1:]); err != nil || n >= crowd {
			s.failf("%d subscribers have %s connections to the master: they do not share", crowd, s.note)
		}
		for _, c := range s.clients[1:] {
			c.expect("*3 message " + s.key + " before")
		}
	},
	after: func(s *stage) {
		text := ""
		s.eventually("all connections to be subscribed again", func() bool {
			text += "x" // those that are there already get each attempt
			return s.c.do("PUBLISH", s.key, text) == s.note
		})
		for _, c := range s.clients[1:] {
			for got := ""; got != "*3 message "+s.key+" "+text; {
				if got = c.next(); !strings.HasPrefix(got, "*3 message "+s.key+" x") {
					s.failf("got %q", got)
				}
			}
			c.silent()
		}
	},
}

// hasSubscriber says whether the announced master has a subscriber of a channel.
func (s *stage) hasSubscriber(channel string) bool {
	return s.direct("PUBSUB", "NUMSUB", channel) != "["+channel+" 0]"
}

var morePubsubRows = []matrixRow{
	{
		name:   "subscription without an answer",
		before: func(s *stage) { s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key) },
		struck: func(s *stage) { s.c.send("SUBSCRIBE", s.key+":a", s.key+":b") },
		after: func(s *stage) {
			s.c.expect(s.confirmed("SUBSCRIBE", s.key+":a", 2), s.confirmed("SUBSCRIBE", s.key+":b", 3))
			subscribings[0].gets(s, s.key+":b", "after")
			subscribings[0].gets(s, s.key, "after")
			s.c.silent()
		},
	},
	{
		name: "unsubscription without an answer",
		before: func(s *stage) {
			s.c.send("SUBSCRIBE", s.key+":a", s.key+":b", s.key+":c")
			s.c.expect(s.confirmed("SUBSCRIBE", s.key+":a", 1), s.confirmed("SUBSCRIBE", s.key+":b", 2), s.confirmed("SUBSCRIBE", s.key+":c", 3))
		},
		struck: func(s *stage) { s.c.send("UNSUBSCRIBE", s.key+":a", s.key+":b") },
		after: func(s *stage) {
			s.c.expect(s.confirmed("UNSUBSCRIBE", s.key+":a", 2), s.confirmed("UNSUBSCRIBE", s.key+":b", 1))
			subscribings[0].gets(s, s.key+":c", "after")
			subscribings[0].nobodyGets(s, s.key+":a")
			s.c.silent()
		},
	},
	{
		name:   "commands in subscribed mode",
		proto:  2,
		before: func(s *stage) { s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key) },
		held:   func(s *stage) { s.c.send("GET", s.key) },
		after: func(s *stage) {
			const only = "-ERR Can't execute 'get': only (P|S)SUBSCRIBE..."
			s.c.expect(only)
			s.c.want(only, "GET", s.key)
			s.c.want("*2 pong hello", "PING", "hello")
			s.c.want("+RESET", "RESET")
			s.c.want("$-1", "GET", s.key)
		},
	},
	{
		name:   "PING in subscribed mode is answered during the outage",
		before: func(s *stage) { s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key) },
		held:   func(s *stage) { answeredAtOnce(s, s.c, s.in("*2 pong ", "+PONG"), "PING") },
	},
	{
		name:  "RESP3 subscriber that sends commands",
		proto: 3,
		before: func(s *stage) {
			s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key)
			s.c.want("+OK", "SET", s.key, "v")
			s.c.want("v", "GET", s.key)
		},
		held: func(s *stage) { s.c.sendAll([]string{"GET", s.key}, []string{"INCR", s.key + ":n"}) },
		after: func(s *stage) {
			s.c.expect("v", ":1")
			subscribings[0].gets(s, s.key, "after")
			s.c.want("v", "GET", s.key)
			s.c.want(":1", "PUBLISH", s.key, "mine")
			s.wantMessage("message " + s.key + " mine")
			s.c.silent()
		},
	},
	{
		name: "subscriber in another database as another user",
		before: func(s *stage) {
			s.c.want("+OK", "AUTH", "alice", "alicepw")
			s.c.want("+OK", "SELECT", "3")
			s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key)
		},
		after: func(s *stage) {
			subscribings[0].gets(s, s.key, "after")
			s.c.want(s.confirmed("UNSUBSCRIBE", s.key, 0), "UNSUBSCRIBE", s.key)
			s.c.want("alice", "ACL", "WHOAMI")
			s.c.want("+OK", "SET", s.key, "three")
			s.other().want("+OK", "SELECT", "3")
			s.other().want("three", "GET", s.key)
		},
	},
	{
		name: "keyspace notifications",
		before: func(s *stage) {
			s.note = "__keyspace@0__:" + s.key
			s.c.want(s.confirmed("SUBSCRIBE", s.note, 1), "SUBSCRIBE", s.note)
			s.other().want("+OK", "SET", s.key, "v")
			s.wantMessage("message " + s.note + " set")
		},
		after: func(s *stage) {
			s.eventually("a subscriber", func() bool { return s.hasSubscriber(s.note) })
			s.other().want("+OK", "SET", s.key, "w")
			s.wantMessage("message " + s.note + " set")
			s.other().want(":1", "DEL", s.key)
			s.wantMessage("message " + s.note + " del")
			s.c.silent()
		},
	},
	{
		name: "keyevent notifications by pattern",
		before: func(s *stage) {
			s.note = "__keyspace@3__:" + s.key + "*"
			s.c.want(s.confirmed("PSUBSCRIBE", s.note, 1), "PSUBSCRIBE", s.note)
			s.c.want(s.confirmed("SUBSCRIBE", s.key, 2), "SUBSCRIBE", s.key)
		},
		after: func(s *stage) {
			subscribings[0].gets(s, s.key, "after") // then the pattern is there too, or
			s.other().want("+OK", "SELECT", "3")    // the one below finds that it is not
			s.other().want(":1", "LPUSH", s.key+":list", "e")
			s.wantMessage("pmessage " + s.note + " __keyspace@3__:" + s.key + ":list lpush")
			s.c.silent()
		},
	},
	{
		name:   "unsubscribing without a subscription",
		before: func(s *stage) { s.c.want(s.confirmed("UNSUBSCRIBE", s.key, 0), "UNSUBSCRIBE", s.key) },
		held: func(s *stage) {
			s.c.sendAll([]string{"UNSUBSCRIBE"}, []string{"PUNSUBSCRIBE", "x", "y"}, []string{"SET", s.key, "v"})
		},
		after: func(s *stage) {
			s.c.expect(s.in("*3 unsubscribe $-1 :0", ">3 unsubscribe _ :0"), s.confirmed("PUNSUBSCRIBE", "x", 0), s.confirmed("PUNSUBSCRIBE", "y", 0), "+OK")
		},
	},
	{
		name:  "MULTI of a RESP3 subscriber",
		proto: 3,
		before: func(s *stage) {
			s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key)
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
		},
		after: func(s *stage) {
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("*2 :1 :2", "EXEC")
			subscribings[0].gets(s, s.key, "after")
			s.c.silent()
		},
	},
	{
		name: "PUBLISH and SPUBLISH during the outage",
		held: func(s *stage) {
			s.c.sendAll([]string{"PUBLISH", s.key, "x"}, []string{"SPUBLISH", s.key, "x"}, []string{"PUBSUB", "NUMSUB", s.key})
		},
		after: func(s *stage) { s.c.expect(":0", ":0", "*2 "+s.key+" :0") },
	},
}
