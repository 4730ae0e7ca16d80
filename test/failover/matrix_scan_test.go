package failover

import (
	"fmt"
	"strings"

	"steadis/test/workload/wire"
)

// What the scans go through, in a database of its own: scanned keys, and as many
// elements in a set, a hash and a sorted set. All of it is there the whole time.
const (
	scanned  = 20_000
	scanDB   = "9"
	scanStep = "100"
)

// scanning is a command that iterates.
type scanning struct {
	name string
	key  string // "" for SCAN
	each int    // words to an element in the reply
}

var scannings = []scanning{{"SCAN", "", 1}, {"SSCAN", "scanned-set", 1}, {"HSCAN", "scanned-hash", 2}, {"ZSCAN", "scanned-zset", 2}}

// fillCommands appends what fills the database, and returns how many commands that is.
func fillCommands(c *wire.Conn) int {
	c.Append("SELECT", scanDB)
	n := 1
	for i := range scanned {
		element := fmt.Sprintf("element:%d", i)
		c.Append("SET", element, "1")
		c.Append("SADD", "scanned-set", element)
		c.Append("HSET", "scanned-hash", element, "1")
		c.Append("ZADD", "scanned-zset", fmt.Sprint(i), element)
		n += 4
	}
	return n
}

// scanRows are about scans that begin on one master and go on on another, whose
// cursors mean something else.
func scanRows() []matrixRow {
	var rows []matrixRow
	for _, k := range scannings {
		rows = append(rows,
			matrixRow{
				name: k.name,
				before: func(s *stage) {
					s.c.want("+OK", "SELECT", scanDB)
					s.note = "0"
					for range scanned / 300 { // a third of the way
						k.step(s)
					}
				},
				after: k.finish,
			},
			matrixRow{
				name: k.name + ", a step held",
				before: func(s *stage) {
					s.c.want("+OK", "SELECT", scanDB)
					s.note = "0"
					k.step(s)
				},
				held:  func(s *stage) { k.send(s) },
				after: func(s *stage) { k.take(s); k.finish(s) },
			})
	}
	return rows
}

func (k scanning) step(s *stage) {
	k.send(s)
	k.take(s)
}

// send asks for the elements at s.note, the cursor.
func (k scanning) send(s *stage) {
	args := []string{k.name}
	if k.key != "" {
		args = append(args, k.key)
	}
	s.c.send(append(args, s.note, "COUNT", scanStep)...)
}

// take notes a reply: a cursor, and elements.
func (k scanning) take(s *stage) {
	reply := s.c.next()
	words := strings.Fields(reply)
	if len(words) < 3 || words[0] != "*2" {
		s.failf("%s %s: %.200q", k.name, s.note, reply)
	}
	s.note = words[1]
	for i := 3; i < len(words); i += k.each {
		s.seen = append(s.seen, words[i])
	}
}

// finish scans to the end and checks that every element has come.
func (k scanning) finish(s *stage) {
	for steps := 0; s.note != "0"; steps++ {
		if steps > scanned/10 {
			s.failf("no end after %d steps", steps)
		}
		k.step(s)
	}
	missing := map[string]bool{}
	for i := range scanned {
		missing[fmt.Sprintf("element:%d", i)] = true
	}
	for _, element := range s.seen {
		delete(missing, element)
	}
	if len(missing) > 0 {
		s.failf("%d of %d elements did not come", len(missing), scanned)
	}
}
