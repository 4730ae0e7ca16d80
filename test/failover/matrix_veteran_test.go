package failover

import "fmt"

// veteranRows are sessions that go through every round, one failover after the other.
var veteranRows = []matrixRow{
	{
		name:    "veteran with a user, a database and a name",
		veteran: true,
		before: func(s *stage) {
			s.c.want("+OK", "AUTH", "alice", "alicepw")
			s.c.want("+OK", "SELECT", "3")
			s.c.want("+OK", "CLIENT", "SETNAME", "veteran")
			s.c.want("+OK", "SET", s.key, "0")
		},
		held: func(s *stage) { s.c.send("INCR", s.key) },
		after: func(s *stage) {
			s.c.expect(fmt.Sprintf(":%d", s.scene.round))
			s.c.want("alice", "ACL", "WHOAMI")
			s.c.want("veteran", "CLIENT", "GETNAME")
		},
	},
	{
		name:    "veteran subscriber",
		veteran: true,
		before: func(s *stage) {
			s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key)
			s.c.want(s.confirmed("PSUBSCRIBE", s.key+":*", 2), "PSUBSCRIBE", s.key+":*")
		},
		after: func(s *stage) {
			subscribings[0].gets(s, s.key, fmt.Sprintf("round-%d", s.scene.round))
			s.c.silent()
		},
	},
	{
		name:    "veteran with a cache",
		proto:   3,
		veteran: true,
		before:  func(s *stage) { s.c.want("+OK", "CLIENT", "TRACKING", "ON") },
		after: func(s *stage) {
			s.c.wantPush(flushed)
			s.c.do("GET", s.key)
			s.other().want("+OK", "SET", s.key, "v")
			s.c.wantPush(invalidated(s.key))
			s.c.silent()
		},
	},
	{
		name:    "veteran in MULTI",
		veteran: true,
		before:  func(s *stage) { s.c.want("+OK", "MULTI") },
		after: func(s *stage) {
			s.c.want("+QUEUED", "INCR", s.key)
			if !s.scene.last {
				return
			}
			want := fmt.Sprintf("*%d", s.scene.round)
			for i := range s.scene.round {
				want += fmt.Sprintf(" :%d", i+1)
			}
			s.c.want(want, "EXEC")
		},
	},
	{
		name:    "veteran that blocks",
		veteran: true,
		before:  func(s *stage) { s.c.send("BLPOP", s.key, "0") },
		after: func(s *stage) {
			s.c.silent()
			if s.scene.last {
				s.other().want(":1", "RPUSH", s.key, "e")
				s.c.expect("*2 " + s.key + " e")
			}
		},
	},
}
