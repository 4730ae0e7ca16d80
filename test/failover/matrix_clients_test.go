package failover

import "strings"

// clientRows are about CLIENT's subcommands.
var clientRows = []matrixRow{
	{
		name: "CLIENT SETNAME, SETINFO, ID, INFO, LIST",
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "SETNAME", "name-"+s.key)
			s.c.want("+OK", "CLIENT", "SETINFO", "LIB-NAME", "lib")
			s.c.want("+OK", "SELECT", "3")
			s.note = s.c.do("CLIENT", "ID")
			s.seen = []string{sameAsEver(s.c.do("CLIENT", "INFO"))}
		},
		held: func(s *stage) {
			answeredAtOnce(s, s.c, "name-"+s.key, "CLIENT", "GETNAME")
			answeredAtOnce(s, s.c, s.note, "CLIENT", "ID")
			s.wantFace(s.c.do("CLIENT", "INFO"))
			s.wantFace(s.c.do("CLIENT", "LIST", "ID", s.note[1:]))
		},
		after: func(s *stage) {
			s.c.want("name-"+s.key, "CLIENT", "GETNAME")
			s.c.want(s.note, "CLIENT", "ID")
			s.wantFace(s.c.do("CLIENT", "INFO"))
			s.wantFace(s.other().do("CLIENT", "LIST", "ID", s.note[1:]))
			s.c.want("+OK", "CLIENT", "SETNAME", "")
			s.c.want(s.null("$"), "CLIENT", "GETNAME")
		},
	},
	{
		name: "CLIENT INFO of a client with a private connection",
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "SETNAME", "name-"+s.key)
			s.c.want("+OK", "WATCH", s.key)
			s.note = s.c.do("CLIENT", "ID")
			s.seen = []string{sameAsEver(s.c.do("CLIENT", "INFO"))}
		},
		after: func(s *stage) {
			s.c.want(s.note, "CLIENT", "ID")
			s.wantFace(s.c.do("CLIENT", "INFO"))
		},
	},
	{
		name: "CLIENT KILL",
		before: func(s *stage) {
			s.note = s.c.do("CLIENT", "ID")[1:]
			s.c.want("+OK", "CLIENT", "SETNAME", "victim")
		},
		after: func(s *stage) {
			s.other().want(":1", "CLIENT", "KILL", "ID", s.note)
			s.c.wantClosed()
			s.other().want(":0", "CLIENT", "KILL", "ID", s.note)
		},
	},
	{
		name:   "CLIENT KILL during the outage",
		before: func(s *stage) { s.note = s.c.do("CLIENT", "ID")[1:] },
		held: func(s *stage) {
			s.c.send("SET", s.key, "v")
			answeredAtOnce(s, s.other(), ":1", "CLIENT", "KILL", "ID", s.note)
			s.c.wantClosed()
		},
		after: func(s *stage) {
			s.never("the killed client's held write ran", func() bool { return s.direct("EXISTS", s.key) != "0" })
		},
	},
	{
		name: "CLIENT NO-EVICT",
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "NO-EVICT", "ON")
			s.seen = []string{sameAsEver(s.c.do("CLIENT", "INFO"))}
		},
		after: func(s *stage) {
			s.wantFace(s.c.do("CLIENT", "INFO"))
			if info := s.c.do("CLIENT", "INFO"); !strings.Contains(info, " flags=e ") {
				s.failf("CLIENT INFO: %s", info)
			}
			s.c.want("+OK", "CLIENT", "NO-EVICT", "OFF")
		},
	},
	{
		name:   "CLIENT NO-TOUCH, unknown to Redis 7.0",
		before: func(s *stage) { s.c.want("-ERR unknown subcommand 'NO-TOUCH'...", "CLIENT", "NO-TOUCH", "ON") },
		held:   func(s *stage) { s.c.send("CLIENT", "NO-TOUCH", "ON") },
		after: func(s *stage) {
			s.c.expect("-ERR unknown subcommand 'NO-TOUCH'...")
			s.c.want("+OK", "SET", s.key, "v")
		},
	},
	{
		name: "CLIENT REPLY OFF",
		before: func(s *stage) {
			s.c.sendAll([]string{"CLIENT", "REPLY", "OFF"}, []string{"INCR", s.key})
			s.eventually("INCR to run", func() bool { return s.direct("GET", s.key) == "1" })
		},
		held: func(s *stage) { s.c.send("INCR", s.key) },
		after: func(s *stage) {
			s.c.sendAll([]string{"INCR", s.key}, []string{"CLIENT", "REPLY", "ON"}, []string{"GET", s.key})
			s.c.expect("+OK", "3")
			s.c.silent()
		},
	},
	{
		name:   "CLIENT REPLY SKIP",
		before: func(s *stage) { s.c.send("CLIENT", "REPLY", "SKIP") },
		held:   func(s *stage) { s.c.sendAll([]string{"INCR", s.key}, []string{"GET", s.key}) },
		after: func(s *stage) {
			s.c.expect("1")
			s.c.sendAll([]string{"CLIENT", "REPLY", "SKIP"}, []string{"INCR", s.key}, []string{"INCR", s.key})
			s.c.expect(":3")
			s.c.silent()
		},
	},
	{
		name:   "CLIENT UNBLOCK",
		before: func(s *stage) { s.note = s.c.do("CLIENT", "ID")[1:]; s.c.send("BLPOP", s.key, "0") },
		after: func(s *stage) {
			s.eventually("the client to be unblocked", func() bool { return s.other().do("CLIENT", "UNBLOCK", s.note) == ":1" })
			s.c.expect(s.null("*"))
			s.c.want(s.null("$"), "GET", s.key)
		},
	},
	{
		name: "CLIENT UNBLOCK ERROR",
		before: func(s *stage) {
			s.note = s.c.do("CLIENT", "ID")[1:]
			s.c.send("XREAD", "BLOCK", "0", "STREAMS", s.key, "$")
		},
		after: func(s *stage) {
			s.eventually("the client to be unblocked", func() bool { return s.other().do("CLIENT", "UNBLOCK", s.note, "ERROR") == ":1" })
			s.c.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK")
			s.c.want(s.null("$"), "GET", s.key)
		},
	},
	{
		name:   "CLIENT UNBLOCK during the outage",
		before: func(s *stage) { s.note = s.c.do("CLIENT", "ID")[1:]; s.c.send("BLPOP", s.key, "0") },
		held:   func(s *stage) { s.other().send("CLIENT", "UNBLOCK", s.note) },
		after: func(s *stage) {
			// 1: it was blocked and is not any more; 0: it was not, as on its way to the
			// new master. Never both.
			switch told := s.other().next(); told {
			case ":1":
			case ":0":
				s.eventually("the client to be unblocked", func() bool { return s.other().do("CLIENT", "UNBLOCK", s.note) == ":1" })
			default:
				s.failf("CLIENT UNBLOCK: %s", told)
			}
			s.c.expect(s.null("*"))
		},
	},
}

// wantFace wants CLIENT INFO or LIST to show the client as it was before the failover.
func (s *stage) wantFace(line string) {
	if now := sameAsEver(line); now != s.seen[0] {
		s.failf("the client was shown as\n%s\nand is now\n%s", s.seen[0], now)
	}
}

// sameAsEver leaves of a line of CLIENT LIST what does not change with each command.
func sameAsEver(line string) string {
	line = strings.TrimPrefix(strings.TrimSpace(line), "txt:")
	var kept []string
	for _, field := range strings.Fields(line) {
		name, _, _ := strings.Cut(field, "=")
		switch name {
		case "id", "addr", "laddr", "fd", "name", "db", "sub", "psub", "ssub", "multi", "user", "redir", "resp", "lib-name", "lib-ver", "flags":
			kept = append(kept, field)
		}
	}
	return strings.Join(kept, " ")
}
