package replicas

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// The core is told stories, line by line:
//
//	+500ms           time passes; the core is ticked
//	master m         m serves; "master" alone: nobody
//	list a b         a majority of the Sentinels lists a and b; "list" alone: nobody answers
//	m is 100         the master has 100 bytes of history x; "m is 100 y": of history y
//	a has 90         a is a replica with 90, in step; "a has 90 down", "... sync", "... y"
//	a master         a says that it is a master (silent, mute)
//	doubt a          the data path doubts a
//	= a b            these are fit
//	? text           nobody is, and the reason has the text in it
//
// An answer comes only to a question.
type teller struct {
	t    *testing.T
	s    *state
	now  time.Time
	set  topology.Replicas
	open map[string]time.Time // questions without an answer, and when they were put
}

func (c *teller) step(in any) {
	for _, e := range c.s.step(in, c.now) {
		switch e := e.(type) {
		case publish:
			c.set = e.set
		case ask:
			c.open[e.addr] = c.now
		case forget:
			delete(c.open, e.addr)
		}
	}
	if d := c.s.deadline(c.now); !d.After(c.now) {
		c.t.Fatalf("the deadline %v is not after %v: the loop would spin", d, c.now)
	}
}

func (c *teller) tell(story string) {
	c.t.Helper()
	for line := range strings.Lines(story) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		c.line(line, strings.Fields(line))
		if c.t.Failed() {
			c.t.Fatalf("at %q: %+v", line, c.set)
		}
	}
}

func (c *teller) line(line string, words []string) {
	c.t.Helper()
	switch words[0] {
	case "master":
		c.step(served{strings.Join(words[1:], "")})
	case "list":
		c.s.listing = false
		c.step(listed{addrs: words[1:], failed: len(words) == 1})
	case "doubt":
		c.step(doubted{words[1]})
	case "=":
		if !slices.Equal(c.set.Fit, words[1:]) {
			c.t.Errorf("fit are %v (%s)", c.set.Fit, c.set.Reason)
		}
	case "?":
		if len(c.set.Fit) > 0 || !strings.Contains(c.set.Reason, strings.TrimSpace(line[1:])) {
			c.t.Errorf("fit are %v, the reason is %q", c.set.Fit, c.set.Reason)
		}
	default:
		if line[0] != '+' {
			c.answer(words)
			return
		}
		d, err := time.ParseDuration(line[1:])
		if err != nil {
			c.t.Fatal(err)
		}
		c.now = c.now.Add(d)
		c.step(ticked{})
	}
}

func (c *teller) answer(words []string) {
	c.t.Helper()
	asked, open := c.open[words[0]]
	if !open {
		c.t.Errorf("%s was not asked", words[0])
	}
	delete(c.open, words[0])
	d := node.Said{Offset: -1, Detail: "as told"}
	switch words[1] {
	case "is", "has":
		d.Role, d.ReplID, d.LinkUp = node.Master, "x", true
		if words[1] == "has" {
			d.Role = node.Replica
		}
		d.Offset, _ = strconv.ParseInt(words[2], 10, 64)
		for _, more := range words[3:] {
			switch more {
			case "down":
				d.LinkUp = false
			case "sync":
				d.Syncing = true
			default:
				d.ReplID = more
			}
		}
	default:
		d.Role = map[string]node.Role{"master": node.Master, "replica": node.Replica, "silent": node.Silent, "mute": node.CannotSay}[words[1]]
	}
	c.step(said{words[0], asked, d})
}

