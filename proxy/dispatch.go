package proxy

import (
	"steadis/proxy/command"
	"steadis/proxy/upstream"
)

// dispatch sends what can be sent, in order. s.mu must be held; the caller
// flushes the output after releasing it.
//
// The order of a client's commands is kept by two rules: commands in flight are
// all on one connection, and whatever needs another one (another database, a
// pinned connection, a new master) waits until nothing is in flight.
func (s *Session) dispatch() {
	for again := true; again && !s.dead; {
		s.leaveModes()
		crowded := s.out.crowded()
		for !s.dead && s.waiting == nil && s.barrier == nil && s.next < s.queue.Len() {
			r := *s.queue.At(s.next)
			if r.state != unsent {
				if !s.pass(r) {
					break
				}
				s.next++
			} else if crowded || s.flight-s.shadows+len(s.batch) >= s.window() || !s.advance(r) {
				break
			}
		}
		again = !s.dead && s.transmit()
	}
}

// A pipeline of large replies must not fill the output faster than the client
// reads: replies of so large a share of limits.output may be under way, by their
// mean size of late. Until replies have come, few commands are sent: 16 with the
// default limit.
const (
	windowShare    = 8
	firstMeanReply = 512 << 10
)

// window is how many commands of this client may be in flight, beside shadows, whose replies
// are not for it.
func (s *Session) window() int {
	return max(1, int(s.set.Limits.Output)/windowShare/max(s.meanReply, 1))
}

// leaveModes gives the private connection back when nothing needs it any more, so
// that the session's commands go over the shared link again.
func (s *Session) leaveModes() {
	if s.pin == nil && s.sub == nil || s.flight > 0 || len(s.batch) > 0 || s.barrier != nil || s.waiting != nil {
		return
	}
	if t := s.tx; t != nil && !t.watched && !t.multi {
		s.tx = nil
	}
	if u := s.sub; u != nil && u.open == 0 && u.empty() {
		s.endSub()
	}
	if s.pin != nil && !s.hasState() && !s.server.apart() {
		s.unpin(true)
	}
}

// pass looks, in order, at a request that is not to be sent because steadis has
// refused it. Inside MULTI that voids the transaction, as a refusal by Redis does; a
// refused EXEC ends it. False: that has to wait until what was queued is answered,
// for it would be sent again outside of the transaction.
func (s *Session) pass(r *request) bool {
	if !r.refused || r.passed {
		return true
	}
	t := s.tx
	end := t != nil && t.multi && (r.info.Verb == command.Exec || r.info.Verb == command.Discard)
	if end && (s.flight > 0 || len(s.batch) > 0) {
		return false
	}
	r.passed = true
	switch {
	case end:
		s.endTx(false)
	case t != nil && t.multi:
		t.dirty = true
	}
	return true
}

// advance takes one step for the first request that has not been sent: it is
// picked for a link, or answered here. False: it must wait for what is in flight.
func (s *Session) advance(r *request) bool {
	switch {
	case r.body != nil:
		return s.advanceBody(r)
	case r.info.Verb == command.HTTP:
		// An attack through a browser: Redis closes without a word (server.c
		// securityWarningCommand), and would close the shared connection.
		s.server.noteHTTP(s)
		s.abort()
		return true
	case s.locked && !r.info.NoAuth:
		return s.refuseStranger(r)
	case s.tx != nil && s.tx.multi:
		return s.advanceQueued(r)
	case s.sub != nil && s.ident.Protocol != 3:
		return s.advanceSub(r)
	}
	if r.role != roleGroup && r.role != roleAdopt && r.role != roleSubscribe {
		r.role = roleCommand // it may have been picked for a state that is over since
	}
	if s.server.mayNotWrite(s, r.info) && command.Arity(r.info, len(r.args)) {
		return s.local(r, []byte(errReadOnly))
	}
	switch r.info.Class {
	case command.Session:
		return s.advanceSession(r)
	case command.Transaction:
		return s.advanceTransaction(r)
	case command.Blocking:
		return s.advanceBlocking(r)
	case command.PubSub:
		return s.advanceSubscribe(r)
	case command.Refused:
		if !runsNever(r) {
			return s.local(r, errRefused(r.info))
		}
	}
	switch r.info.Verb {
	case command.ACLWhoAmI:
		if s.saysWho(r) {
			return s.local(r, bulk(s.userName()))
		}
	case command.ServerInfo:
		r.role = roleInfo
	case command.Scan:
		r.role = roleScan
	case command.ClientPause:
		s.server.notePause(r.args)
	}
	if r.info.Alone {
		// It must not queue behind what it is for, nor stop others.
		return s.first(r) && s.pickAlone(r)
	}
	return s.pickHome(r)
}

