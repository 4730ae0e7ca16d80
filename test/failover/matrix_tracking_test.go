package failover

import (
	"strings"
	"time"
)

// flushed is what a caching client gets when all that it has may be stale (Redis 7.0
// tracking.c trackingInvalidateKeysOnFlush).
const flushed = ">2 invalidate _"

// invalidated is what it gets for one key.
func invalidated(key string) string { return ">2 invalidate *1 " + key }

// trackingRows are about CLIENT TRACKING and MONITOR.
var trackingRows = []matrixRow{
	{
		name:  "CLIENT TRACKING",
		proto: 3,
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "TRACKING", "ON")
			s.c.want("_", "GET", s.key)
			s.other().want("+OK", "SET", s.key, "1")
			s.c.wantPush(invalidated(s.key))
			s.c.want("1", "GET", s.key)
		},
		after: func(s *stage) {
			s.c.wantPush(flushed)
			s.c.want("1", "GET", s.key)
			s.other().want("+OK", "SET", s.key, "2")
			s.c.wantPush(invalidated(s.key))
			s.other().want("+OK", "SET", s.key, "3") // once only, as long as it is not read
			s.c.want("%3 flags ~1 on redirect :0 prefixes *0", "CLIENT", "TRACKINGINFO")
			s.c.want("3", "GET", s.key)
			s.c.silent()
			s.c.want("+OK", "CLIENT", "TRACKING", "OFF")
			s.other().want("+OK", "SET", s.key, "4")
			s.c.want("4", "GET", s.key)
			s.c.silent()
		},
	},
	{
		name:  "CLIENT TRACKING, key changed during the outage",
		proto: 3,
		before: func(s *stage) {
			s.other().want("+OK", "SET", s.key, "1")
			s.c.want("+OK", "CLIENT", "TRACKING", "ON")
			s.c.want("1", "GET", s.key)
		},
		held: func(s *stage) { s.other().send("SET", s.key, "2"); s.c.send("GET", s.key+":none") },
		after: func(s *stage) {
			s.other().expect("+OK")
			s.c.expect("_")
			s.c.wantPush(flushed)
			s.c.want("2", "GET", s.key)
		},
	},
	{
		name:  "CLIENT TRACKING OPTIN",
		proto: 3,
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "TRACKING", "ON", "OPTIN")
			s.c.want("+OK", "CLIENT", "CACHING", "YES")
			s.c.want("_", "GET", s.key)
		},
		held: func(s *stage) {
			s.c.sendAll([]string{"CLIENT", "CACHING", "YES"}, []string{"GET", s.key}, []string{"GET", s.key + ":no"})
		},
		after: func(s *stage) {
			s.c.expect("+OK", "_", "_")
			s.c.wantPush(flushed)
			s.other().want("+OK", "SET", s.key+":no", "1")
			s.other().want("+OK", "SET", s.key, "1")
			s.c.wantPush(invalidated(s.key))
			s.c.sendAll([]string{"CLIENT", "CACHING", "YES"}, []string{"MULTI"}, []string{"GET", s.key}, []string{"EXEC"})
			s.c.expect("+OK", "+OK", "+QUEUED", "*1 1")
			s.other().want("+OK", "SET", s.key, "2")
			s.c.wantPush(invalidated(s.key))
			s.c.want("2", "GET", s.key)
			s.other().want("+OK", "SET", s.key, "3")
			s.c.want("3", "GET", s.key)
			s.c.silent()
		},
	},
	{
		name:   "CLIENT TRACKING OPTOUT",
		proto:  3,
		before: func(s *stage) { s.c.want("+OK", "CLIENT", "TRACKING", "ON", "OPTOUT") },
		after: func(s *stage) {
			s.c.wantPush(flushed)
			s.c.want("+OK", "CLIENT", "CACHING", "NO")
			s.c.want("_", "GET", s.key+":no")
			s.c.want("_", "GET", s.key)
			s.other().want("+OK", "SET", s.key+":no", "1")
			s.other().want("+OK", "SET", s.key, "1")
			s.c.wantPush(invalidated(s.key))
			s.c.silent()
		},
	},
	{
		name:   "CLIENT TRACKING NOLOOP",
		proto:  3,
		before: func(s *stage) { s.c.want("+OK", "CLIENT", "TRACKING", "ON", "NOLOOP") },
		after: func(s *stage) {
			s.c.wantPush(flushed)
			s.c.want("_", "GET", s.key)
			s.c.want("+OK", "SET", s.key, "mine")
			s.c.want("mine", "GET", s.key)
			s.other().want("+OK", "SET", s.key, "yours")
			s.c.wantPush(invalidated(s.key))
			s.c.silent()
		},
	},
	{
		name:  "CLIENT TRACKING BCAST",
		proto: 3,
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", s.key+":a", "PREFIX", s.key+":b")
			s.other().want("+OK", "SET", s.key+":a1", "1")
			s.c.wantPush(invalidated(s.key + ":a1"))
		},
		after: func(s *stage) {
			s.c.wantPush(flushed)
			s.other().want("+OK", "SET", s.key+":none", "1")
			s.other().want("+OK", "SET", s.key+":b2", "1")
			s.c.wantPush(invalidated(s.key + ":b2"))
			s.other().want("+OK", "SET", s.key+":a1", "2")
			s.c.wantPush(invalidated(s.key + ":a1"))
			s.c.silent()
		},
	},
	{
		name: "CLIENT TRACKING REDIRECT",
		before: func(s *stage) {
			s.note = s.other().do("CLIENT", "ID")[1:]
			s.other().want("*3 subscribe __redis__:invalidate :1", "SUBSCRIBE", "__redis__:invalidate")
			s.c.want("+OK", "CLIENT", "TRACKING", "ON", "REDIRECT", s.note)
			s.c.want(s.null("$"), "GET", s.key)
			s.c.want("+OK", "SET", s.key, "1")
			s.other().expect("*3 message __redis__:invalidate *1 " + s.key)
			s.c.want("1", "GET", s.key)
		},
		after: func(s *stage) {
			s.other().expect("*3 message __redis__:invalidate $-1")
			s.c.want("1", "GET", s.key)
			s.c.want("+OK", "SET", s.key, "2")
			s.other().expect("*3 message __redis__:invalidate *1 " + s.key)
			s.c.want(":"+s.note, "CLIENT", "GETREDIR")
			if info := s.c.do("CLIENT", "TRACKINGINFO"); !strings.Contains(info, "redirect :"+s.note+" ") {
				s.failf("CLIENT TRACKINGINFO: %s", info)
			}
			s.c.silent()
			s.other().silent()
		},
	},
	{
		name:  "CLIENT TRACKING of a RESP3 subscriber",
		proto: 3,
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "TRACKING", "ON")
			s.c.want(s.confirmed("SUBSCRIBE", s.key, 1), "SUBSCRIBE", s.key)
		},
		after: func(s *stage) {
			s.c.wantPush(flushed)
			subscribings[0].gets(s, s.key, "after")
			s.c.want("_", "GET", s.key)
			s.other().want("+OK", "SET", s.key, "1")
			s.c.wantPush(invalidated(s.key))
			s.c.silent()
		},
	},
	{
		name:  "CLIENT TRACKING in another database as another user",
		proto: 3,
		before: func(s *stage) {
			s.c.want("+OK", "AUTH", "alice", "alicepw")
			s.c.want("+OK", "SELECT", "3")
			s.c.want("+OK", "CLIENT", "TRACKING", "ON")
		},
		after: func(s *stage) {
			s.c.wantPush(flushed)
			s.c.want("_", "GET", s.key)
			s.other().want("+OK", "SELECT", "3")
			s.other().want("+OK", "SET", s.key, "three")
			s.c.wantPush(invalidated(s.key))
			s.c.want("three", "GET", s.key)
			s.c.want("alice", "ACL", "WHOAMI")
		},
	},
	{
		name:  "CLIENT TRACKING and an open MULTI",
		proto: 3,
		before: func(s *stage) {
			s.c.want("+OK", "CLIENT", "TRACKING", "ON")
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "GET", s.key)
		},
		after: func(s *stage) {
			s.c.want("+QUEUED", "INCR", s.key+":n")
			s.c.want("*2 _ :1", "EXEC")
			s.c.wantPush(flushed)
			s.other().want("+OK", "SET", s.key, "1")
			s.c.wantPush(invalidated(s.key))
			s.c.silent()
		},
	},
	{
		name: "MONITOR",
		before: func(s *stage) {
			s.c.want("+OK", "MONITOR")
			s.shown("before")
		},
		after: func(s *stage) {
			s.shown("after")
			s.c.send("QUIT")
			s.eventually("the end", func() bool { return s.skipShown() == "+OK" })
			s.c.wantClosed()
		},
	},
}

// shown checks that MONITOR shows a command that is sent now; on a new master it may
// be a moment late. Whatever else it shows is other rows'.
func (s *stage) shown(text string) {
	s.eventually("MONITOR to show a command", func() bool {
		s.other().want(text+s.key, "ECHO", text+s.key)
		for limit := time.Now().Add(atOnce); time.Now().Before(limit); { // the others never pause
			f, came := s.c.take(&s.c.replies, atOnce)
			if !came {
				return false
			}
			if !monitored(f.text) {
				s.failf("MONITOR shows %q", f.text)
			}
			if strings.HasSuffix(f.text, `"ECHO" "`+text+s.key+`"`) {
				return true
			}
		}
		return false
	})
}

// skipShown is the next reply that is no command shown.
func (s *stage) skipShown() string {
	for {
		if reply := s.c.next(); !monitored(reply) {
			return reply
		}
	}
}

// monitored says whether a reply is a line of MONITOR's.
func monitored(reply string) bool {
	return strings.HasPrefix(reply, "+1") && strings.Contains(reply, " [")
}
