package failover

// transactionRows are about MULTI and WATCH.
var transactionRows = []matrixRow{
	{
		name: "open MULTI",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("+QUEUED", "GET", s.key)
		},
		held: func(s *stage) { s.c.send("INCR", s.key) },
		after: func(s *stage) {
			s.c.expect("+QUEUED")
			s.c.want("+QUEUED", "PING")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("*5 :1 1 :2 +PONG :3", "EXEC")
			s.c.want("3", "GET", s.key)
			s.c.want("-ERR EXEC without MULTI", "EXEC")
			s.wantDirect("3", "GET", s.key)
		},
	},
	{
		name: "open MULTI and EXEC during the outage",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
		},
		held: func(s *stage) { s.c.sendAll([]string{"INCR", s.key}, []string{"EXEC"}, []string{"INCR", s.key}) },
		after: func(s *stage) {
			s.c.expect("+QUEUED", "*2 :1 :2", ":3")
			s.wantDirect("3", "GET", s.key)
		},
	},
	{
		name: "whole transaction during the outage",
		held: func(s *stage) {
			s.c.sendAll([]string{"MULTI"}, []string{"INCR", s.key}, []string{"INCR", s.key}, []string{"EXEC"})
		},
		after: func(s *stage) { s.c.expect("+OK", "+QUEUED", "+QUEUED", "*2 :1 :2"); s.wantDirect("2", "GET", s.key) },
	},
	{
		name:   "MULTI and DISCARD",
		before: func(s *stage) { s.c.want("+OK", "MULTI"); s.c.want("+QUEUED", "INCR", s.key) },
		after: func(s *stage) {
			s.c.want("+OK", "DISCARD")
			s.c.want(s.null("$"), "GET", s.key)
			s.c.want("-ERR DISCARD without MULTI", "DISCARD")
		},
	},
	{
		name: "MULTI with a command that Redis refuses",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("-ERR wrong number of arguments...", "SET", s.key)
		},
		after: func(s *stage) {
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("-EXECABORT Transaction discarded because of previous errors.", "EXEC")
			s.c.want(s.null("$"), "GET", s.key)
		},
	},
	{
		name: "MULTI with a command that is unknown",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("-ERR unknown command...", "NOSUCHCOMMAND", s.key)
			s.c.want("+QUEUED", "INCR", s.key)
		},
		held:  func(s *stage) { s.c.send("EXEC") },
		after: func(s *stage) { s.c.expect("-EXECABORT..."); s.c.want(s.null("$"), "GET", s.key) },
	},
	{
		name: "MULTI with a command that steadis refuses",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("-ERR steadis: 'debug' is refused...", "DEBUG", "SLEEP", "0")
		},
		after: func(s *stage) {
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("-EXECABORT Transaction discarded because of previous errors.", "EXEC")
			s.c.want(s.null("$"), "GET", s.key)
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("*1 :1", "EXEC")
		},
	},
	{
		name: "SELECT in MULTI",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "SELECT", "3")
			s.c.want("+QUEUED", "SET", s.key, "three")
		},
		after: func(s *stage) {
			s.c.want("*2 +OK +OK", "EXEC")
			s.c.want("three", "GET", s.key)
			s.other().want("$-1", "GET", s.key)
		},
	},
	{
		name: "SELECT in MULTI before the failover",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "SELECT", "3")
			s.c.want("*1 +OK", "EXEC")
			s.c.want("+OK", "WATCH", s.key)
		},
		after: func(s *stage) {
			s.c.want("+OK", "UNWATCH")
			s.c.want("+OK", "SET", s.key, "three")
			s.other().want("$-1", "GET", s.key)
		},
	},
	{
		name: "SUBSCRIBE in MULTI",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "SUBSCRIBE", s.key)
		},
		after: func(s *stage) {
			s.c.want("*1 "+s.confirmed("SUBSCRIBE", s.key, 1), "EXEC")
			subscribings[0].gets(s, s.key, "after")
			s.c.silent()
		},
	},
	{
		name: "CLIENT commands in MULTI",
		before: func(s *stage) {
			s.note = s.c.do("CLIENT", "ID")
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "CLIENT", "ID")
			s.c.want("+QUEUED", "CLIENT", "SETNAME", "me")
			s.c.want("+QUEUED", "CLIENT", "GETNAME")
		},
		after: func(s *stage) {
			s.c.want("*3 "+s.note+" +OK me", "EXEC")
			s.c.want("me", "CLIENT", "GETNAME")
		},
	},
	{
		name: "blocking command in MULTI",
		before: func(s *stage) {
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "BLPOP", s.key, "0")
			s.c.want("+QUEUED", "RPUSH", s.key, "e")
			s.c.want("+QUEUED", "BLPOP", s.key, "0")
		},
		after: func(s *stage) { s.c.want("*3 "+s.null("*")+" :1 *2 "+s.key+" e", "EXEC") },
	},
	{
		name:   "blocking command queued during the outage, its time ends there",
		before: func(s *stage) { s.c.want("+OK", "MULTI") },
		held:   func(s *stage) { s.c.sendAll([]string{"BLPOP", s.key, "0.1"}, []string{"INCR", s.key + ":n"}) },
		after: func(s *stage) {
			s.c.expect("+QUEUED", "+QUEUED")
			s.c.want("*2 "+s.null("*")+" :1", "EXEC")
		},
	},
	{
		name:   "WATCH",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "1"); s.c.want("+OK", "WATCH", s.key) },
		after: func(s *stage) {
			s.c.want("1", "GET", s.key)
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want(s.null("*"), "EXEC")
			watchAgain(s)
		},
	},
	{
		name: "WATCH and open MULTI",
		before: func(s *stage) {
			s.c.want("+OK", "SET", s.key, "1")
			s.c.want("+OK", "WATCH", s.key)
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
		},
		held: func(s *stage) { s.c.send("EXEC") },
		after: func(s *stage) {
			s.c.expect(s.null("*"))
			s.c.want("1", "GET", s.key)
			watchAgain(s)
		},
	},
	{
		name:   "WATCH, whole transaction during the outage",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "1"); s.c.want("+OK", "WATCH", s.key) },
		held: func(s *stage) {
			s.c.sendAll([]string{"MULTI"}, []string{"INCR", s.key}, []string{"EXEC"}, []string{"GET", s.key})
		},
		after: func(s *stage) { s.c.expect("+OK", "+QUEUED", s.null("*"), "1"); watchAgain(s) },
	},
	{
		name:   "WATCH and UNWATCH",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "1"); s.c.want("+OK", "WATCH", s.key) },
		after: func(s *stage) {
			s.c.want("+OK", "UNWATCH")
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("*1 :2", "EXEC")
		},
	},
	{
		name:   "WATCH during the outage",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "1") },
		held:   func(s *stage) { s.c.sendAll([]string{"WATCH", s.key}, []string{"GET", s.key}) },
		after: func(s *stage) {
			s.c.expect("+OK", "1")
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("*1 :2", "EXEC")
		},
	},
}

// watchAgain checks that WATCH does its work on the new master, for s.key, which is 1.
func watchAgain(s *stage) {
	s.c.want("+OK", "WATCH", s.key)
	s.other().want(":2", "INCR", s.key)
	s.c.want("+OK", "MULTI")
	s.c.want("+QUEUED", "INCR", s.key)
	s.c.want(s.null("*"), "EXEC")
	s.c.want("+OK", "WATCH", s.key)
	s.c.want("+OK", "MULTI")
	s.c.want("+QUEUED", "INCR", s.key)
	s.c.want("*1 :3", "EXEC")
	s.wantDirect("3", "GET", s.key)
}
