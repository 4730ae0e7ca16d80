package discovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// The core is told stories, line by line:
//
//	+500ms               time passes; the core is ticked
//	record b             the name leads to b
//	lost timeout         the name is not resolved
//	a master             a says that it is the master (replica, silent, mute)
//	doubt                the data path doubts the followed master
//	= serving a 1        the view is that, of generation 1
//	? text               the view's reason has the text in it
//	asked a b dns        these were asked since the last such line
//
// An answer comes only to a question: one that was not asked fails the test.
type teller struct {
	t     *testing.T
	s     *state
	now   time.Time
	view  topology.View
	open  map[string]bool // questions without an answer
	since []string        // asked since the last "asked" line
}

func newTeller(t *testing.T, o Options) *teller {
	o.Poll, o.PollHolding = time.Second, 100*time.Millisecond
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &teller{t: t, s: newState(&o, now), now: now, open: map[string]bool{}}
	c.view = c.s.view
	c.step(ticked{})
	return c
}

func (c *teller) step(in input) {
	for _, e := range c.s.step(in, c.now) {
		switch e := e.(type) {
		case publish:
			c.view = e.view
		case ask:
			c.open[e.addr] = true
			c.since = append(c.since, e.addr)
		case resolve:
			c.open["dns"] = true
			c.since = append(c.since, "dns")
		case forget:
			delete(c.open, e.addr)
		}
	}
	if d := c.s.deadline(c.now); !d.After(c.now) {
		c.t.Fatalf("the deadline %v is not after %v: the loop would spin", d, c.now)
	}
}

var rolesBySaying = map[string]node.Role{"master": node.Master, "replica": node.Replica, "silent": node.Silent, "mute": node.CannotSay}

func (c *teller) tell(story string) {
	c.t.Helper()
	for line := range strings.Lines(story) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		c.line(strings.TrimSpace(line), words)
		if c.t.Failed() {
			c.t.Fatalf("at %q, view %+v", strings.TrimSpace(line), c.view)
		}
	}
}

func (c *teller) line(line string, words []string) {
	c.t.Helper()
	answer := func(who string) {
		if !c.open[who] {
			c.t.Errorf("%s was not asked", who)
		}
		delete(c.open, who)
	}
	switch words[0] {
	case "record":
		answer("dns")
		c.step(resolved{record: words[1:]})
	case "lost":
		answer("dns")
		c.step(resolved{why: strings.Join(words[1:], " ")})
	case "doubt":
		c.step(doubted{generation: c.view.Generation})
	case "=":
		got := strings.Fields(fmt.Sprint(c.view.Phase, " ", c.view.Master, " ", c.view.Generation))
		if !slices.Equal(got, words[1:]) {
			c.t.Errorf("the view is %s", got)
		}
	case "?":
		if want := strings.TrimSpace(line[1:]); !strings.Contains(c.view.Reason, want) {
			c.t.Errorf("the reason is %q", c.view.Reason)
		}
	case "asked":
		slices.Sort(c.since)
		if got := slices.Compact(c.since); !slices.Equal(got, words[1:]) {
			c.t.Errorf("asked were %v", got)
		}
		c.since = nil
	default:
		if line[0] == '+' {
			d, err := time.ParseDuration(line[1:])
			if err != nil {
				c.t.Fatal(err)
			}
			c.now = c.now.Add(d)
			c.step(ticked{})
			return
		}
		answer(words[0])
		c.step(said{words[0], node.Said{Role: rolesBySaying[words[1]], Detail: "as told"}})
	}
}

