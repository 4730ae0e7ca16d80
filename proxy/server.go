package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/redcon"
	"go.uber.org/zap"

	"steadis/proxy/command"
	"steadis/proxy/fanout"
	"steadis/proxy/hold"
	"steadis/proxy/resp"
	"steadis/proxy/roster"
	"steadis/proxy/upstream"
)

// Server is the data path: it accepts clients and carries their commands to the
// master that the Board shows. Make one with New, run it with Serve, once.
type Server struct {
	o       Options
	hold    *hold.Buffer
	pool    *upstream.Pool
	budget  *resp.Budget
	traffic traffic
	pulse   pulse
	outages outages
	nodes   atomic.Pointer[[]Replica] // as the master told last; nil: it has not
	shown   faceCache
	metrics *metrics
	scripts scripts
	bulky   bulky
	stops   apart
	hubs    *fanout.Hubs
	hellos  [2]atomic.Pointer[[]byte] // what the last master has answered to HELLO 2 and HELLO 3
	turns   *turns                    // nil with several threads
	looping sync.Once                 // makes loops for the first client that one can read
	loops   []*loop                   // one for each thread; none where the system has no poller for them
	pilot   atomic.Pointer[upstream.Pilot]
	table   atomic.Pointer[command.Table]       // what is known of commands, with what the master serves
	served  atomic.Pointer[map[string]struct{}] // the names of the master's commands; nil if it has not told
	users   atomic.Pointer[Users]               // nil where the master judges who clients are
	tooFew  atomic.Pointer[tooFew]              // nil while replicas confirm
	set     atomic.Pointer[inForce]
	changed chan struct{} // capacity 1: set has been replaced
	memory  *memory
	slow    atomic.Int64 // outputs beyond their soft limit

	// tables guards the next two, and is held while table is made of them. Nothing is
	// called under it.
	tables sync.Mutex
	policy *command.Table
	learnt []command.Served

	// Lines that can be caused again and again.
	wrongPass, quarrel, unread, http, full, noAccept seldomLine

	started time.Time
	ids     atomic.Uint64
	live    atomic.Int64 // sessions
	// accepted and turnedAway count clients, doubts writes in doubt.
	accepted, turnedAway, doubts atomic.Uint64
	// subscribers counts those with a connection of their own.
	subscribers atomic.Int64
	ending      atomic.Int32             // an ending
	give        atomic.Pointer[GiveFunc] // set once, before ending is leaving
	kept        bool                     // clients are kept at the end; not changed once Serve runs
	adopted     chan *clientConn         // on the way to redcon
	over        chan struct{}            // closed when Serve's listeners may end
	lost        chan struct{}            // capacity 1: a connection to the master failed
	wg          sync.WaitGroup           // goroutines of the server and of its sessions' outputs

	// mu guards the fields below. A session's lock may be held when it is taken,
	// never the other way round. No I/O and no callback under it.
	mu       sync.Mutex
	sessions map[uint64]*Session
	parting  map[*Session]struct{}              // have ended, with replies that are still to be read
	redirect map[*Session]map[*Session]struct{} // whose invalidation messages go to the key
	empty    chan struct{}                      // closed when sessions is empty at the end
	state    State
}

