package proxy

import (
	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

// dispatch sends what can be sent, in order. s.mu must be held; the caller
// flushes the output after releasing it.
//
// The order of a client's commands is kept by two rules: commands in flight are
// all on one connection, and whatever needs another one (another database, a
// pinned connection, a new master) waits until nothing is in flight.
func (s *Session) dispatch() {
	s.leaveModes()
	for !s.dead && s.waiting == nil && s.barrier == nil && s.next < s.queue.Len() {
		r := *s.queue.At(s.next)
		if r.state != unsent {
			s.next++
		} else if !s.advance(r) {
			break
		}
	}
	if !s.dead {
		s.transmit()
	}
}

// leaveModes ends a transaction or subscribed mode that has nothing left in it,
// so that the session's commands go over the shared link again.
func (s *Session) leaveModes() {
	if s.flight > 0 || len(s.batch) > 0 {
		return
	}
	if t := s.tx; t != nil && !t.multi && !t.watched && t.conn != nil {
		s.endTx(true)
	}
	if u := s.sub; u != nil && u.open == 0 && u.empty() && u.conn != nil {
		s.endSub(true)
	}
}

// advance takes one step for the first request that has not been sent: it is
// picked for a link, or answered here. False: it must wait for what is in flight.
func (s *Session) advance(r *request) bool {
	switch {
	case r.info.Verb == command.HTTP:
		// An attack through a browser: Redis closes without a word (server.c
		// securityWarningCommand), and would close the shared connection.
		s.server.noteHTTP(s)
		s.abort()
		return true
	case s.tx != nil:
		return s.advanceTx(r)
	case s.sub != nil:
		return s.advanceSub(r)
	}
	switch r.info.Class {
	case command.Session:
		return s.advanceSession(r)
	case command.Transaction:
		return s.advanceMulti(r)
	case command.Blocking:
		return s.advanceBlocking(r)
	case command.PubSub:
		return s.advanceSubscribe(r)
	case command.Refused:
		return s.local(r, errRefused(r.info.Name, r.info.Reason))
	}
	return s.pick(r, s.sharedLink())
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
	s.answer(r, reply)
	return true
}

// transmit hands the batch to its link's connection, whole or not at all.
func (s *Session) transmit() {
	if len(s.batch) == 0 {
		return
	}
	conn := s.via.Conn()
	switch {
	case conn == nil:
		s.takeBack(true)
		return
	case s.flight > 0 && conn != s.conn:
		// The link has another connection already; what is in flight on the former
		// one is being lost or answered, and either brings the session back here.
		s.takeBack(false)
		return
	}
	s.restoreTx(conn)
	s.restoreSub(conn)
	for _, r := range s.batch {
		s.calls = append(s.calls, r)
	}
	n := len(s.calls)
	err := conn.Send(s.calls)
	clear(s.calls)
	s.calls = s.calls[:0]
	if err != nil {
		s.takeBack(true)
		return
	}
	s.restored(conn)
	s.flight += n
	for _, r := range s.batch {
		s.leave(r, s.server.hold.Release)
		for _, m := range r.members {
			s.leave(m, s.server.hold.Release)
		}
	}
	clear(s.batch)
	s.batch = s.batch[:0]
}

// restored notes that the session's state is on conn now.
func (s *Session) restored(conn *upstream.Conn) {
	s.conn = conn
	if s.tx != nil && s.via == s.tx.link {
		s.tx.conn, s.tx.moved = conn, false
	}
	if s.sub != nil && s.via == s.sub.link {
		s.sub.conn, s.sub.moved = conn, false
	}
}

// takeBack puts the batch back into the queue and, with wait, waits for the link.
func (s *Session) takeBack(wait bool) {
	for _, r := range s.batch {
		r.state = unsent
		if s.barrier == r {
			s.barrier = nil
		}
	}
	clear(s.batch)
	s.batch = s.batch[:0]
	s.next = 0
	if wait {
		s.wait(s.via)
	}
}

// wait holds everything that is not sent until link has a connection. s.mu must
// be held.
func (s *Session) wait(link *upstream.Link) {
	if s.gone {
		s.dropUnsent()
		if s.queue.Len() == 0 {
			s.close()
		}
		return
	}
	s.waiting = link
	s.holdAll()
	if s.dead || s.waiting == nil {
		return
	}
	switch link.Await(s) {
	case upstream.Usable:
		s.waiting = nil
		s.dispatch()
	case upstream.Over:
		s.waiting = nil
		s.refuseAll(hold.Expired, s.server.outageReply())
	case upstream.Gone:
		s.waiting = nil
		s.lostLink(link)
		s.dispatch()
	}
}

// holdAll counts everything that is not sent as held.
func (s *Session) holdAll() {
	for i := 0; i < s.queue.Len(); i++ {
		switch r := *s.queue.At(i); {
		case r.state == unsent:
			s.holdOne(r)
		case r.role == rolePing && !s.enter(r): // it waits for those before it
			r.role = roleCommand
			s.settleRefused(r, s.server.errFull)
		}
	}
	s.answerReady()
}

// holdOne counts r as held, or refuses it if there is no room for it or it has
// waited for the hold time already.
func (s *Session) holdOne(r *request) {
	switch late := !r.since.IsZero() && s.server.now().Sub(r.since) >= s.server.hold.Window(); {
	case late:
		s.refuse(r, hold.Expired, s.server.outageReply())
	case !s.enter(r):
		s.settleRefused(r, s.server.errFull)
	}
}

// refuse answers a request that will not be sent with an error.
func (s *Session) refuse(r *request, why hold.Refusal, reply []byte) {
	if r.held {
		s.leave(r, func(n int) { s.server.hold.Refuse(n, why) })
	} else {
		s.server.hold.RefuseAtOnce(why)
	}
	s.settleRefused(r, reply)
}

// settleRefused makes reply the answer of r, for each frame that is owed.
func (s *Session) settleRefused(r *request, reply []byte) {
	for _, m := range r.members {
		s.leave(m, func(n int) { s.server.hold.Refuse(n, hold.Expired) })
	}
	s.letGo(r)
	r.state, r.reply = done, reply
	if r.role == roleGroup {
		r.copies = r.frames
	}
	r.raw, r.args = nil, nil
}

// refuseAll answers everything that is not sent with an error.
func (s *Session) refuseAll(why hold.Refusal, reply []byte) {
	for i := range s.queue.Len() {
		r := *s.queue.At(i)
		switch {
		case r.role == rolePing || r.state == unsent && r.info.Verb == command.Ping && s.tx == nil && s.sub == nil:
			s.leave(r, func(n int) { s.server.hold.Refuse(n, why) })
			r.role, r.state = rolePing, done
		case r.state != unsent:
		default:
			s.refuse(r, why, reply)
		}
	}
	s.afterRefusal()
	s.answerReady()
}

// LinkEvent implements upstream.Waiter.
func (s *Session) LinkEvent(l *upstream.Link, e upstream.Event, frame []byte) {
	s.mu.Lock()
	switch {
	case s.dead:
	case e == upstream.Down:
		s.pinnedDown(l)
	case e == upstream.Ready && s.sub != nil && s.sub.link == l:
		s.waiting = nil
		s.resubscribe()
		s.dispatch()
	case s.waiting != l:
	case e == upstream.Ready:
		s.waiting = nil
		s.dispatch()
	case e == upstream.Expired:
		s.waiting = nil
		s.refuseAll(hold.Expired, s.server.outageReply())
	case e == upstream.Refused:
		s.waiting = nil
		s.rejected(l, frame)
	}
	s.mu.Unlock()
	s.out.flush()
}

// rejected deals with Redis' refusal of the identity that the session waits for.
func (s *Session) rejected(l *upstream.Link, frame []byte) {
	for i := range s.queue.Len() {
		r := *s.queue.At(i)
		if r.state != unsent {
			continue
		}
		if r.link == l && r.role == roleAdopt {
			// A wrong password or database: this command's answer, nothing else's.
			s.leave(r, s.server.hold.Release)
			s.letGo(r)
			s.answer(r, frame)
			s.dispatch()
			return
		}
		break
	}
	s.lostLink(l)
	s.refuseAll(hold.Failed, frame)
}

// lostLink forgets a link that is closed for good.
func (s *Session) lostLink(l *upstream.Link) {
	if s.link == l {
		s.server.pool.Release(l)
		s.link = nil
	}
	for i := range s.queue.Len() {
		if r := *s.queue.At(i); r.link == l && r.state == unsent {
			s.letGo(r)
			r.role = roleCommand
		}
	}
}

// lost is an upstream reader's: r's reply will not come.
func (s *Session) lost(r *request, fate upstream.Fate) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight--
	doubt := fate == upstream.InDoubt && s.inDoubt(r)
	if doubt {
		s.server.noteInDoubt()
	}
	if s.dead {
		return nil
	}
	if s.barrier == r {
		s.barrier = nil
	}
	s.next = 0
	r.state = unsent
	switch {
	case r.role == roleRestore:
		s.unrestored()
	case s.gone:
		s.close()
	case r.role == roleBlock:
		s.reblock(r)
	case r.role == roleSubscribe:
		r.skip, r.got = max(r.skip, r.got), 0
	case fate == upstream.NotExecuted && r.tries+1 >= maxTries:
		s.settleRefused(r, []byte(errRefusedAgain))
	case fate == upstream.NotExecuted:
		r.tries++
	case !doubt:
	case s.server.o.InDoubt == InDoubtError:
		s.doubted(r)
	case s.server.o.InDoubt == InDoubtClose:
		s.close()
	}
	if !s.dead {
		if s.waiting != nil && r.state == unsent && r.role != roleRestore {
			s.holdOne(r)
		}
		s.answerReady()
	}
	return s.soil()
}

