package proxy

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
)

// memory is what all clients together have in replies that they have not read, in commands
// under way, and in those of open transactions. It is bounded as Redis' maxmemory-clients bounds it (Redis 7.0
// server.c evictClients): beyond the limit who has most is closed. Before that, from half
// of the limit on, a client with more than its share is not read any more until some of
// its commands are answered. Methods may be called concurrently.
type memory struct {
	limit atomic.Int64
	used  atomic.Int64
	full  chan struct{}                 // capacity 1: the limit is exceeded
	eased atomic.Pointer[chan struct{}] // closed, and replaced, when evict has done what it can
}

func newMemory(limit int64) *memory {
	m := &memory{full: make(chan struct{}, 1)}
	m.limit.Store(limit)
	m.ease()
	return m
}

// ease lets those go on who wait for evict. One goroutine calls it.
func (m *memory) ease() {
	next := make(chan struct{})
	if former := m.eased.Swap(&next); former != nil {
		close(*former)
	}
}

// end is for when evict will not be called any more: nobody is to wait for it then.
func (m *memory) end() { close(*m.eased.Load()) }

// add takes n bytes, or gives them back.
func (m *memory) add(n int64) {
	if m.used.Add(n) > m.limit.Load() && n > 0 {
		select {
		case m.full <- struct{}{}:
		default: // it is known
		}
	}
}

const (
	// RequestCost is what a command that is under way or held takes beside its bytes.
	RequestCost = 384
	// chargeStep is how far a client's use may have changed before memory hears of it, so
	// that a client with little to do costs nothing here.
	chargeStep = 4 << 10
	// leastShare is what a client may have under way however many there are.
	leastShare = 64 << 10
)

// cost is what a command takes while it is queued.
func cost(r *request) int64 { return int64(r.size) + RequestCost }

// push queues a request. s.mu must be held.
func (s *Session) push(r *request) {
	s.bytes += int(r.size)
	s.load += cost(r)
	s.queue.Push(r)
}

// unload takes a request that is no longer queued off the session's use.
func (s *Session) unload(r *request) {
	s.bytes -= int(r.size)
	s.load -= cost(r)
	if use := s.use(); use == 0 || s.charged.Load()-use >= chargeStep {
		s.charge()
	}
}

// use is what the session takes in memory: the queued commands, and those of an open
// transaction, which are remembered until it ends. s.mu must be held.
func (s *Session) use() int64 {
	if s.tx == nil {
		return s.load
	}
	return s.load + s.tx.load
}

// charge tells memory of the session's use. s.mu must be held.
func (s *Session) charge() {
	use := s.use()
	if d := use - s.charged.Load(); d != 0 {
		s.charged.Store(use)
		s.server.memory.add(d)
	}
}

// overShare says whether the session has more under way than it may, now that memory is
// short.
func (s *Session) overShare() bool {
	m := s.server.memory
	if s.load <= leastShare || m.used.Load() <= m.limit.Load()/2 {
		return false
	}
	return s.load > m.limit.Load()/4/max(1, s.server.live.Load())
}

// evict closes the clients that have most, until all of them together have less than the
// limit. What waits for a master has a limit of its own, and does not count here; what has
// been refused meanwhile, and is behind it, does. It waits for nobody: the lock of who has most
// is rarely free, for that one sends, or is sent what it does not read (throwOut).
func (s *Server) evict() {
	defer s.memory.ease()
	allowed := s.allowedMemory()
	left := s.memory.used.Load() // once those who are to be closed are
	if left <= allowed {
		return
	}
	type user struct {
		session *Session
		bytes   int64
	}
	var users []user
	for _, sess := range append(s.list(), s.allParting()...) {
		users = append(users, user{sess, sess.charged.Load() - sess.inHold.Load() + sess.out.waiting()})
	}
	slices.SortFunc(users, func(a, b user) int { return cmp.Compare(b.bytes, a.bytes) })
	closed, most := 0, int64(0)
	goal := allowed - s.memory.limit.Load()/16 // or the next byte would be too many again
	for _, u := range users {
		if u.bytes <= 0 || min(left, s.memory.used.Load()) <= goal {
			break
		}
		left -= u.bytes
		if u.session.throwOut() {
			closed, most = closed+1, max(most, u.bytes)
		}
	}
	if closed > 0 {
		s.metrics.crowdedOut.Add(float64(closed))
		s.quarrel.warn("closed the clients with the most unread replies and commands under way: all together exceed limits.memory",
			zap.Int("clients", closed), zap.Int64("most", most), zap.Int64("limits.memory", s.memory.limit.Load()))
	}
}

// part notes that a session has ended with replies that are still to be read: they are memory
// until they are, or until the client's last moments are over (lastWords).
func (s *Server) part(sess *Session) {
	s.mu.Lock()
	s.parting[sess] = struct{}{}
	s.mu.Unlock()
}

// parted is the end of that, if they have been read or never will be.
func (s *Server) parted(sess *Session) {
	if sess.out.waiting() > 0 {
		return
	}
	s.mu.Lock()
	delete(s.parting, sess)
	s.mu.Unlock()
}

func (s *Server) allParting() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.parting))
}

// allowedMemory is what clients may have now: beside the limit what waits for a master.
func (s *Server) allowedMemory() int64 {
	commands, bytes := s.hold.Waiting()
	return s.memory.limit.Load() + bytes + int64(commands)*RequestCost
}

// tooMuch says whether all clients together have more than they may. It costs two looks at
// memory, so that it can be asked at every read.
func (s *Server) tooMuch() bool {
	return s.memory.used.Load() > s.memory.limit.Load() && s.memory.used.Load() > s.allowedMemory()
}

// awaitMemory keeps a client from being read while all have too much, until evict has done
// what it can. It is no matter of time: with thousands that have sent at the same moment
// evict may get its turn only after all of them, and if they were read meanwhile, each
// would have got a batch in.
func (s *Server) awaitMemory() {
	for range evictions {
		if !s.tooMuch() {
			return
		}
		eased := *s.memory.eased.Load()
		select {
		case s.memory.full <- struct{}{}:
		default: // it is known
		}
		<-eased
	}
}

// evictions is how often a client waits for evict before it is read all the same: more often
// than that is needed only if what there is too much of is nobody's that could be closed.
const evictions = 1000

// Memory says how many bytes clients have in unread replies and commands under way: what
// limits.memory bounds.
func (s *Server) Memory() int64 { return s.memory.used.Load() }
