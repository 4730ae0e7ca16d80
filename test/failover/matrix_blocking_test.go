package failover

import (
	"fmt"
	"strings"
	"time"
)

// blocking is a blocking command with what wakes it. KEY is the row's key, TIME the
// time-out.
type blocking struct {
	name    string
	command string
	push    string // gives it one element, e
	resp2   string // its reply then
	resp3   string // if that is another one
	size    string // how many elements are left
	left    string // "0" if the element is the client's
}

var blockings = []blocking{
	{name: "BLPOP", command: "BLPOP KEY TIME", push: "RPUSH KEY e", resp2: "*2 KEY e", size: "LLEN KEY", left: "0"},
	{name: "BLPOP of several", command: "BLPOP KEY:none KEY TIME", push: "RPUSH KEY e", resp2: "*2 KEY e", size: "LLEN KEY", left: "0"},
	{name: "BRPOP", command: "BRPOP KEY TIME", push: "RPUSH KEY e", resp2: "*2 KEY e", size: "LLEN KEY", left: "0"},
	{name: "BLMOVE", command: "BLMOVE KEY KEY:to LEFT RIGHT TIME", push: "RPUSH KEY e", resp2: "e", size: "LLEN KEY:to", left: "1"},
	{name: "BRPOPLPUSH", command: "BRPOPLPUSH KEY KEY:to TIME", push: "RPUSH KEY e", resp2: "e", size: "LLEN KEY:to", left: "1"},
	{name: "BLMPOP", command: "BLMPOP TIME 1 KEY LEFT COUNT 5", push: "RPUSH KEY e", resp2: "*2 KEY *1 e", size: "LLEN KEY", left: "0"},
	{name: "BZPOPMIN", command: "BZPOPMIN KEY TIME", push: "ZADD KEY 1 e", resp2: "*3 KEY e 1", resp3: "*3 KEY e ,1", size: "ZCARD KEY", left: "0"},
	{name: "BZPOPMAX", command: "BZPOPMAX KEY TIME", push: "ZADD KEY 1 e", resp2: "*3 KEY e 1", resp3: "*3 KEY e ,1", size: "ZCARD KEY", left: "0"},
	{name: "BZMPOP", command: "BZMPOP TIME 1 KEY MIN", push: "ZADD KEY 1 e", resp2: "*2 KEY *1 *2 e 1", resp3: "*2 KEY *1 *2 e ,1", size: "ZCARD KEY", left: "0"},
	{name: "XREAD", command: "XREAD BLOCK TIMEms STREAMS KEY $", push: "XADD KEY 7-1 f e", resp2: "*1 *2 KEY *1 *2 7-1 *2 f e", resp3: "%1 KEY *1 *2 7-1 *2 f e",
		size: "XLEN KEY", left: "1"},
}

// words makes a command for a stage.
func (s *stage) words(text string, timeout time.Duration) []string {
	text = strings.ReplaceAll(text, "TIMEms", fmt.Sprint(timeout.Milliseconds()))
	text = strings.ReplaceAll(text, "TIME", fmt.Sprint(timeout.Seconds()))
	return strings.Fields(strings.ReplaceAll(text, "KEY", s.key))
}

// blockingRows are four rows for each blocking command, and some more.
func blockingRows() []matrixRow {
	rows := append([]matrixRow(nil), moreBlockingRows...)
	for _, b := range blockings {
		rows = append(rows,
			matrixRow{
				name:   b.name + " since before the failover",
				before: func(s *stage) { s.c.send(s.words(b.command, 60*time.Second)...) },
				after:  b.served,
			},
			b.heldBack(),
			b.timed("in vain, its time ends after the failover", 4*time.Second),
			b.timed("in vain, its time ends in the outage", 1500*time.Millisecond),
			matrixRow{
				name:  b.name + " in vain, sent during the outage",
				held:  func(s *stage) { s.began = time.Now(); s.c.send(s.words(b.command, 100*time.Millisecond)...) },
				after: func(s *stage) { inVain(s, 100*time.Millisecond) },
			},
		)
	}
	return rows
}