var stories = []struct{ name, nodes, story string }{
	{"static: the one that says master serves", "a b", `
		= unknown 0
		asked a b
		b replica
		= unknown 0
		a master
		= serving a 1
		? a says that it is the master`},
	{"static: two masters are one too many", "a b", `
		a master
		= unknown 0
		b master
		= unknown 0
		? 2 nodes say that they are the master
		+1s
		b replica
		= serving a 1`},
	{"static: nobody is a master, and why", "a b", `
		a replica
		b silent
		? nobody says that it is the master: a: replica, b: no answer (as told)`},
	{"static: a node that refuses both questions is not followed", "a", `
		a mute
		= unknown 0
		? a: cannot say`},
	{"static: one that will not say any more stays", "a", `
		a master
		+1s
		a mute
		= serving a 1`},
	{"static: a silent master is not replaced at once, and is waited for", "a", `
		a master
		+1s
		a silent
		= serving a 1
		+100ms
		a silent
		+5s
		a silent
		= serving a 1
		+100ms
		a master
		= serving a 1`},
	{"static: another one was promoted in place of a dead one", "a b", `
		a master
		b replica
		+1s
		a silent
		b replica
		+100ms
		a silent
		b master
		= serving a 1
		+1s
		a silent
		= serving b 2`},
	{"static: a demoted master is left at once", "a b", `
		a master
		b replica
		+1s
		a replica
		= holding a 1
		? a says that it is a replica
		b replica
		+100ms
		b master
		= serving b 2`},
	{"static: a hold ends when the master is one again", "a b", `
		a master
		b replica
		+1s
		a replica
		= holding a 1
		+100ms
		a silent
		= holding a 1
		+100ms
		a master
		= serving a 1
		? the failover did not happen`},
	{"static: never back to a deposed master that has not noticed", "a b", `
		a master
		b replica
		+1s
		a silent
		b master
		+100ms
		a silent
		+1s
		a silent
		= serving b 2
		b master
		+1s
		a master
		b silent
		+1s
		b silent
		+2s
		b silent
		= serving b 2
		+9s
		a master
		= serving a 3`},
	{"static: back at once to one that was demoted and promoted again", "a b", `
		a master
		b replica
		+1s
		a replica
		b master
		= serving b 2
		+1s
		a replica
		b replica
		= holding b 2
		+100ms
		a master
		= serving a 3`},
	{"dns: the record is asked for, then its node", "", `
		asked dns
		? asking where n:1 leads to
		record a
		= unknown 0
		asked a
		a master
		= serving a 1
		? n:1 leads to a, which says that it is the master`},
	{"dns: no answer at the start", "", `
		lost no such host
		? n:1 cannot be resolved: no such host
		+100ms
		record a
		a master
		= serving a 1`},
	{"dns: the record changes after the promotion", "", `
		record a
		a master
		+1s
		a replica
		= holding a 1
		record a
		+100ms
		record b
		= holding a 1
		b master
		= serving b 2`},
	{"dns: the record changes before the promotion", "", `
		record a
		a master
		+1s
		a master
		record b
		= holding a 1
		? n:1 leads to b now, where no master is yet
		b replica
		= holding a 1
		+100ms
		b master
		= serving b 2`},
	{"dns: the record changes to one that is a master already", "", `
		record a
		a master
		+1s
		record b
		= holding a 1
		b master
		= serving b 2`},
	{"dns: a doubt asks at once, and fast from then on", "", `
		record a
		a master
		+1s
		record a
		a master
		+500ms
		asked a dns
		doubt
		asked a dns
		record a
		a silent
		+100ms
		asked a dns
		= serving a 1`},
	{"dns: lost name servers change nothing", "", `
		record a
		a master
		+1s
		lost timeout
		a master
		+60s
		lost timeout
		= serving a 1`},
	{"dns: a record that leads to no master is heeded for a while", "", `
		record a
		a master
		+1s
		record x
		a master
		= holding a 1
		x silent
		+9s
		a master
		x silent
		= holding a 1
		+1s
		= serving a 1
		? the failover did not happen
		+60s
		record x
		= serving a 1
		+1s
		record y
		= holding a 1`},
	{"dns: a hold by the record ends when it is back for a while", "", `
		record a
		a master
		+1s
		record b
		a master
		b replica
		= holding a 1
		+100ms
		record a
		= holding a 1
		+100ms
		record b
		+100ms
		record a
		= holding a 1
		+1s
		= serving a 1`},
	{"dns: a stale record does not lead back to a deposed master", "", `
		record a
		a master
		+1s
		record b
		b master
		a master
		= serving b 2
		+1s
		record a
		b master
		= serving b 2
		+100ms
		a master
		+100ms
		record b
		= serving b 2
		+100ms
		record a
		b master
		= serving b 2
		+9s
		a master
		= serving b 2
		+1s
		a master
		= serving a 3`},
	{"dns: back to one that has been a replica meanwhile", "", `
		record a
		a master
		+1s
		record b
		b master
		a replica
		= serving b 2
		+1s
		record a
		= holding b 2
		+5s
		a master
		= serving a 3`},
	{"dns: of several nodes behind one name the master serves", "", `
		record a b c
		a replica
		b master
		= unknown 0
		c silent
		= serving b 1
		+1s
		b silent
		+100ms
		b silent
		c master
		+1s
		b silent
		= serving c 2`},
}

func TestStories(t *testing.T) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			o := Options{Addresses: []string{"n:1"}, Resolves: true}
			if story.nodes != "" {
				o = Options{Addresses: strings.Fields(story.nodes)}
			}
			newTeller(t, o).tell(story.story)
		})
	}
}

// TestEpochs: each promotion has an epoch of its own, the same for every process.
func TestEpochs(t *testing.T) {
	one := epochOf(&member{addr: "a", said: node.Said{ReplID: "1"}})
	switch {
	case one == 0:
		t.Error("epoch 0 is for cursors that are Redis' own")
	case one != epochOf(&member{addr: "b", said: node.Said{ReplID: "1"}}):
		t.Error("the address counts although the replication id is known")
	case one == epochOf(&member{addr: "a", said: node.Said{ReplID: "2"}}):
		t.Error("another promotion has the same epoch")
	case epochOf(&member{addr: "a"}) == epochOf(&member{addr: "b"}):
		t.Error("two addresses have the same epoch")
	}
}
