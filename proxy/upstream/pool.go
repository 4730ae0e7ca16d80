package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Pool.
type Options struct {
	Dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	Timeout     time.Duration // of a dial with its handshake
	Window      time.Duration // longest wait for a connection, as the hold time
	Connections int           // shared connections per identity
	// Stall is how long a shared connection on which commands wait may bring
	// nothing while the node answers elsewhere (Pool.Alive); 0 means for ever. It
	// should be longer than any pause in which a node answers PING but not commands
	// (CLIENT PAUSE, FAILOVER).
	Stall time.Duration
	// Durable says that replies wait until replicas have what they stand for; nil: they do
	// not.
	Durable *Durability
	// Confirmed is called, from any goroutine, each time that replicas were waited for: with
	// nil, or with the reason why too few had what they should. May be nil.
	Confirmed func(error)
	// Dials bounds the dials of pinned connections that are under way at one time, and
	// DialRate those that are begun in a second; 0: concurrentDials, and no bound.
	Dials, DialRate int
	// Deleted is called, from any goroutine, when the master has ended a shared connection
	// and then refuses its identity: the user was deleted. May be nil.
	Deleted func(Identity)
	// Replicas says that a node need not be a master: READONLY is a reply like any other.
	Replicas bool
	// Trouble is called, from any goroutine, when a connection to the master of a
	// generation could not be made or was lost. May be nil.
	Trouble func(generation uint64, err error)
}

const (
	// concurrentDials bounds the stampede on a new master: of shared connections, and, if
	// Options.Dials does not say otherwise, of pinned ones.
	concurrentDials = 32
	// idlePinned is how many unused pinned links are kept for each identity.
	idlePinned = 32
	// spares is how many of them are made in advance for each identity that pins.
	spares = 4
	// linger is how long a shared link without clients keeps its connection.
	linger = 30 * time.Second
	// maxKnown bounds how many accepted identities are remembered.
	maxKnown = 10_000

	firstBackoff = 10 * time.Millisecond
	lastBackoff  = 250 * time.Millisecond
)

// slot names one of the shared links of an identity.
type slot struct {
	Identity
	n int
}

// Pool holds every upstream connection and moves them all to a new master. Its
// methods may be called concurrently, but those that move the gate (Close, Open,
// Retire, GiveUp) and Alive only by one goroutine, the conductor.
type Pool struct {
	o     Options
	times atomic.Pointer[Times]
	ctx   context.Context
	stop  context.CancelFunc
	gate  atomic.Pointer[Gate]
	// Each holds a token for every dial under way. Shared connections are few and many wait
	// for each: they do not queue behind thousands of pinned ones.
	dials, pinnedDials chan struct{}
	pace               *pace // of pinned connections

	dialled   atomic.Uint64
	needsAuth atomic.Bool  // what NeedsAuth says
	edition   atomic.Int64 // what Edition says
	// waitCoversAll says what WAIT covers at the master that comes: see barrier.
	waitCoversAll atomic.Bool
	answered      atomic.Int64 // when the last answered question of the Pilot was asked, as UnixNano
	wg            sync.WaitGroup

	// mu guards the fields below; never held while a link's lock is taken.
	mu     sync.Mutex
	shared map[slot]*Link
	pinned map[*Link]struct{}
	idle   map[Identity][]*Link
	filled map[Identity]struct{} // identities for which spares are being made
	known  map[Identity]struct{} // identities that a master has accepted
}

// NewPool returns a Pool whose gate is closed.
func NewPool(o Options) *Pool {
	if o.Connections < 1 {
		o.Connections = 1
	}
	if o.Dials < 1 {
		o.Dials = concurrentDials
	}
	p := &Pool{
		o: o, dials: make(chan struct{}, concurrentDials), pinnedDials: make(chan struct{}, o.Dials), pace: newPace(o.DialRate),
		shared: make(map[slot]*Link), pinned: make(map[*Link]struct{}),
		idle: make(map[Identity][]*Link), filled: make(map[Identity]struct{}), known: make(map[Identity]struct{}),
	}
	p.SetTimes(Times{Timeout: o.Timeout, Window: o.Window, Stall: o.Stall})
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.gate.Store(p.newGate(Gate{}))
	return p
}

// Times are those of the Options that a Pool takes anew while it runs.
type Times struct{ Timeout, Window, Stall time.Duration }

// SetTimes replaces what Options said. What waits already is judged by the new ones.
func (p *Pool) SetTimes(t Times) { p.times.Store(&t) }

// Gate returns where commands go now.
func (p *Pool) Gate() *Gate { return p.gate.Load() }

// Shared returns a shared link for id; clients with different n spread over the
// configured number of them. The caller gives it back with Release.
func (p *Pool) Shared(id Identity, n uint64) *Link {
	key := slot{id, int(n % uint64(p.o.Connections))}
	for {
		p.mu.Lock()
		l := p.shared[key]
		if l == nil {
			l = &Link{pool: p, id: id}
			p.shared[key] = l
		}
		p.mu.Unlock()
		l.mu.Lock()
		if !l.closed {
			l.users++
			l.mu.Unlock()
			return l
		}
		l.mu.Unlock()
		p.remove(l) // closed by its last user or by Redis; make another one
	}
}

