package fanout

import "steadis/proxy/upstream"

// Hub is the subscribers of one identity. They share its lines.
type Hub struct {
	lines []*line

	// Hubs.mu guards the fields below.
	members []int // on each line
	total   int
	idle    bool // had no member when Tick last looked, and has had none since
}

func newHub(pool *upstream.Pool, id upstream.Identity, lines int) *Hub {
	h := &Hub{lines: make([]*line, lines), members: make([]int, lines)}
	for i := range h.lines {
		h.lines[i] = newLine(pool, id)
	}
	return h
}

// quietest returns the line with the fewest members.
func (h *Hub) quietest() int {
	best := 0
	for i, n := range h.members {
		if n < h.members[best] {
			best = i
		}
	}
	return best
}

// Count returns how many members are subscribed to a name.
func (h *Hub) Count(kind Kind, name string) int {
	n := 0
	for _, l := range h.lines {
		l.mu.Lock()
		if t := l.topics[kind][name]; t != nil {
			n += len(t.subs)
		}
		l.mu.Unlock()
	}
	return n
}

// Connections returns how many connections to the master the hub has now.
func (h *Hub) Connections() int {
	n := 0
	for _, l := range h.lines {
		l.mu.Lock()
		if l.link != nil && l.link.Conn() != nil {
			n++
		}
		l.mu.Unlock()
	}
	return n
}

// names returns how many names are subscribed or to be so, each line's for itself.
func (h *Hub) names() int {
	n := 0
	for _, l := range h.lines {
		l.mu.Lock()
		for _, byName := range l.topics {
			n += len(byName)
		}
		l.mu.Unlock()
	}
	return n
}

func (h *Hub) close() {
	for _, l := range h.lines {
		l.close()
	}
}