// New returns a Server. It returns an error if metrics cannot be registered.
func New(o Options) (*Server, error) {
	if o.Board == nil {
		return nil, errors.New("proxy: Options.Board is required")
	}
	o = o.orDefaults()
	set := newInForce(o.settings(), o.role(), o.MasterName)
	s := &Server{
		o: o, hold: hold.New(set.holdLimits()), budget: o.Shared.budget, memory: newMemory(o.Limits.Memory),
		wrongPass: seldomLine{log: o.Log}, quarrel: seldomLine{log: o.Log}, unread: seldomLine{log: o.Log},
		http: seldomLine{log: o.Log}, full: seldomLine{log: o.Log}, noAccept: seldomLine{log: o.Log},

		started: time.Now(), changed: make(chan struct{}, 1),
		lost: make(chan struct{}, 1), sessions: make(map[uint64]*Session), parting: make(map[*Session]struct{}), empty: make(chan struct{}),
		redirect: make(map[*Session]map[*Session]struct{}),
		adopted:  make(chan *clientConn), over: make(chan struct{}),
	}
	s.set.Store(set)
	var err error
	if s.policy, err = command.New(o.Commands); err != nil {
		return nil, err
	}
	s.table.Store(s.policy)
	s.users.Store(o.Users)
	// Stall is long: a CLIENT PAUSE WRITE looks the same. limitUnacked is the quick
	// eye; this one sees what an intermediary acknowledges and drops.
	s.pool = upstream.NewPool(upstream.Options{
		Dial: o.Dial, Timeout: o.Upstream.DialTimeout, Window: o.Hold,
		Connections: o.Upstream.Connections, Stall: o.Hold, Trouble: s.trouble,
		Durable: o.Durable.upstream(), Confirmed: s.confirmed, Deleted: s.userDeleted,
		Dials: o.Upstream.Dials, DialRate: o.Upstream.DialRate, Replicas: o.Reader,
	})
	s.hubs = fanout.NewHubs(s.pool, fanout.Options{})
	s.metrics = newMetrics(s)
	if o.Registry != nil {
		if err := o.Registry.Register(s.metrics); err != nil {
			return nil, fmt.Errorf("proxy: registering metrics: %w", err)
		}
	}
	return s, nil
}

// now is the clock; inside a synctest bubble it is the bubble's.
func (s *Server) now() time.Time { return time.Now() }

// Serve accepts clients on the listeners, which it closes, until ctx ends. Then
// it accepts no more but those who have connected before, lets commands under way finish
// for at most Options.Drain (shutdown.go), and returns once every session and goroutine
// has ended. It returns an error if a listener fails.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, len(listeners)+1)
	var redcons, accepting sync.WaitGroup // accepting: until no more are accepted
	if s.turns = newTurns(); s.turns != nil {
		s.spawn(s.turns.run)
	}
	for _, ln := range listeners {
		accepting.Add(1)
		redcons.Add(1)
		go s.accept(ctx, &gatedListener{Listener: ln, server: s, ctx: ctx, over: s.over, ended: accepting.Done}, &redcons, errs)
	}
	redcons.Add(1)
	go s.accept(ctx, adopting{s}, &redcons, errs)
	s.warm()
	s.wg.Add(2)
	go s.conduct(ctx)
	// Clients are kept within their limits for as long as there are any.
	limited, unlimited := context.WithCancel(context.WithoutCancel(ctx))
	defer unlimited()
	s.spawn(func() { s.keep(limited) })
	go s.beat(ctx)

	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	if s.kept {
		s.ending.CompareAndSwap(serving, keeping)
	}
	s.ending.CompareAndSwap(serving, draining)
	cancel()
	stopAccepting(listeners, s.o.SocketsStay || s.ending.Load() == leaving, &accepting)
	s.drain()
	unlimited()
	close(s.over)
	redcons.Wait()
	if s.turns != nil {
		close(s.turns.stop)
	}
	s.endLoops()
	s.hubs.Close()
	s.pool.Stop()
	s.wg.Wait()
	return err
}

// warm keeps the shared links of clients that do not authenticate connected, so
// that the first commands after a start or a switch find a connection.
func (s *Server) warm() {
	for n := range s.o.Upstream.Connections {
		s.pool.Shared(s.identity(), uint64(n))
	}
}

// accept runs redcon on one listener.
func (s *Server) accept(ctx context.Context, ln net.Listener, wg *sync.WaitGroup, errs chan<- error) {
	defer wg.Done()
	err := redcon.Serve(ln, serveCommands, adoptConn, nil)
	if ctx.Err() == nil {
		if err == nil {
			err = net.ErrClosed
		}
		errs <- fmt.Errorf("proxy: listener %s: %w", ln.Addr(), err)
	}
}

// adoptConn gives redcon's connection its session.
func adoptConn(conn redcon.Conn) bool {
	conn.SetContext(conn.NetConn().(*clientConn).session)
	return true
}

// serveCommands is redcon's handler, called at the bell: it takes the connection over.
func serveCommands(conn redcon.Conn, _ redcon.Command) {
	c := conn.NetConn().(*clientConn)
	conn.Detach()
	c.session.server.attend(c)
}

// welcome makes a session for an accepted connection, or turns it away.
func (s *Server) welcome(nc net.Conn) *clientConn {
	return s.admit(nc, s.ids.Add(1), nil)
}

