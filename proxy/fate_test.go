package proxy

import (
	"slices"
	"testing"
	"time"
)

// TestLose: a command that has cost its connection three times in a row, while one
// master served, is given up; one that has lived through masters is not.
func TestLose(t *testing.T) {
	type loss struct {
		after      time.Duration
		generation uint64
		stalled    bool
	}
	for _, tt := range []struct {
		name    string
		losses  []loss
		givenUp bool // at the last; before it never
	}{
		{"three in a row", []loss{{0, 1, false}, {time.Second, 1, false}, {time.Second, 1, false}}, true},
		{"at one moment", []loss{{0, 1, false}, {0, 1, false}, {0, 1, false}, {lossTime - 1, 1, false}}, false},
		{"at one moment, and later", []loss{{0, 1, false}, {0, 1, false}, {0, 1, false}, {lossTime, 1, false}}, true},
		{"more than a byte counts", slices.Repeat([]loss{{800 * time.Microsecond, 1, false}}, 314), true},
		{"far apart", []loss{{0, 1, false}, {time.Minute, 1, false}, {time.Minute, 1, false}, {time.Minute, 1, false}}, false},
		{"two replies that stood still", []loss{{0, 1, true}, {3 * time.Second, 1, true}}, true},
		{"many masters", []loss{{0, 1, false}, {time.Second, 2, false}, {time.Second, 3, false}, {time.Second, 4, false}}, false},
		{"many masters, two losses each", []loss{{0, 1, false}, {time.Second, 1, false}, {time.Second, 2, false}, {time.Second, 2, false}}, false},
	} {
		r, now := &request{rare: &plainRequest}, time.Unix(0, 0)
		for i, l := range tt.losses {
			now = now.Add(l.after)
			if got, want := r.lose(now, l.generation, l.stalled), tt.givenUp && i == len(tt.losses)-1; got != want {
				t.Errorf("%s: loss %d: given up is %v", tt.name, i, got)
			}
		}
	}
}