// heldBack is a row that begins to block during the outage. An XREAD does not see what
// was added before it has reached the new master, so it gets entries until it has one.
func (b blocking) heldBack() matrixRow {
	r := matrixRow{
		name:  b.name + " for ever, during the outage",
		held:  func(s *stage) { s.c.send(s.words(b.command, 0)...) },
		after: b.served,
	}
	if b.name == "XREAD" {
		r.after = func(s *stage) {
			s.eventually("an entry", func() bool {
				s.other().do("XADD", s.key, "*", "f", "e")
				_, came := s.c.take(&s.c.replies, 50*time.Millisecond)
				return came
			})
		}
	}
	return r
}

// served gives the client one element and checks that it gets that, once.
func (b blocking) served(s *stage) {
	s.c.silent()
	if told := s.other().do(s.words(b.push, 0)...); told[0] == '-' {
		s.failf("%s: %s", b.push, told)
	}
	reply := b.resp2
	if s.proto == 3 && b.resp3 != "" {
		reply = b.resp3
	}
	s.c.expect(strings.ReplaceAll(reply, "KEY", s.key))
	s.c.want("+OK", "SET", s.key+":on", "v") // the connection is as good as ever
	s.c.silent()
	s.wantDirect(b.left, s.words(b.size, 0)...)
}

// timed is a row that blocks since before the failover and gets nothing.
func (b blocking) timed(what string, timeout time.Duration) matrixRow {
	return matrixRow{
		name:   fmt.Sprintf("%s %s", b.name, what),
		before: func(s *stage) { s.began = time.Now(); s.c.send(s.words(b.command, timeout)...) },
		after:  func(s *stage) { inVain(s, timeout) },
	}
}

// tardy is how much longer than its own time-out a blocking command may take.
const tardy = time.Second

// inVain checks that the client was told that nothing came, not before its time was
// over and not long after. On a master that is frozen, nobody can tell before it is
// known to be down; and what it has perhaps not read yet runs when it thaws, so that nobody
// can tell before there is another one.
func inVain(s *stage, timeout time.Duration) {
	f := s.c.arrived()
	if f.text != s.null("*") {
		s.failf("got %q, want %q", f.text, s.null("*"))
	}
	latest := s.began.Add(timeout)
	if s.scene.heldAt.After(latest) {
		latest = s.scene.heldAt
	}
	if s.scene.frozen && s.scene.announcedAt.After(latest) {
		latest = s.scene.announcedAt
	}
	if took := f.at.Sub(s.began); took < timeout-20*time.Millisecond || f.at.After(latest.Add(tardy)) {
		s.failf("said that nothing came after %v, its time-out is %v, commands were held after %v", millis(took), timeout, millis(s.scene.heldAt.Sub(s.began)))
	}
	s.c.want("+OK", "SET", s.key+":on", "v")
	s.c.silent()
}

