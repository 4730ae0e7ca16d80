package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/ring"
	"steadis/proxy/upstream"
)

// Session is one client's connection from accept to close: its commands in their
// order, its state (database, user, name, transaction, subscriptions) and what
// it has yet to read. It survives the master.
//
// It is used concurrently by four parties: its reader (submit,
// readEnded), upstream readers (replied, lost, Push, Settle), links (LinkEvent)
// and the server (kill). None of them ever waits for the client or for Redis
// under the lock.
type Session struct {
	server  *Server
	id      uint64
	addr    string
	laddr   string
	created time.Time
	out     *output

	// private is the link of pin, for those who may not take this session's lock.
	private atomic.Pointer[upstream.Link]

	// mu guards all below. It comes first in the lock order: links' and
	// connections' locks may be taken under it. No I/O and no callback under it.
	mu        sync.Mutex
	room      sync.Cond // signalled when a reader that was stopped may go on
	set       *inForce  // as it was when the last batch came
	queue     ring.Ring[*request]
	next      int        // requests before queue[next] are sent or done
	batch     []*request // picked by dispatch, all for via
	calls     []upstream.Call
	flight    int            // requests in flight, all on conn
	turn      uint32         // which command of a batch is timed
	conn      *upstream.Conn // the last connection used
	replica   *upstream.Conn // one whose node has refused a command as no master would
	via       *upstream.Link
	waiting   *upstream.Link // the link that the first unsent request waits for
	waitGate  *upstream.Gate // as it was when the waiting began
	timer     *time.Timer    // while a blocking command waits for a connection: its own time
	wrote     uint64         // the generation of the master that the last write was sent to
	meanReply int            // bytes of a reply, of late
	barrier   *request       // nothing behind it is sent before its reply
	bytes     int            // of the queued requests
	load      int64          // what they take in memory
	inHold    atomic.Int64   // of it, what waits for a master and counts in the hold; read without the lock
	charged   atomic.Int64   // of use, what Server.memory knows of; read without the lock
	busyAt    time.Time      // when the keeper last found that the client may be silent
	dirty     bool           // an upstream reader will settle the session

	ident upstream.Identity
	link  *upstream.Link // the shared link of ident; nil until first used
	pin   *pin           // the private connection, while there is state that needs one
	tx    *transaction
	sub   *subscription
	track *tracking

	borrowers  []func(*upstream.Conn) // wait for the private connection
	executing  int                    // while an EXEC is answered: how many commands it had
	monitoring bool
	shadows    int  // PINGs that steadis has answered and that are in flight
	untouched  bool // CLIENT NO-TOUCH ON
	mute       muting
	multiSent  bool // of the commands that have come: a MULTI is open
	off        bool // CLIENT REPLY OFF is in force, at the turn that it is
	face       face
	name       string
	account    string // with Options.Users: who the client has authenticated as; "" is the default user
	locked     bool   // and whether it has to do so first

	body *resp.Body // of the batch's last command; only who reads the client has it

	client *clientConn // never changed

	void  bool // a MULTI was refused: what it should have had behind it is, too
	ended bool // nothing more is read
	gone  bool // the client hung up: nothing that waits for it may run
	dead  bool // closed; late replies are dropped
}

func newSession(srv *Server, id uint64, out *output) *Session {
	s := &Session{server: srv, id: id, out: out, set: srv.set.Load(), meanReply: firstMeanReply, created: srv.now(), ident: srv.identity()}
	out.drained, out.broken = s.Settle, s.cut
	s.room.L = &s.mu
	s.greet()
	return s
}

// refusedInfo marks the requests that refuseTail makes.
var refusedInfo = infoOf("refused")

// infoOf makes the Info of a request that is no client's command.
func infoOf(name string) *command.Info { return &command.Info{Name: name, Known: true} }

// answer gives r its reply and, as far as it is their turn, writes that and the
// ones behind it. reply is copied if it has to wait.
func (s *Session) answer(r *request, reply []byte) {
	if s.queue.Len() > 0 && *s.queue.At(0) == r {
		s.say(r, reply)
		switch {
		case s.dead:
		case r.finish:
			s.close()
		default:
			s.pop()
			s.answerReady()
		}
		return
	}
	r.state = done
	r.reply = append([]byte(nil), reply...)
}

// part writes one of several frames of r's reply, or keeps it until its turn.
func (s *Session) part(r *request, frame []byte) {
	if s.queue.Len() > 0 && *s.queue.At(0) == r {
		s.say(r, frame)
		return
	}
	r.reply = append(r.reply, frame...)
}

// answerReady writes the replies whose turn has come.
func (s *Session) answerReady() {
	for s.queue.Len() > 0 && !s.dead {
		r := *s.queue.At(0)
		if r.state != done {
			return
		}
		s.pass(r)
		reply := r.reply
		if r.role == rolePing {
			reply = s.pong(r)
		}
		for i := int32(0); i < r.copies && !s.dead; i++ {
			s.say(r, reply)
		}
		switch {
		case s.dead:
			return
		case r.finish:
			s.close()
			return
		}
		s.pop()
	}
}

