package failover

import "strings"

// connectionRows are about who a client is, in which database and in which protocol.
var connectionRows = []matrixRow{
	{
		name: "SELECT",
		before: func(s *stage) {
			s.other().want("+OK", "SET", s.key, "zero")
			s.c.want("+OK", "SELECT", "3")
			s.c.want("+OK", "SET", s.key, "three")
		},
		held: func(s *stage) { s.c.send("GET", s.key) },
		after: func(s *stage) {
			s.c.expect("three")
			s.c.want("three", "GET", s.key)
			s.c.want("-ERR DB index is out of range", "SELECT", "16")
			s.c.want("three", "GET", s.key)
			s.c.want("+OK", "SELECT", "0")
			s.c.want("zero", "GET", s.key)
		},
	},
	{
		name: "SELECT during the outage",
		before: func(s *stage) {
			s.other().want("+OK", "SELECT", "3")
			s.other().want("+OK", "SET", s.key, "three")
		},
		held: func(s *stage) {
			s.c.sendAll([]string{"SELECT", "3"}, []string{"GET", s.key}, []string{"SELECT", "16"}, []string{"GET", s.key})
		},
		after: func(s *stage) { s.c.expect("+OK", "three", "-ERR DB index is out of range", "three") },
	},
	{
		name: "SELECT of a database that nobody has used",
		held: func(s *stage) { s.c.sendAll([]string{"SELECT", "14"}, []string{"SET", s.key, "v"}) },
		after: func(s *stage) {
			s.c.expect("+OK", "+OK")
			s.other().want("+OK", "SELECT", "14")
			s.other().want("v", "GET", s.key)
		},
	},
	{
		name: "AUTH",
		before: func(s *stage) {
			s.c.want("+OK", "AUTH", "bob", "bobpw")
			s.c.want("bob", "ACL", "WHOAMI")
			s.c.want("+OK", "SET", "bob:"+s.key, "v")
		},
		held: func(s *stage) { s.c.sendAll([]string{"GET", "bob:" + s.key}, []string{"GET", s.key}) },
		after: func(s *stage) {
			s.c.expect("v", "-NOPERM...")
			s.c.want("bob", "ACL", "WHOAMI")
			s.c.want("-WRONGPASS...", "AUTH", "bob", "wrong")
			s.c.want("bob", "ACL", "WHOAMI")
			s.c.want("+OK", "AUTH", "alice", "alicepw")
			s.c.want("alice", "ACL", "WHOAMI")
		},
	},
	{
		name: "AUTH and SELECT with a private connection",
		before: func(s *stage) {
			s.c.want("+OK", "AUTH", "alice", "alicepw")
			s.c.want("+OK", "SELECT", "3")
			s.c.want("+OK", "WATCH", s.key)
		},
		held: func(s *stage) { s.c.send("ACL", "WHOAMI") },
		after: func(s *stage) {
			s.c.expect("alice")
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "GET", s.key)
			s.c.want(s.null("*"), "EXEC")
			s.c.want("+OK", "SET", s.key, "v")
			s.other().want("+OK", "SELECT", "3")
			s.other().want("v", "GET", s.key)
			s.c.want("alice", "ACL", "WHOAMI")
		},
	},
	{
		name: "AUTH as a user that the new master does not know",
		before: func(s *stage) {
			s.note = "ghost:" + s.key
			s.at(s.scene.old, "ACL", "SETUSER", s.note, "on", ">pw", "~*", "&*", "+@all")
			s.c.want("+OK", "AUTH", s.note, "pw")
			s.c.want("+OK", "SET", s.key, "v")
		},
		held: func(s *stage) { s.c.send("GET", s.key) },
		after: func(s *stage) {
			s.c.expect("-WRONGPASS...")
			s.c.want("-WRONGPASS...", "GET", s.key)
			s.c.want("-WRONGPASS...", "AUTH", s.note, "pw")
			s.c.want("+OK", "AUTH", "alice", "alicepw")
			s.c.want("v", "GET", s.key)
		},
	},
	{
		name: "subscriber that the new master does not know",
		before: func(s *stage) {
			s.note = "ghost:" + s.key
			s.at(s.scene.old, "ACL", "SETUSER", s.note, "on", ">pw", "~*", "&*", "+@all")
			s.c.want("+OK", "AUTH", s.note, "pw")
			s.c.want(s.in("*3", ">3")+" subscribe "+s.key+" :1", "SUBSCRIBE", s.key)
		},
		after: func(s *stage) { s.c.wantClosed() }, // as Redis does when a user loses a channel
	},
	{
		name:  "HELLO 3",
		proto: 3,
		before: func(s *stage) {
			s.c.want(":1", "HSET", s.key, "a", "1")
			s.c.want("%1 a 1", "HGETALL", s.key)
		},
		held: func(s *stage) { s.c.send("HGETALL", s.key) },
		after: func(s *stage) {
			s.c.expect("%1 a 1")
			s.c.want("%1 a 1", "HGETALL", s.key)
			s.c.want("_", "GET", s.key+":none")
			if hello := s.c.do("HELLO"); !strings.Contains(hello, "proto :3") {
				s.failf("HELLO: %s", hello)
			}
			s.c.want("*14 server redis...", "HELLO", "2")
			s.c.want("*2 a 1", "HGETALL", s.key)
		},
	},
	{
		name:  "HELLO 3 AUTH SETNAME",
		proto: 2,
		before: func(s *stage) {
			s.c.want("%7 server redis...", "HELLO", "3", "AUTH", "bob", "bobpw", "SETNAME", "me")
			s.c.want(":1", "HSET", "bob:"+s.key, "a", "1")
		},
		held: func(s *stage) { s.c.send("HGETALL", "bob:"+s.key) },
		after: func(s *stage) {
			s.c.expect("%1 a 1")
			s.c.want("bob", "ACL", "WHOAMI")
			s.c.want("me", "CLIENT", "GETNAME")
			s.c.want("-NOPERM...", "GET", s.key)
			s.c.want("-NOPROTO...", "HELLO", "4")
			s.c.want("-WRONGPASS...", "HELLO", "3", "AUTH", "bob", "wrong")
			s.c.want("bob", "ACL", "WHOAMI")
		},
	},
	{
		name: "RESET",
		before: func(s *stage) {
			s.c.want("+OK", "AUTH", "bob", "bobpw")
			s.c.want("+OK", "SELECT", "3")
			s.c.want("+OK", "CLIENT", "SETNAME", "me")
			s.c.want("+OK", "SET", "bob:"+s.key, "three")
			s.c.want("+OK", "WATCH", "bob:"+s.key)
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "SET", "bob:"+s.key, "queued")
		},
		after: func(s *stage) {
			s.c.want("+RESET", "RESET")
			s.c.want("default", "ACL", "WHOAMI")
			s.c.want("$-1", "CLIENT", "GETNAME")
			s.c.want("$-1", "GET", "bob:"+s.key)
			s.c.want("-ERR EXEC without MULTI", "EXEC")
			s.c.want("*0", "HGETALL", s.key) // RESP2
			s.wantDirect("0", "EXISTS", "bob:"+s.key)
		},
	},
	{
		name: "RESET before the failover and during it",
		before: func(s *stage) {
			s.c.want(s.in("*3", ">3")+" subscribe "+s.key+" :1", "SUBSCRIBE", s.key)
			s.c.want("+RESET", "RESET")
			s.c.want("+OK", "SET", s.key, "v")
			s.other().want("+OK", "SELECT", "3")
		},
		held: func(s *stage) { s.other().sendAll([]string{"RESET"}, []string{"GET", s.key}); s.c.send("GET", s.key) },
		after: func(s *stage) {
			s.c.expect("v")
			s.other().expect("+RESET", "v")
			s.wantDirect("[]", "PUBSUB", "CHANNELS", s.key)
		},
	},
}
