package fanout

import (
	"maps"
	"slices"
	"sync"

	"steadis/proxy/upstream"
)

// Options configure Hubs.
type Options struct {
	Lines int    // connections per hub; 0 means 2
	Hubs  int    // the most hubs; 0 means 64
	Name  string // what CLIENT SETNAME gives their connections; empty for none
}

// Hubs keeps a Hub for each identity that has subscribers. Its methods may be called
// concurrently.
type Hubs struct {
	pool *upstream.Pool
	o    Options

	// mu guards the fields below and the members of each Hub. A subscriber's lock may
	// be held when it is taken; no other lock is taken under it.
	mu     sync.Mutex
	hubs   map[upstream.Identity]*Hub
	closed bool
}

// NewHubs returns Hubs whose connections are pinned links of pool. The caller calls
// Tick now and then, and Close.
func NewHubs(pool *upstream.Pool, o Options) *Hubs {
	if o.Lines < 1 {
		o.Lines = 2
	}
	if o.Hubs < 1 {
		o.Hubs = 64
	}
	return &Hubs{pool: pool, o: o, hubs: make(map[upstream.Identity]*Hub)}
}

// identity is what tells hubs apart: as whom Redis sees a subscriber. Pub/Sub knows
// no databases, and connections of hubs speak RESP2.
func (hs *Hubs) identity(id upstream.Identity) upstream.Identity {
	id.DB, id.Protocol, id.Name = 0, 2, hs.o.Name
	return id
}

// Join makes sub a member of the hub for id, whose database, protocol and name do not
// matter. It returns nil if there is no room for another identity, or after Close:
// the caller has to do without. It may be called with the subscriber's lock held.
// The caller calls Member.Leave in the end.
func (hs *Hubs) Join(id upstream.Identity, sub Subscriber) *Member {
	id = hs.identity(id)
	hs.mu.Lock()
	h, former := hs.hubLocked(id)
	var m *Member
	if h != nil {
		m = &Member{hubs: hs, hub: h, at: h.quietest(), sub: sub}
		h.members[m.at]++
		h.total++
		m.line = h.lines[m.at]
	}
	hs.mu.Unlock()
	if former != nil {
		former.close()
	}
	if m != nil {
		m.line.join(m)
	}
	return m
}

// hubLocked returns the hub for id, or nil if there is no room for it. If another one
// had to make room, that is to be closed. hs.mu must be held.
func (hs *Hubs) hubLocked(id upstream.Identity) (h, former *Hub) {
	if h = hs.hubs[id]; h != nil || hs.closed {
		return h, nil
	}
	if len(hs.hubs) >= hs.o.Hubs {
		if former = hs.takeLocked(func(h *Hub) bool { return h.total == 0 }); former == nil {
			return nil, nil
		}
	}
	h = newHub(hs.pool, id, hs.o.Lines)
	hs.hubs[id] = h
	return h, former
}

// takeLocked takes out a hub that fits, to be closed, and returns nil if none does.
// hs.mu must be held.
func (hs *Hubs) takeLocked(fits func(*Hub) bool) *Hub {
	for id, h := range hs.hubs {
		if fits(h) {
			delete(hs.hubs, id)
			return h
		}
	}
	return nil
}

func (hs *Hubs) leave(m *Member) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	m.hub.members[m.at]--
	m.hub.total--
	m.hub.idle = false // Tick has yet to see it without members
}

// Tick closes the hubs that have had no member since the last Tick, and tries again
// what Redis was too busy for. It calls subscribers, so no lock of theirs may be held.
// Once in a second to ten is right.
func (hs *Hubs) Tick() {
	for {
		hs.mu.Lock()
		h := hs.takeLocked(func(h *Hub) bool { return h.total == 0 && h.idle })
		hs.mu.Unlock()
		if h == nil {
			break
		}
		h.close()
	}
	for _, h := range hs.all() {
		hs.mu.Lock()
		h.idle = h.total == 0
		hs.mu.Unlock()
		for _, l := range h.lines {
			l.tick()
		}
	}
}

func (hs *Hubs) all() []*Hub {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return slices.Collect(maps.Values(hs.hubs))
}

// Hub returns the hub for an identity, or nil if nobody has joined it of late.
func (hs *Hubs) Hub(id upstream.Identity) *Hub {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.hubs[hs.identity(id)]
}

// Stats are what metrics show.
type Stats struct {
	Hubs        int
	Connections int // to the master, now
	Members     int
	Names       int // channels and patterns, counted on each connection
}

// Stats counts.
func (hs *Hubs) Stats() Stats {
	all := hs.all()
	st := Stats{Hubs: len(all)}
	for _, h := range all {
		st.Connections += h.Connections()
		st.Names += h.names()
		hs.mu.Lock()
		st.Members += h.total
		hs.mu.Unlock()
	}
	return st
}

// Close gives all connections up. Members hear nothing more; they may still leave.
func (hs *Hubs) Close() {
	hs.mu.Lock()
	hs.closed = true
	hs.mu.Unlock()
	for _, h := range hs.all() {
		h.close()
	}
	hs.mu.Lock()
	clear(hs.hubs)
	hs.mu.Unlock()
}