// Release gives a shared link back.
func (p *Pool) Release(l *Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users == 0 {
		l.idleSince = time.Now()
	}
}

// Pin returns a link that only owner uses, one with a connection already if such
// a one lies idle. The caller ends it with Unpin or Link.Close.
func (p *Pool) Pin(id Identity, owner Pinner) *Link {
	for {
		p.mu.Lock()
		n := len(p.idle[id])
		if n <= spares {
			p.fillLocked(id)
		}
		if n == 0 {
			l := &Link{pool: p, id: id, pinned: true, owner: owner}
			p.pinned[l] = struct{}{}
			p.mu.Unlock()
			return l
		}
		l := p.idle[id][n-1]
		p.setIdleLocked(id, p.idle[id][:n-1])
		p.mu.Unlock()
		if l.own(owner) {
			return l
		}
		l.Close()
	}
}

// Prepare makes spares for an identity, if the gate is open.
func (p *Pool) Prepare(id Identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fillLocked(id)
}

// fillLocked starts making spares for an identity, unless that is under way. p.mu must
// be held.
func (p *Pool) fillLocked(id Identity) {
	if _, ok := p.filled[id]; ok || p.ctx.Err() != nil {
		return
	}
	p.filled[id] = struct{}{}
	p.wg.Add(1)
	go p.fill(id)
}

// fill makes connections that lie idle until somebody pins them, so that a command that
// needs one need not wait for a dial, nor be overtaken by another client's that does
// not. It ends when there are enough, or at the first failure: the next Pin tries again.
func (p *Pool) fill(id Identity) {
	defer p.wg.Done()
	for {
		gate := p.gate.Load()
		p.mu.Lock()
		if len(p.idle[id]) >= spares || !gate.Open || p.ctx.Err() != nil {
			delete(p.filled, id)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		g, err := p.dial(gate, id, true)
		if err != nil {
			gate = nil
		}
		if gate == nil || !p.spare(g, gate, id) {
			p.mu.Lock()
			delete(p.filled, id)
			p.mu.Unlock()
			return
		}
	}
}

// spare makes an idle link of a connection; false if the master has changed since it
// was dialled.
func (p *Pool) spare(g greeted, gate *Gate, id Identity) bool {
	l := &Link{pool: p, id: id, pinned: true}
	p.mu.Lock()
	p.pinned[l] = struct{}{}
	p.mu.Unlock()
	if !l.attach(l.newConn(g, gate), gate, id) {
		g.nc.Close()
		p.remove(l)
		return false
	}
	if !p.keepIdle(l) {
		l.Close()
	}
	return true
}

// Unpin gives a pinned link back. Its connection must have no state left that
// another client could notice: no MULTI, no WATCH, no subscription, no call in
// flight.
func (p *Pool) Unpin(l *Link) {
	if !l.disown() || !p.keepIdle(l) {
		l.Close()
	}
}

// keepIdle keeps a link for the next Pin, if there is room.
func (p *Pool) keepIdle(l *Link) bool {
	id := l.Identity()
	p.mu.Lock()
	room := len(p.idle[id]) < idlePinned
	if room {
		p.setIdleLocked(id, append(p.idle[id], l))
	}
	p.mu.Unlock()
	return room && !l.isClosed() // else its connection ended just before it was kept
}

func (p *Pool) setIdleLocked(id Identity, links []*Link) {
	if len(links) == 0 {
		delete(p.idle, id)
		return
	}
	p.idle[id] = links
}

// closeIdle closes the pinned links that nobody has.
func (p *Pool) closeIdle() {
	var all []*Link
	p.mu.Lock()
	for _, links := range p.idle {
		all = append(all, links...)
	}
	clear(p.idle)
	p.mu.Unlock()
	for _, l := range all {
		l.Close()
	}
}

func (p *Pool) remove(l *Link) {
	id := l.Identity() // that of an idle link does not change any more
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pinned, l)
	if i := slices.Index(p.idle[id], l); i >= 0 {
		p.setIdleLocked(id, slices.Delete(p.idle[id], i, i+1))
	}
	for n := range p.o.Connections {
		if key := (slot{id, n}); p.shared[key] == l {
			delete(p.shared, key)
		}
	}
}

// Known says whether a master has accepted id before, so that a client need not
// wait for a connection to hear so during a hold.
func (p *Pool) Known(id Identity) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.known[id]
	return ok
}

