package reader

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"steadis/sentinel/topology"
)

// lanesOf reads "a=3 -=1 b=0": a lane at a with 3 clients, one without a node with 1, ...
func lanesOf(t *testing.T, text string) []place {
	t.Helper()
	var lanes []place
	for _, word := range strings.Fields(text) {
		target, clients, _ := strings.Cut(word, "=")
		p := place{target: strings.Trim(target, "-")}
		if _, err := fmt.Sscan(clients, &p.clients); err != nil {
			t.Fatal(err)
		}
		lanes = append(lanes, p)
	}
	return lanes
}

func TestAssign(t *testing.T) {
	for _, test := range []struct {
		name, lanes, fit string
		standin          bool
		want             string
	}{
		{"the first lane gets the first replica, others are made", "-=0", "a b c", false, "a=0 b=0 c=0"},
		{"who is well stays", "a=5 b=0", "a b", false, "a=5 b=0"},
		{"a lane whose replica failed goes where there are fewest", "a=5 b=9 c=1", "b c", false, "c=5 b=9 c=1"},
		{"two lanes that fail are spread", "a=4 a=4 b=1 c=1", "b c", false, "b=4 c=4 b=1 c=1"},
		{"a replica that comes back gets a free lane", "b=0 b=9", "a b", false, "a=0 b=9"},
		{"it gets a lane of its own if none is free", "b=5 b=9", "a b", false, "b=5 b=9 a=0"},
		{"the last lane of a replica is not free", "a=0", "a b", false, "a=0 b=0"},
		{"nobody is fit", "a=5 b=9", "", false, "-=5 -=9"},
		{"the master stands in", "a=5 b=9", "", true, "m=5 m=9"},
		{"and is left when a replica is back", "m=5 m=9", "a", true, "a=5 a=9"},
		{"it does not stand in for a fit one", "a=5", "a", true, "a=5"},
	} {
		set := &topology.Replicas{Fit: strings.Fields(test.fit), Master: "m"}
		got, want := assign(lanesOf(t, test.lanes), set, test.standin), lanesOf(t, test.want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", test.name, got, want)
		}
	}
}

// TestAssignIsBounded: replicas that come and go do not make lanes without end.
func TestAssignIsBounded(t *testing.T) {
	var lanes []place
	for i := range 10 * maxLanes {
		lanes = assign(lanes, &topology.Replicas{Fit: []string{fmt.Sprint("n", i), fmt.Sprint("n", i+1)}}, false)
		for k := range lanes {
			lanes[k].clients = 1
		}
	}
	if len(lanes) > maxLanes {
		t.Errorf("%d lanes", len(lanes))
	}
}

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		name, lanes string
		turn, want  int
	}{
		{"the replica with the fewest clients", "a=2 b=1 c=3", 0, 1},
		{"counted over all its lanes", "a=2 a=2 b=3", 0, 2},
		{"then the lane with the fewest", "a=3 a=1 b=9", 0, 1},
		{"in turn, if they are alike", "a=1 b=1", 1, 1},
		{"one without a node is the last choice", "-=0 b=9", 0, 1},
		{"and better than none", "-=3", 7, 0},
	} {
		if got := choose(lanesOf(t, test.lanes), test.turn); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
}
