package clients

import (
	"slices"
	"testing"
)

func TestAudit(t *testing.T) {
	for _, c := range []struct {
		name          string
		report        report
		list          []string
		lost, doubled int
		wrong         bool
	}{
		{"all there", report{Sent: 3}, []string{"1", "2", "3"}, 0, 0, false},
		{"one lost", report{Sent: 3}, []string{"1", "3"}, 1, 0, false},
		{"in doubt and not there", report{Sent: 3, Doubt: []int{2}}, []string{"1", "3"}, 0, 0, false},
		{"in doubt and there", report{Sent: 3, Doubt: []int{2}}, []string{"1", "2", "3"}, 0, 0, false},
		{"twice", report{Sent: 2}, []string{"1", "1", "2"}, 0, 1, false},
		{"nobody's", report{Sent: 1}, []string{"1", "2"}, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.report.audit(c.list)
			if r := c.report; r.Lost != c.lost || r.Doubled != c.doubled || (len(r.Wrong) > 0) != c.wrong {
				t.Errorf("%d lost, %d doubled, wrong: %v", r.Lost, r.Doubled, r.Wrong)
			}
		})
	}
}

func TestSumUpKnowsTimeouts(t *testing.T) {
	s := sumUp([]report{
		{Sent: 2, Slowest: 1, Told: map[string]int{"read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout": 2}},
		{Sent: 3, Slowest: 2, Told: map[string]int{"EOF": 1, "read tcp 127.0.0.1:3->127.0.0.1:2: i/o timeout": 1}},
	})
	if s.sent != 5 || s.errors != 4 || s.timedOut != 3 || s.slowest != 2 {
		t.Errorf("%+v", s)
	}
	if want := []string{"EOF", "read tcp ...: i/o timeout"}; !slices.Equal(s.words, want) {
		t.Errorf("got %q, want %q", s.words, want)
	}
}