// moreBlockingRows are about clients that block and what else happens to them.
var moreBlockingRows = []matrixRow{
	{
		name:   "BLPOP and a pipeline behind it",
		before: func(s *stage) { s.c.sendAll([]string{"BLPOP", s.key, "0"}, []string{"RPUSH", s.key, "mine"}) },
		held:   func(s *stage) { s.c.send("LRANGE", s.key, "0", "-1") },
		after: func(s *stage) {
			s.other().want(":1", "RPUSH", s.key, "e")
			s.c.expect("*2 "+s.key+" e", ":1", "*1 mine")
		},
	},
	{
		name: "BLPOP in another database as another user",
		before: func(s *stage) {
			s.c.want("+OK", "AUTH", "alice", "alicepw")
			s.c.want("+OK", "SELECT", "3")
			s.c.send("BLPOP", s.key, "0")
		},
		after: func(s *stage) {
			s.other().want(":1", "RPUSH", s.key, "zero")
			s.other().want("+OK", "SELECT", "3")
			s.other().want(":1", "RPUSH", s.key, "three")
			s.c.expect("*2 " + s.key + " three")
			s.c.want("alice", "ACL", "WHOAMI")
		},
	},
	{
		name:   "BLPOP of two clients, two elements",
		before: func(s *stage) { s.c.send("BLPOP", s.key, "0"); s.dial().send("BLPOP", s.key, "0") },
		after: func(s *stage) {
			s.other().want(":2", "RPUSH", s.key, "a", "b")
			got := s.c.next() + s.clients[1].next()
			if !strings.Contains(got, " a") || !strings.Contains(got, " b") {
				s.failf("got %q", got)
			}
			s.wantDirect("0", "EXISTS", s.key)
		},
	},
	{
		name:   "BLPOP, woken on the new master at once",
		before: func(s *stage) { s.c.send("BLPOP", s.key, "0") },
		announced: func(s *stage) {
			s.wantDirect("1", "RPUSH", s.key, "e")
		},
		after: func(s *stage) { s.c.expect("*2 " + s.key + " e"); s.wantDirect("0", "EXISTS", s.key) },
	},
	{
		name:   "BLPOP of an element that is there, without an answer",
		before: func(s *stage) { s.other().want(":2", "RPUSH", s.key, "a", "b") },
		struck: func(s *stage) { s.c.send("BLPOP", s.key, "0") },
		after:  func(s *stage) { s.c.expect("*2 " + s.key + " a"); s.c.want("*1 b", "LRANGE", s.key, "0", "-1") },
	},
	{
		name:   "BLPOP of a client that hangs up during the outage",
		before: func(s *stage) { s.c.send("BLPOP", s.key, "0") },
		held:   func(s *stage) { s.c.conn.Close() },
		after:  leftAlone,
	},
	{
		name:   "BLMOVE of a client that hangs up during the outage",
		before: func(s *stage) { s.c.send("BLMOVE", s.key, s.key+":to", "LEFT", "RIGHT", "0") },
		held:   func(s *stage) { s.c.conn.Close() },
		after:  leftAlone,
	},
	{
		name:  "BLPOP sent during the outage by a client that hangs up",
		held:  func(s *stage) { s.c.send("BLPOP", s.key, "0"); s.c.conn.Close() },
		after: leftAlone,
	},
	{
		name: "BLPOP of a client that hangs up after the failover",
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "SETNAME", s.key)
			s.c.send("BLPOP", s.key, "0")
		},
		after: func(s *stage) {
			s.eventually("the client to block on the new master", func() bool { return s.blocksAtMaster(s.key) })
			s.c.conn.Close()
			s.eventually("steadis to notice", func() bool { return !s.blocksAtMaster(s.key) })
			leftAlone(s)
		},
	},
}

// blocksAtMaster says whether the announced master itself has a blocked client of that
// name: a private connection has its client's.
func (s *stage) blocksAtMaster(name string) bool {
	for line := range strings.SplitSeq(s.direct("CLIENT", "LIST"), "\n") {
		if strings.Contains(line, " name="+name+" ") && strings.Contains(line, " flags=b ") {
			return true
		}
	}
	return false
}

// leftAlone checks that nobody pops what is pushed for a client that has hung up.
func leftAlone(s *stage) {
	s.other().want(":1", "RPUSH", s.key, "e")
	s.never("it was popped for nobody", func() bool { return s.direct("LLEN", s.key) != "1" })
}

