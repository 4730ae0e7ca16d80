package failover

import (
	"fmt"
	"strings"
)

// doubtRows send something that shall lose its reply: nobody can know then whether it
// ran. It must not run twice, and the client must not be told what is not so. Which
// commands steadis has handed to the network when the master dies is chance: those
// that it has not, it sends to the new one.
var doubtRows = []matrixRow{
	{
		name:   "write without an answer",
		struck: func(s *stage) { s.c.sendAll([]string{"INCR", s.key}, []string{"GET", s.key}) },
		after:  func(s *stage) { wantOnceAtMost(s, ":1"); s.c.want("+OK", "SET", s.key, "on") },
	},
	{
		name: "pipeline of writes without an answer",
		struck: func(s *stage) {
			s.c.sendAll([]string{"SADD", s.key, "a"}, []string{"SADD", s.key, "b"}, []string{"SORT", s.key, "ALPHA"})
		},
		after: func(s *stage) {
			var list []string
			for _, element := range []string{"a", "b"} {
				if reply := s.c.next(); !strings.HasPrefix(reply, "-INDOUBT steadis: ") {
					list = append(list, element)
					s.wantNotOnOld(reply, "0", "SISMEMBER", s.key, element)
				}
			}
			s.c.expect(strings.TrimSpace("*" + string('0'+rune(len(list))) + " " + strings.Join(list, " ")))
		},
	},
	{
		name: "whole transaction without an answer",
		struck: func(s *stage) {
			s.c.sendAll([]string{"MULTI"}, []string{"INCR", s.key}, []string{"EXEC"}, []string{"GET", s.key})
		},
		after: func(s *stage) { s.c.expect("+OK", "+QUEUED"); wantOnceAtMost(s, "*1 :1") },
	},
	{
		name:   "EXEC without an answer",
		before: func(s *stage) { s.c.want("+OK", "MULTI"); s.c.want("+QUEUED", "INCR", s.key) },
		struck: func(s *stage) { s.c.sendAll([]string{"EXEC"}, []string{"GET", s.key}) },
		after:  func(s *stage) { wantOnceAtMost(s, "*1 :1") },
	},
	{
		name: "EXEC of a watched transaction without an answer",
		before: func(s *stage) {
			s.c.want("+OK", "WATCH", s.key)
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "INCR", s.key)
		},
		struck: func(s *stage) { s.c.sendAll([]string{"EXEC"}, []string{"GET", s.key}) },
		after:  func(s *stage) { wantOnceAtMost(s, "*1 :1", s.null("*")) },
	},
	{
		name: "EXEC of reads without an answer",
		before: func(s *stage) {
			s.c.want("+OK", "SET", s.key, "v")
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "GET", s.key)
		},
		struck: func(s *stage) { s.c.send("EXEC") },
		after:  func(s *stage) { s.c.expect("*1 v") },
	},
	{
		name:   "queued command without an answer",
		before: func(s *stage) { s.c.want("+OK", "MULTI"); s.c.want("+QUEUED", "INCR", s.key) },
		struck: func(s *stage) { s.c.send("INCR", s.key) },
		after: func(s *stage) {
			s.c.expect("+QUEUED")
			s.c.want("*2 :1 :2", "EXEC")
			s.wantDirect("2", "GET", s.key)
		},
	},
	{
		name:   "MULTI, SELECT, WATCH without an answer",
		before: func(s *stage) { s.c.want("+PONG", "PING") },
		struck: func(s *stage) { s.c.send("MULTI"); s.other().send("SELECT", "3"); s.dial().send("WATCH", s.key) },
		after: func(s *stage) {
			watcher := s.clients[len(s.clients)-1]
			s.c.expect("+OK")
			s.c.want("+QUEUED", "INCR", s.key)
			s.c.want("*1 :1", "EXEC")
			s.other().expect("+OK")
			s.other().want("$-1", "GET", s.key)
			watcher.expect("+OK")
			watcher.want("1", "GET", s.key)
		},
	},
	{
		name: "EVAL without an answer",
		struck: func(s *stage) {
			s.c.sendAll([]string{"EVAL", "return redis.call('INCR', KEYS[1])", "1", s.key}, []string{"GET", s.key})
		},
		after: func(s *stage) { wantOnceAtMost(s, ":1") },
	},
}

// wantOnceAtMost wants either one of the replies that say what the command has done,
// or INDOUBT; then GET's reply, which must not contradict it: the command was to
// increment s.key. A nil reply says that nothing was done.
func wantOnceAtMost(s *stage, replies ...string) {
	reply, value := s.c.next(), s.c.next()
	want := ""
	switch {
	case strings.HasPrefix(reply, "-INDOUBT steadis: ") && !s.scene.planned:
		want = s.null("$") // the master was frozen before it got the command: no replica has it
	case reply == replies[0]:
		want = "1"
	case len(replies) > 1 && reply == replies[1]:
		want = s.null("$")
	default:
		s.failf("got %q, want one of %q or INDOUBT", reply, replies)
	}
	if value != want {
		s.failf("told %q, but then the value is %q", reply, value)
	}
	if !strings.HasPrefix(reply, "-INDOUBT ") {
		s.wantNotOnOld(reply, "<nil>", "GET", s.key)
	}
	s.never(fmt.Sprintf("it was told %q, and the command has run later, or twice", reply), func() bool { return s.c.do("GET", s.key) != want })
}

// wantNotOnOld checks that a command whose reply came from the new master has not run
// on the old one too: that has done by now what lay in its sockets when it froze.
func (s *stage) wantNotOnOld(reply, want string, args ...string) {
	if s.scene.planned {
		return // the reply is the old master's
	}
	<-s.scene.revived
	if got := s.at(s.scene.old, args...); got != want {
		s.failf("told %q, but it has run on the old master as well: %s says %q there", reply, strings.Join(args, " "), got)
	}
}