// runsNever says of a refused command that Redis would not run it either: it has the
// wrong number of arguments, or is no subcommand of CLUSTER, which a master that
// Sentinel watches has switched off. Then Redis' own words are the clearest.
func runsNever(r *request) bool {
	return r.info.Liftable && (!command.Arity(r.info, len(r.args)) || !r.info.Known)
}

// pickHome picks r for the session's private connection if it has one, else for the
// shared link.
func (s *Session) pickHome(r *request) bool {
	if s.pin != nil || r.info.Merged || r.losses >= aloneAfter || s.server.apart() || r.bulky || s.server.bulky.has(r.args) {
		// A module's command: what a reply of its own making does to the order of
		// replies may only harm who asked for it.
		return s.pickPinned(r)
	}
	return s.pick(r, s.sharedLink())
}

// pickAlone picks r for a private connection, and nothing behind it before its reply.
func (s *Session) pickAlone(r *request) bool {
	s.barrier = r
	if v := r.info.Verb; (v == command.ScriptKill || v == command.FunctionKill) && !s.hasState() {
		s.unpin(true)
		id := s.ident
		id.DB = 0 // a master that is busy with the script lets nobody SELECT
		s.pinAs(id)
	}
	return s.pickPinned(r)
}

// sharedLink returns the link for the session's plain commands.
func (s *Session) sharedLink() *upstream.Link {
	if s.link == nil {
		s.link = s.server.pool.Shared(s.ident, s.id)
	}
	return s.link
}

// first says whether nothing is in flight or picked before r, so that r may be
// dealt with alone.
func (s *Session) first(r *request) bool {
	return s.flight == 0 && len(s.batch) == 0 && *s.queue.At(0) == r
}

// pick adds r to the batch for link, if the order allows it.
func (s *Session) pick(r *request, link *upstream.Link) bool {
	if (s.flight > 0 || len(s.batch) > 0) && s.via != link {
		return false
	}
	s.via = link
	r.state = sent
	s.batch = append(s.batch, r)
	return true
}

// local answers r here, when its turn comes.
func (s *Session) local(r *request, reply []byte) bool {
	s.leave(r, s.server.hold.Release)
	if r.info.Verb == command.ClientReply {
		s.heedReply(r, reply[0] == '-')
	}
	s.answer(r, reply)
	return true
}

// transmit hands the batch to its link's connection, whole or not at all. True:
// something has changed, dispatch should look again.
func (s *Session) transmit() bool {
	if len(s.batch) == 0 {
		return false
	}
	conn := s.via.Conn()
	switch {
	case conn == nil:
		return s.takeBack(true)
	case s.flight > 0 && conn != s.conn:
		// The link has another connection already; what is in flight on the former
		// one is being lost or answered, and either brings the session back here.
		return s.takeBack(false)
	case s.loseWatch(conn):
		s.takeBack(false)
		return true
	}
	if s.pin != nil && s.via == s.pin.link {
		s.restore(conn)
	}
	for _, r := range s.batch {
		if r.scans() {
			aimCursor(r, conn.Epoch())
		}
		s.calls = append(s.calls, r)
	}
	n := len(s.calls)
	err := conn.Send(s.calls)
	clear(s.calls)
	s.calls = s.calls[:0]
	if err != nil {
		return s.takeBack(true)
	}
	s.restored(conn)
	s.flight += n
	for _, r := range s.batch {
		s.noteSent(r, conn)
	}
	clear(s.batch)
	s.batch = s.batch[:0]
	return false
}

// noteSent is the book-keeping for a request that is in flight now.
func (s *Session) noteSent(r *request, conn *upstream.Conn) {
	s.leave(r, s.server.hold.Release)
	if !r.since.IsZero() {
		r.since = zeroTime
	}
	switch {
	case runsScript(r):
		s.server.scriptSent()
	case r.role == roleBlock && !r.until.IsZero():
		s.limitBlocked(r)
	}
	if r.role == roleBlock {
		s.room.Broadcast() // a reader that was stopped must hear a hang-up now
	}
	if r.info.Class == command.Write || r.role == roleGroup || r.role == roleTxEnd || pops(r) {
		s.wrote = conn.Generation()
	}
}

// takeBack puts the batch back into the queue and, with wait, waits for the link.
// True: dispatch should look again.
func (s *Session) takeBack(wait bool) bool {
	for _, r := range s.batch {
		r.state = unsent
		if s.barrier == r {
			s.barrier = nil
		}
	}
	clear(s.batch)
	s.batch = s.batch[:0]
	s.next = 0
	return wait && s.wait(s.via)
}
