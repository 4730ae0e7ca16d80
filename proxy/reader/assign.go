package reader

import (
	"hash/fnv"
	"slices"

	"steadis/sentinel/topology"
)

// maxLanes bounds how many lanes there are. Each costs a few connections.
const maxLanes = 64

// place is what assign knows of a lane.
type place struct {
	target  string // its node; empty: none
	clients int
}

// assign gives each lane its node, the present one as long as that is fit, and adds lanes
// for nodes that have none. It is pure.
//
// A lane without clients is free: it is given to a node without a lane before another
// lane is made, so that lanes do not grow in number with every failure.
func assign(lanes []place, set *topology.Replicas, standin bool) []place {
	nodes := set.Fit
	if len(nodes) == 0 && standin && set.Master != "" {
		nodes = []string{set.Master}
	}
	lanes = slices.Clone(lanes)
	if len(nodes) == 0 {
		for i := range lanes {
			lanes[i].target = ""
		}
		return lanes
	}
	clients, has := map[string]int{}, map[string]int{}
	for i := range lanes {
		if !slices.Contains(nodes, lanes[i].target) {
			lanes[i].target = ""
			continue
		}
		clients[lanes[i].target] += lanes[i].clients
		has[lanes[i].target]++
	}
	for i := range lanes { // those that lost their node go where there are fewest
		if lanes[i].target == "" {
			to := least(nodes, func(n string) int { return clients[n]*maxLanes + has[n] })
			lanes[i].target = to
			clients[to] += lanes[i].clients
			has[to]++
		}
	}
	for _, n := range nodes {
		if has[n] > 0 {
			continue
		}
		free := slices.IndexFunc(lanes, func(p place) bool { return p.clients == 0 && has[p.target] > 1 })
		switch {
		case free >= 0:
			has[lanes[free].target]--
			lanes[free].target = n
		case len(lanes) < maxLanes:
			lanes = append(lanes, place{target: n})
		default:
			continue
		}
		has[n]++
	}
	return lanes
}

// choose gives the lane for a new client: of the nodes with the fewest clients, the lane
// with the fewest. Lanes without a node take clients only if none has one: they hold
// their commands. turn breaks ties.
func choose(lanes []place, turn int) int {
	clients := map[string]int{}
	for _, p := range lanes {
		clients[p.target] += p.clients
	}
	best := -1
	better := func(p, q place) bool {
		switch {
		case (p.target == "") != (q.target == ""):
			return p.target != ""
		case clients[p.target] != clients[q.target]:
			return clients[p.target] < clients[q.target]
		}
		return p.clients < q.clients
	}
	for k := range lanes {
		if i := (k + turn) % len(lanes); best < 0 || better(lanes[i], lanes[best]) {
			best = i
		}
	}
	return best
}

// least gives the element with the least value, the first one of several.
func least(of []string, value func(string) int) string {
	best := of[0]
	for _, s := range of[1:] {
		if value(s) < value(best) {
			best = s
		}
	}
	return best
}

// epochOf marks the cursors that a node gives (topology.View.Epoch), alike in every process.
func epochOf(addr string) uint64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(addr)) // a hash takes every write
	return 1 + uint64(h.Sum32())
}