// pop removes the first request, which has been answered.
func (s *Session) pop() {
	r := s.queue.Pop()
	r.dropBody()
	s.leave(r, s.server.hold.Release)
	if s.next > 0 {
		s.next--
	}
	s.unload(r)
	r.batch.answered(r)
	if s.queue.Len() <= s.set.Limits.Pipeline/2 {
		s.room.Signal()
	}
	if s.queue.Len() == 0 {
		switch {
		case s.gone:
			s.close()
		case s.server.ending.Load() != serving:
			s.nudge()
		}
	}
}

// say writes a reply to r, unless the client wants none.
func (s *Session) say(r *request, reply []byte) {
	if !r.mute || confirms(r, reply) {
		s.write(reply)
	}
}

// confirms says whether a reply is an (un)subscribing command's: it comes as what nobody has asked
// for does, which CLIENT REPLY does not keep back (Redis 7.0 pubsub.c, CLIENT_PUSHING).
func confirms(r *request, reply []byte) bool {
	_, _, ok := subscribing(r.info)
	return ok && r.role != roleQueued && len(reply) > 0 && reply[0] != '-'
}

// write queues reply bytes for the client.
func (s *Session) write(reply []byte) {
	if len(reply) > 0 && !s.out.add(reply) {
		s.server.noteOverflow(s)
		s.abort()
	}
}

// tell queues what has come unasked over another connection than the client's commands go
// over, or from none; head is to be its first byte.
func (s *Session) tell(head byte, frame []byte) {
	if !s.out.addUnasked(head, frame) {
		s.server.noteOverflow(s)
		s.abort()
	}
}

// replied is an upstream reader's: a frame of r's reply has come.
func (s *Session) replied(r *request, frame []byte, last bool) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hear(r, frame, last) {
		return nil
	}
	return s.soil()
}

// repliedRun is replied for the whole replies to requests in a row, as far as they are this
// session's, which calls[0] is. It returns how many were.
func (s *Session) repliedRun(calls []upstream.Call, frames [][]byte) (n int, owner upstream.Owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := false
	for n < len(calls) {
		r, ok := calls[n].(*request)
		if !ok || r.s != s {
			break
		}
		heard = s.hear(r, frames[n], true) || heard
		n++
	}
	if !heard {
		return n, nil
	}
	return n, s.soil()
}

// hear takes a frame of r's reply. It returns false if nobody wants it any more.
func (s *Session) hear(r *request, frame []byte, last bool) bool {
	if last {
		s.answered(r)
	}
	s.meanReply += (len(frame) - s.meanReply) / 8
	switch {
	case s.dead:
		return false
	case last && s.outdated(r):
		s.next = 0
		s.requeue(r, upstream.NotSent, false)
		s.answerReady()
	default:
		s.deal(r, frame, last)
	}
	return true
}

// answered notes that r is not in flight any more, as its reply has come.
func (s *Session) answered(r *request) {
	s.flight--
	s.timed(r)
	if s.barrier == r {
		s.barrier = nil
	}
	if runsScript(r) {
		s.server.scriptDone()
	}
}

// deal takes a frame by what its request is for.
func (s *Session) deal(r *request, frame []byte, last bool) {
	if last {
		s.noteCaching(r, frame)
	}
	switch r.role {
	case roleCommand:
		if r.info.Verb == command.ClientTrackingInfo {
			frame = s.trackingInfo(frame)
		}
		switch {
		case !s.heedScript(r, frame):
		case changesAccess(r) && frame[0] != '-':
			s.lookFirst(r, frame)
		default:
			s.answer(r, frame)
		}
	case roleGroup:
		r.reply = append(r.reply, frame...)
		if last {
			s.noteScripts(r.members, frame)
			s.answer(r, r.reply)
		}
	case roleAdopt:
		s.adopted(r, frame)
	case roleWatch:
		s.watched(r, frame)
	case roleMulti, roleQueued:
		s.queued(r, frame)
	case roleTxEnd:
		s.txEnded(r, frame, last)
	case roleBlock:
		s.unblocked(r, frame)
	case roleSubscribe:
		s.subscribed(r, frame, last)
	case roleTrack:
		s.tracked(r, frame)
	case roleTouch:
		s.touched(r, frame)
	case roleMonitor:
		s.monitors(r, frame)
	case roleInfo:
		s.answer(r, s.withSteadis(r, frame))
	case roleFan:
		s.fanReady(r, frame)
	case roleAsk:
		s.allowed(r, frame)
	case roleScan:
		s.answer(r, taggedCursor(r, s.conn.Epoch(), frame))
	case roleRestore:
		s.gaveBack(r, frame, last)
	}
}

// soil marks the session as one to be settled; the result is non-nil only for
// the first who does.
func (s *Session) soil() upstream.Owner {
	if s.dirty {
		return nil
	}
	s.dirty = true
	return s
}

// Settle implements upstream.Owner.
func (s *Session) Settle() {
	s.mu.Lock()
	s.dirty = false
	if s.dead {
		s.server.parted(s)
	} else {
		if s.next < s.queue.Len() || s.pin != nil {
			s.dispatch()
		}
		s.refresh()
	}
	s.mu.Unlock()
	s.out.flush()
}