// dial makes a connection of identity id to the gate's master. It ends at once
// when the gate moves.
func (p *Pool) dial(gate *Gate, id Identity, pinned bool) (greeted, error) {
	tokens := p.dials
	if pinned {
		tokens = p.pinnedDials
		if err := p.pace.await(gate.ctx); err != nil {
			return greeted{}, err
		}
	}
	select {
	case tokens <- struct{}{}:
		defer func() { <-tokens }()
	case <-gate.ctx.Done():
		return greeted{}, gate.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(gate.ctx, p.times.Load().Timeout)
	defer cancel()
	g, err := greetAt(ctx, p.o.Dial, gate.Addr, p.handshake(id, pinned))
	if err == nil {
		p.dialled.Add(1)
	}
	if err == nil && !id.Auth {
		p.noteAuth(g.needsAuth)
	}
	id.Name = ""
	p.learn(id, err)
	return g, err
}

// WaitCoversAll says what WAIT covers on connections that are made from now on:
// everything that the master has done, as until Redis 7.0, or only what was written on
// its own connection.
func (p *Pool) WaitCoversAll(yes bool) { p.waitCoversAll.Store(yes) }

// CoversAll returns what WaitCoversAll was told last.
func (p *Pool) CoversAll() bool { return p.waitCoversAll.Load() }

// Accepted notes that the master has taken id, on a pinned connection.
func (p *Pool) Accepted(id Identity) { p.learn(id, nil) }

// Refused notes that the master does not take id any more.
func (p *Pool) Refused(id Identity) { p.learn(id, &Rejected{}) }

// NeedsAuth says whether the master takes commands only from clients that have
// authenticated, as the last fresh connection that had not done so was told.
func (p *Pool) NeedsAuth() bool { return p.needsAuth.Load() }

// Edition is what goes into the Identity of a new client. Redis decides when a client
// connects whether it needs a password (Redis 7.0 networking.c createClient), so
// connections that were made before that has changed are not for clients that come
// after: each change makes a new edition.
func (p *Pool) Edition() int { return int(p.edition.Load()) }

// Look asks the master, over a fresh connection, whether it needs a password now. It
// returns once Edition is right, or with an error of the network.
func (p *Pool) Look(ctx context.Context) error {
	gate := p.gate.Load()
	if !gate.Open {
		return ErrNotSent
	}
	ctx, cancel := context.WithTimeout(ctx, p.times.Load().Timeout)
	defer cancel()
	g, err := greetAt(ctx, p.o.Dial, gate.Addr, p.handshake(Identity{}, false))
	if err != nil {
		return err
	}
	g.nc.Close()
	p.noteAuth(g.needsAuth)
	return nil
}

// noteAuth takes what a fresh connection was told.
func (p *Pool) noteAuth(needs bool) {
	if p.needsAuth.Swap(needs) != needs {
		p.edition.Add(1)
	}
}

func (p *Pool) learn(id Identity, err error) {
	var rejected *Rejected
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && len(p.known) < maxKnown:
		p.known[id] = struct{}{}
	case errors.As(err, &rejected):
		delete(p.known, id)
	}
}

// trouble reports a failed dial, unless the gate moved and ended it.
func (p *Pool) trouble(gate *Gate, err error) {
	if p.o.Trouble != nil && gate.ctx.Err() == nil {
		p.o.Trouble(gate.Generation, err)
	}
}

// connEnded reports a lost connection, unless it was given up on purpose. What lies idle at
// a node that has proved to be no master is not for who comes next.
func (p *Pool) connEnded(l *Link, c *Conn, err error) {
	if errors.Is(err, errDemoted) {
		p.closeIdle()
	}
	if p.o.Trouble != nil && p.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
		p.o.Trouble(c.Generation(), err)
	}
}

// backoff waits a little longer after each failed dial, but not past a move of
// the gate. The wait is jittered, so that many proxies do not knock in step.
func (p *Pool) backoff(gate *Gate, attempt int) {
	timer := time.NewTimer(Backoff(attempt))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-gate.ctx.Done():
	}
}

// Backoff returns how long to wait after failed attempt number n, from 0: from
// 10 ms doubling to 250 ms, with up to a half more at random.
func Backoff(n int) time.Duration {
	d := min(firstBackoff<<min(n, 10), lastBackoff)
	return d + rand.N(d/2)
}

// links returns all links, pinned and shared.
func (p *Pool) links() []*Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Link, 0, len(p.shared)+len(p.pinned))
	for _, l := range p.shared {
		all = append(all, l)
	}
	for l := range p.pinned {
		all = append(all, l)
	}
	return all
}

// Reap closes shared links that no client has used for a while.
func (p *Pool) Reap(now time.Time) {
	for _, l := range p.links() {
		l.mu.Lock()
		old := !l.pinned && l.users == 0 && now.Sub(l.idleSince) > linger
		if old {
			l.closed = true
		}
		l.mu.Unlock()
		if old {
			l.Close()
		}
	}
}

// Stop closes every connection and waits for all of the pool's goroutines.
func (p *Pool) Stop() {
	p.stop()
	for _, l := range p.links() {
		l.Close()
	}
	p.wg.Wait()
}
