package sentinel

import (
	"testing"
	"time"
)

// TestOneSentinelCannotFillTheLog: one that comes and goes each second is told of a few
// times a minute, and in the end as it is.
func TestOneSentinelCannotFillTheLog(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newState(&Options{Addresses: []string{"a:1", "b:1"}, Master: "m"}, now)
	lines := map[string]int{}
	var last map[string]any
	feed := func(in input) {
		for _, e := range s.step(in, now) {
			line, ok := e.(logLine)
			if !ok {
				continue
			}
			lines[line.text]++
			if line.text == "sentinel comes and goes" {
				last = map[string]any{}
				for _, f := range line.fields {
					last[f.Key] = f.Integer
				}
			}
		}
	}
	known := answer{known: true, addr: "x:1", subject: "x:1", epoch: 1}
	for range 300 {
		feed(answered{from: "a:1", asked: now, answer: known})
		feed(subscription{from: "a:1", on: true})
		now = now.Add(500 * time.Millisecond)
		feed(failed{from: "a:1", why: "gone"})
		feed(subscription{from: "a:1", why: "gone"})
		now = now.Add(500 * time.Millisecond)
	}
	all := lines["sentinel connected"] + lines["sentinel lost"] + lines["sentinel subscribed"]
	if all < 2*chatterLines || all > 5*chatterLines || lines["sentinel comes and goes"] < 4 {
		t.Errorf("in 5 minutes: %v", lines)
	}
	if at := s.deadline(now); at.IsZero() || at.After(now.Add(chatterWindow)) {
		t.Errorf("nobody would wake it to tell what was left out: %v", at)
	}
	before := lines["sentinel comes and goes"]
	now = now.Add(chatterWindow)
	feed(ticked{})
	if lines["sentinel comes and goes"] != before+1 || last["connected"] != int64(0) || last["changes_left_out"] == int64(0) {
		t.Errorf("in the end: %v, %v", lines, last)
	}
	now = now.Add(2 * chatterWindow)
	before = lines["sentinel connected"]
	feed(answered{from: "a:1", asked: now, answer: known})
	feed(answered{from: "b:1", asked: now, answer: known})
	if lines["sentinel connected"] != before+2 {
		t.Errorf("later changes are not told: %v", lines)
	}
}