var stories = []struct{ name, story string }{
	{"listed, a replica, and in step", `
		? no replica is known
		master m
		list a b
		? a: it has not answered yet
		m is 100
		a has 100
		b has 100
		= a b`},
	{"behind the last question is not behind the one before", `
		master m
		list a
		m is 100
		a has 100
		+1s
		m is 5000
		a has 4900
		= a
		+1s
		m is 9000
		a has 8900
		= a`},
	{"a replica that lags is out, and in again when it has caught up", `
		master m
		list a b
		m is 100
		a has 100
		b has 100
		+1s
		m is 200
		a has 150
		b has 200
		+1s
		m is 300
		a has 150
		b has 300
		+2s
		m is 400
		a has 150
		b has 400
		= a b
		+2s
		m is 500
		a has 150
		b has 500
		= b
		+1s
		m is 600
		a has 600
		b has 600
		= b
		+1s
		m is 700
		a has 700
		b has 700
		= a b`},
	{"a link that is down does no harm while nothing is written", `
		master m
		list a
		m is 100
		a has 100
		+4s
		m is 100
		a has 100 down
		= a
		+4s
		m is 100
		a has 100 down
		= a
		+4s
		m is 200
		a has 100 down
		= a
		+4s
		? a: it lags`},
	{"one that comes needs its link", `
		master m
		list a
		m is 100
		a has 100 down
		? a: its link to the master is down`},
	{"one that is being copied is out", `
		master m
		list a
		m is 100
		a has 100
		+1s
		a has 100 sync
		? a: it is being given a whole copy`},
	{"another history is another offset", `
		master m
		list a
		m is 100
		a has 500 y
		? a: its lag is not known yet`},
	{"without a master replicas are read from for a while", `
		master m
		list a b
		m is 100
		a has 100
		b has 100
		+1s
		master
		a has 100 down
		b has 100 down
		= a b
		+3s
		a has 100 down
		b has 100 down
		= a b
		+2s
		? a: it lags`},
	{"the promoted one leaves, the others stay", `
		master m
		list a b
		m is 100
		a has 100
		b has 100
		+1s
		master
		a master
		b has 100 down
		= b
		master a
		+1s
		a is 200 y
		b has 100 down
		= b
		+1s
		a is 300 y
		b has 300 y
		= b`},
	{"the old master becomes a replica", `
		master m
		list a
		m is 100
		a has 100
		master a
		+1s
		a is 200
		list m
		m has 300
		= m`},
	{"one lost answer is nothing, two are", `
		master m
		list a
		m is 100
		a has 100
		+1s
		a silent
		= a
		+1s
		a silent
		? a: no answer`},
	{"one lost answer is enough where the data path doubts", `
		master m
		list a
		m is 100
		a has 100
		+1s
		a has 100
		+500ms
		doubt a
		a silent
		? a: no answer`},
	{"doubts that its answers do not bear out, again and again", `
		master m
		list a
		m is 100
		a has 100
		+1s
		a has 100
		doubt a
		doubt a
		doubt a
		doubt a
		doubt a
		doubt a
		doubt a
		= a
		doubt a
		? a: connections to it fail again and again`},
	{"lists that are lost stand, and who is in none is forgotten", `
		master m
		list a b
		m is 100
		a has 100
		b has 100
		+1s
		list
		m is 100
		a has 100
		b has 100
		= a b` + strings.Repeat(`
		+4s
		list a
		m is 100
		a has 100
		b has 100
		= a b`, 7) + `
		+4s
		m is 100
		a has 100
		= a`},
	{"a replica that refuses INFO", `
		master m
		list a
		m is 100
		a replica
		? a: it refuses INFO replication`},
}

func TestStories(t *testing.T) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			o := Options{MaxLag: 5 * time.Second, Poll: time.Second, PollHolding: 100 * time.Millisecond}
			c := &teller{t: t, s: newState(&o), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), open: map[string]time.Time{}}
			c.set = c.s.set
			c.tell(story.story)
		})
	}
}

func TestMajority(t *testing.T) {
	lost := errors.New("lost")
	for _, test := range []struct {
		name    string
		answers [][]string
		errs    []error
		want    []string
		failed  bool
	}{
		{"all agree", [][]string{{"a"}, {"a"}, {"a"}}, make([]error, 3), []string{"a"}, false},
		{"one lies", [][]string{{"a", "evil", "evil"}, {"a"}, {"a"}}, make([]error, 3), []string{"a"}, false},
		{"one is lost", [][]string{{"a"}, nil, {"a"}}, []error{nil, lost, nil}, []string{"a"}, false},
		{"two are lost", [][]string{{"a"}, nil, nil}, []error{nil, lost, lost}, nil, true},
		{"there are none", nil, nil, nil, true},
	} {
		got := majority(test.answers, test.errs)
		if !slices.Equal(got.addrs, test.want) || got.failed != test.failed {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}