// streamRows are about streams' own kinds of blocking.
var streamRows = []matrixRow{
	{
		name: "XREAD $, an entry as soon as the new master is announced",
		before: func(s *stage) {
			s.other().want("1-1", "XADD", s.key, "1-1", "f", "old")
			s.c.send("XREAD", "BLOCK", "0", "STREAMS", s.key, "$")
		},
		announced: func(s *stage) { s.wantDirect("2-1", "XADD", s.key, "2-1", "f", "e") },
		after:     func(s *stage) { wantEntry(s, "2-1") },
	},
	{
		name:      "XREAD $ of no stream, an entry as soon as the new master is announced",
		before:    func(s *stage) { s.c.send("XREAD", "BLOCK", "0", "STREAMS", s.key, "$") },
		announced: func(s *stage) { s.wantDirect("2-1", "XADD", s.key, "2-1", "f", "e") },
		after:     func(s *stage) { wantEntry(s, "2-1") },
	},
	{
		name: "XREAD $ of two streams",
		before: func(s *stage) {
			s.other().want("1-1", "XADD", s.key, "1-1", "f", "old")
			s.c.send("XREAD", "COUNT", "5", "BLOCK", "0", "STREAMS", s.key+":none", s.key, "$", "$")
		},
		announced: func(s *stage) { s.wantDirect("2-1", "XADD", s.key, "2-1", "f", "e") },
		after:     func(s *stage) { wantEntry(s, "2-1") },
	},
	{
		name: "XREAD from an id",
		before: func(s *stage) {
			s.other().want("1-1", "XADD", s.key, "1-1", "f", "old")
			s.c.send("XREAD", "BLOCK", "0", "STREAMS", s.key, "1-1")
		},
		after: func(s *stage) { s.other().want("2-1", "XADD", s.key, "2-1", "f", "e"); wantEntry(s, "2-1") },
	},
	{
		name: "XREADGROUP >",
		before: func(s *stage) {
			s.other().want("+OK", "XGROUP", "CREATE", s.key, "g", "$", "MKSTREAM")
			s.c.send("XREADGROUP", "GROUP", "g", "me", "BLOCK", "0", "STREAMS", s.key, ">")
		},
		after: func(s *stage) {
			s.other().want("2-1", "XADD", s.key, "2-1", "f", "e")
			wantEntry(s, "2-1")
			s.c.want("*4 :1 2-1 2-1 *1 *2 me 1", "XPENDING", s.key, "g")
			s.c.want(":1", "XACK", s.key, "g", "2-1")
		},
	},
	{
		name: "XREADGROUP >, an entry as soon as the new master is announced",
		before: func(s *stage) {
			s.other().want("+OK", "XGROUP", "CREATE", s.key, "g", "$", "MKSTREAM")
			s.c.send("XREADGROUP", "GROUP", "g", "me", "BLOCK", "60000", "STREAMS", s.key, ">")
		},
		announced: func(s *stage) { s.wantDirect("2-1", "XADD", s.key, "2-1", "f", "e") },
		after:     func(s *stage) { wantEntry(s, "2-1"); s.c.want(":1", "XACK", s.key, "g", "2-1") },
	},
	{
		name: "XREADGROUP in vain",
		before: func(s *stage) {
			s.other().want("+OK", "XGROUP", "CREATE", s.key, "g", "$", "MKSTREAM")
			s.began = time.Now()
			s.c.send("XREADGROUP", "GROUP", "g", "me", "BLOCK", "4000", "STREAMS", s.key, ">")
		},
		after: func(s *stage) { inVain(s, 4*time.Second) },
	},
}

// wantEntry wants the one new entry of s.key, as XREAD gives it.
func wantEntry(s *stage, id string) {
	s.c.expect(s.in("*1 *2 ", "%1 ") + s.key + " *1 *2 " + id + " *2 f e")
	s.c.want("+OK", "SET", s.key+":on", "v")
	s.c.silent()
}

// waitRows are about WAIT: after a failover nothing is known of what was written
// before.
var waitRows = []matrixRow{
	{
		name: "WAIT cut short",
		before: func(s *stage) {
			s.c.want("+OK", "SET", s.key, "v")
			s.c.send("WAIT", "3", "0")
		},
		after: func(s *stage) {
			s.c.expect(":0")
			s.c.want("+OK", "SET", s.key, "w")
			s.eventually("a replica to follow the new master", func() bool { return s.c.do("WAIT", "1", "1000") != ":0" })
		},
	},
	{
		name:   "WAIT for a write before the failover",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "v") },
		held:   func(s *stage) { s.c.send("WAIT", "1", "1000") },
		after:  func(s *stage) { s.c.expect(":0") },
	},
	{
		name: "WAIT for a write during the outage",
		held: func(s *stage) { s.c.send("SET", s.key, "v") },
		after: func(s *stage) {
			s.c.expect("+OK")
			s.eventually("a replica to follow the new master", func() bool { return s.c.do("WAIT", "1", "1000") != ":0" })
		},
	},
	{
		name:   "WAIT with wrong arguments",
		before: func(s *stage) { s.c.want("+OK", "SET", s.key, "v") },
		after: func(s *stage) {
			s.c.want("-ERR wrong number of arguments for 'wait' command", "WAIT", "1")
			s.c.want("-ERR value is not an integer or out of range", "WAIT", "x", "1")
			s.c.want(":0", "WAIT", "1", "1")
		},
	},
	{
		name: "WAIT that is in time",
		before: func(s *stage) {
			s.c.want("+OK", "SET", s.key, "v")
			s.c.want(":2", "WAIT", "2", "10000")
		},
	},
	{
		name: "WAITAOF, unknown to Redis 7.0",
		before: func(s *stage) {
			s.c.want("+OK", "SET", s.key, "v")
			s.c.want("-ERR unknown command 'WAITAOF'...", "WAITAOF", "0", "1", "100")
		},
		after: func(s *stage) { s.c.want("-ERR unknown command 'WAITAOF'...", "WAITAOF", "0", "1", "100") },
	},
}