// unrestored notes that the state may not be on the connection after all.
func (s *Session) unrestored() {
	if s.tx != nil {
		s.tx.moved = true
	}
	if s.sub != nil {
		s.sub.moved = true
	}
}

// afterRefusal voids a transaction of which a command was refused.
func (s *Session) afterRefusal() {
	if s.tx != nil && s.tx.multi {
		s.tx.dirty = true
	}
}

// inDoubt says whether it matters that r may have run.
func (s *Session) inDoubt(r *request) bool {
	switch r.role {
	case roleTx:
		// Queued inside MULTI: without an EXEC it did not run.
		return (s.tx == nil || !s.tx.multi) && !r.repeatable()
	case roleTxEnd:
		return r.info.Verb == command.Exec && (s.tx == nil || !s.tx.repeatable())
	case roleRestore, roleAdopt, roleSubscribe, roleBlock:
		return false
	}
	return !r.repeatable()
}

// doubted answers a request that may or may not have run.
func (s *Session) doubted(r *request) {
	var reply []byte
	if r.role == roleGroup {
		// Its MULTI and its queueing, had their replies not been lost, would have
		// said just that.
		reply = append(reply, replyOK...)
		for range r.frames - 2 {
			reply = append(reply, replyQueued...)
		}
	}
	r.state, r.reply = done, append(reply, errInDoubt...)
	if r.role == roleTxEnd {
		s.endTx(false)
	}
}
