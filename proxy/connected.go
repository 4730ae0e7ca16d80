package proxy

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Connected is a client of steadis at one moment.
type Connected struct {
	ID   uint64 `json:"id"`
	Addr string `json:"addr"`
	// Name and Library are what the client says of itself.
	Name    string `json:"name"`
	Library string `json:"library"`
	DB      int    `json:"db"`
	User    string `json:"user"`
	// Age is how long it is connected, Idle how long ago its last command came, in seconds.
	Age  int64 `json:"age_seconds"`
	Idle int64 `json:"idle_seconds"`
	// State is held (its commands wait for a master), busy (they are under way), blocked
	// (as by BLPOP), transaction, subscribed, monitor or idle.
	State string `json:"state"`
	// Command is the last one's name, Queued how many wait or are under way.
	Command string `json:"command"`
	Queued  int    `json:"queued"`
}

const (
	maxConnected = 200
	// facesFor is how long a list of clients is good: looking at each one takes its lock,
	// and there may be many who ask.
	facesFor = time.Second
)

// faceCache is the last list of clients. Its lock is held while sessions' locks are
// taken, one at a time.
type faceCache struct {
	mu   sync.Mutex
	at   time.Time
	rows []Connected
}

// connected returns the clients to be shown.
func (s *Server) connected(now time.Time) []Connected {
	c := &s.shown
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil || now.Sub(c.at) >= facesFor {
		c.rows, c.at = s.lookAtClients(now), now
	}
	return c.rows // never changed, only replaced
}

// glance is what the clients are sorted by.
type glance struct {
	sess   *Session
	rank   int
	queued int
	seen   int64
}

func (s *Server) lookAtClients(now time.Time) []Connected {
	sessions := s.list()
	all := make([]glance, 0, len(sessions))
	for _, sess := range sessions {
		sess.mu.Lock()
		if !sess.dead {
			all = append(all, glance{sess, stateRank[sess.stateName()], sess.queue.Len(), max(sess.face.seen, sess.created.UnixNano())})
		}
		sess.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b glance) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.queued, a.queued), cmp.Compare(b.seen, a.seen), cmp.Compare(a.sess.id, b.sess.id))
	})
	rows := make([]Connected, 0, min(len(all), maxConnected))
	for _, g := range all[:min(len(all), maxConnected)] {
		rows = append(rows, g.sess.connectedRow(now))
	}
	return rows
}

// stateRank orders clients: those that wait for a master come first.
var stateRank = map[string]int{"held": 0, "busy": 1, "blocked": 2, "transaction": 2, "subscribed": 2, "monitor": 2, "idle": 2}

// stateName says what a client is at. s.mu must be held.
func (s *Session) stateName() string {
	switch {
	case s.waiting != nil && s.queue.Len() > 0:
		return "held"
	case s.barrier != nil && s.barrier.role == roleBlock && s.barrier.state == sent:
		return "blocked"
	case s.queue.Len() > 0:
		return "busy"
	case s.monitoring:
		return "monitor"
	case s.sub != nil && !s.sub.empty():
		return "subscribed"
	case s.tx != nil && s.tx.multi:
		return "transaction"
	}
	return "idle"
}

func (s *Session) connectedRow(now time.Time) Connected {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Connected{
		ID: s.id, Addr: printable(s.addr), Name: printable(s.name), DB: s.ident.DB, User: "default",
		Age: wholeSeconds(now.Sub(s.created)), State: s.stateName(), Queued: s.queue.Len(),
	}
	c.Idle = c.Age
	if s.face.seen != 0 {
		c.Idle = wholeSeconds(now.Sub(unixNano(s.face.seen)))
	}
	if s.face.libName != "" {
		c.Library = printable(s.face.libName + " " + s.face.libVer)
	}
	if s.ident.Auth && s.ident.User != "" {
		c.User = printable(s.ident.User)
	}
	if s.face.last != nil {
		c.Command = printable(s.face.last.Name)
	}
	return c
}
