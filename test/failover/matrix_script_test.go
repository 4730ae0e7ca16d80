package failover

import (
	"crypto/sha1"
	"fmt"
)

// script is a script that only this row has.
func (s *stage) script() string { return "return redis.call('INCRBY', KEYS[1], 1) --" + s.key }

// library is a library of functions that only this row has. Functions' names may have
// letters, digits and underscores.
func (s *stage) library() (code, function string) {
	name := fmt.Sprintf("f%x", sha1.Sum([]byte(s.key)))
	return fmt.Sprintf("#!lua name=%s\nredis.register_function('%s', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)", name, name), name
}

func sha(script string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(script))) }

// scriptRows are about scripts, which a new master does not have, and functions, which
// it has.
var scriptRows = []matrixRow{
	{
		// The first of all, because it takes the others' scripts away. Later rows load
		// theirs after it.
		name:  "SCRIPT FLUSH",
		proto: 2,
		before: func(s *stage) {
			s.c.want(":1", "EVAL", s.script(), "1", s.key)
			s.c.want("+OK", "SCRIPT", "FLUSH")
			s.c.want("-NOSCRIPT...", "EVALSHA", sha(s.script()), "1", s.key)
		},
		after: func(s *stage) {
			s.c.want("*1 :0", "SCRIPT", "EXISTS", sha(s.script()))
			s.c.want("-NOSCRIPT...", "EVALSHA", sha(s.script()), "1", s.key)
		},
	},
	{
		name:   "EVALSHA of a script known by EVAL",
		before: func(s *stage) { s.c.want(":1", "EVAL", s.script(), "1", s.key) },
		held:   func(s *stage) { s.c.send("EVALSHA", sha(s.script()), "1", s.key) },
		after: func(s *stage) {
			s.c.expect(":2")
			s.other().want(":3", "EVALSHA", sha(s.script()), "1", s.key)
		},
	},
	{
		name:   "EVALSHA of a script known by SCRIPT LOAD",
		before: func(s *stage) { s.other().want(sha(s.script()), "SCRIPT", "LOAD", s.script()) },
		after: func(s *stage) {
			s.c.want("*1 :1", "SCRIPT", "EXISTS", sha(s.script()))
			s.c.want(":1", "EVALSHA", sha(s.script()), "1", s.key)
			s.wantDirect("1", "GET", s.key)
		},
	},
	{
		name: "EVALSHA in an open MULTI",
		before: func(s *stage) {
			s.c.want(sha(s.script()), "SCRIPT", "LOAD", s.script())
			s.c.want("+OK", "MULTI")
			s.c.want("+QUEUED", "EVALSHA", sha(s.script()), "1", s.key)
		},
		after: func(s *stage) {
			s.c.want("+QUEUED", "EVALSHA", sha(s.script()), "1", s.key)
			s.c.want("*2 :1 :2", "EXEC")
		},
	},
	{
		name:   "EVALSHA in a whole transaction during the outage",
		before: func(s *stage) { s.c.want(sha(s.script()), "SCRIPT", "LOAD", s.script()) },
		held: func(s *stage) {
			s.c.sendAll([]string{"MULTI"}, []string{"EVALSHA", sha(s.script()), "1", s.key}, []string{"EXEC"})
		},
		after: func(s *stage) { s.c.expect("+OK", "+QUEUED", "*1 :1"); s.wantDirect("1", "GET", s.key) },
	},
	{
		name:   "EVALSHA_RO",
		before: func(s *stage) { s.c.want("v", "EVAL_RO", "return 'v' --"+s.key, "0") },
		after:  func(s *stage) { s.c.want("v", "EVALSHA_RO", sha("return 'v' --"+s.key), "0") },
	},
	{
		name: "SCRIPT LOAD during the outage",
		held: func(s *stage) {
			s.c.sendAll([]string{"SCRIPT", "LOAD", s.script()}, []string{"EVALSHA", sha(s.script()), "1", s.key})
		},
		after: func(s *stage) { s.c.expect(sha(s.script()), ":1") },
	},
	{
		name:  "EVALSHA of a script that nobody knows",
		held:  func(s *stage) { s.c.sendAll([]string{"EVALSHA", sha(s.script()), "1", s.key}, []string{"GET", s.key}) },
		after: func(s *stage) { s.c.expect("-NOSCRIPT...", s.null("$")) },
	},
	{
		name: "FCALL",
		before: func(s *stage) {
			code, function := s.library()
			s.c.want(function, "FUNCTION", "LOAD", "REPLACE", code)
			s.c.want(":2", "FCALL", function, "1", s.key, "2")
		},
		held: func(s *stage) { _, function := s.library(); s.c.send("FCALL", function, "1", s.key, "2") },
		after: func(s *stage) {
			code, function := s.library()
			s.c.expect(":4")
			s.c.want("-ERR Library...", "FUNCTION", "LOAD", code)
			s.other().want(":9", "FCALL", function, "1", s.key, "5")
			s.c.want("+OK", "FUNCTION", "DELETE", function)
		},
	},
}