// admit makes a session with an id, which begin, if it is not nil, gets before anybody
// else does, or turns the connection away and returns nil.
func (s *Server) admit(nc net.Conn, id uint64, begin func(*Session)) *clientConn {
	s.keepAlive(nc)
	set := s.set.Load()
	out := newOutput(nc, set.Limits.Output, s.spawn)
	out.memory, out.slow, out.sent = s.memory, &s.slow, &s.traffic.out
	sess := newSession(s, id, out)
	sess.addr, sess.laddr = addresses(nc)
	c := &clientConn{session: sess, Guard: resp.NewGuard(borrowed{nc, &s.traffic.in}, resp.Limits{
		MaxBulk: set.Limits.Bulk, Budget: s.budget, StreamFrom: streamFrom, Streams: s.streams, MaxInPlace: maxInPlace,
		Unauthenticated: sess.unauthenticated,
	})}
	c.in.open(nc, &s.traffic.in, s.tooMuch, s.awaitMemory)
	sess.client, out.closed = c, c.callOut
	if begin != nil {
		begin(sess)
	}
	s.mu.Lock()
	full := !s.o.Shared.enter(set.Limits.Clients)
	if !full {
		s.sessions[sess.id] = sess
		s.live.Add(1)
	}
	s.mu.Unlock()
	if full {
		s.turnedAway.Add(1)
		s.full.warn("turned a client away: limits.clients is reached", zap.Int("limits.clients", set.Limits.Clients))
		out.add([]byte(errMaxClients))
		out.finish()
		out.flush()
		return nil
	}
	if s.set.Load() != set {
		sess.mu.Lock()
		sess.boundOutput() // configure has not seen it
		sess.mu.Unlock()
	}
	s.accepted.Add(1)
	return c
}

// newBudget bounds unfinished commands. What each client has free is small where there
// may be many.
func newBudget(l Limits) *resp.Budget {
	return resp.NewBudget(l.QueryMemory).WithFree(l.QueryMemory / 4 / int64(l.Clients))
}

// addresses returns the client's address and the one that it has connected to, as
// Redis shows them.
func addresses(nc net.Conn) (remote, local string) {
	r, l := nc.RemoteAddr(), nc.LocalAddr()
	if r == nil || l == nil {
		return "", ""
	}
	if l.Network() == "unix" {
		addr := roster.UnixAddr(l.String())
		return addr, addr
	}
	return r.String(), l.String()
}

// spawn runs f in a goroutine that Serve waits for.
func (s *Server) spawn(f func()) {
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		f()
	}()
}

// forget takes a session out of the list.
func (s *Server) forget(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.sessions[sess.id]; ok {
		s.live.Add(-1)
		s.o.Shared.leave()
	}
	delete(s.sessions, sess.id)
	if len(s.sessions) == 0 && s.ending.Load() != serving {
		s.closeEmptyLocked()
	}
}

func (s *Server) closeEmptyLocked() {
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// list returns the sessions there are.
func (s *Server) list() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		all = append(all, sess)
	}
	return all
}

// session returns the session with the id, nil if there is none.
func (s *Server) session(id uint64) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// noteRedirect notes that borrower's invalidation messages go to target.
func (s *Server) noteRedirect(target, borrower *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redirect[target] == nil {
		s.redirect[target] = make(map[*Session]struct{})
	}
	s.redirect[target][borrower] = struct{}{}
}

// redirecting returns the sessions whose invalidation messages go to target.
func (s *Server) redirecting(target *Session) []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Session, 0, len(s.redirect[target]))
	for b := range s.redirect[target] {
		all = append(all, b)
	}
	return all
}

// forgetRedirect takes an ended session out of what noteRedirect noted.
func (s *Server) forgetRedirect(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.redirect, sess)
	for _, borrowers := range s.redirect {
		delete(borrowers, sess)
	}
}

// trouble is the pool's word that a connection failed.
func (s *Server) trouble(generation uint64, err error) {
	s.metrics.upstreamFailures.Inc()
	s.o.Board.Doubt(generation, err.Error())
	select {
	case s.lost <- struct{}{}:
	default:
	}
}

// outageReply is the error for commands that will not be waited for.
func (s *Server) outageReply() []byte {
	return errOutage(s.role(), s.o.MasterName, s.hold.Outage(), s.now())
}
