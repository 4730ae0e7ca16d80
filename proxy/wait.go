package proxy

import (
	"time"

	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

var zeroTime time.Time

// wait holds everything that is not sent until link has a connection. s.mu must
// be held. True: there is no need to wait, dispatch should look again.
func (s *Session) wait(link *upstream.Link) bool {
	if s.gone && !s.mayWait(link) {
		s.leaveGone()
		return false
	}
	s.waiting, s.waitGate = link, s.server.pool.Gate()
	s.room.Broadcast() // a reader that was stopped must hear a hang-up now
	s.holdAll()
	if s.dead || s.waiting == nil {
		return false
	}
	s.limitWait()
	switch link.Await(s) {
	case upstream.Usable:
		s.waiting = nil
		return true
	case upstream.Over:
		s.waiting = nil
		s.refuseAll(hold.Expired, s.server.outageReply())
	case upstream.Gone:
		s.waiting = nil
		s.replaceLink(link)
		return true
	}
	return false
}

// limitWait sees to it that the first command which waits for a connection does so no
// longer than it may, if that is not the hold's own time.
func (s *Session) limitWait() {
	s.stopTimer()
	if r := s.firstUnsent(); r != nil {
		if end := s.waitEnd(r); !end.IsZero() {
			s.timer = time.AfterFunc(end.Sub(s.server.now()), s.timeUp)
		}
	}
}

// waitEnd returns when a blocking command's own time is over: it is on no connection, so
// certainly nothing came for it; or the hold time of a command that was lost before. Zero
// is for all others.
func (s *Session) waitEnd(r *request) time.Time {
	if s.endsItself(r) {
		return r.until
	}
	if since := r.lostSince(); !since.IsZero() {
		return since.Add(s.server.hold.Window())
	}
	return zeroTime
}

// endsItself says whether r is a blocking command that Redis would answer once its own
// time is over.
func (s *Session) endsItself(r *request) bool {
	if r.info.Class != command.Blocking || r.until.IsZero() || s.tx != nil && s.tx.multi {
		return false
	}
	return !isWait(r.info) || s.legalWait(r)
}

func (s *Session) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// timeUp is the timer's.
func (s *Session) timeUp() {
	s.mu.Lock()
	if r := s.firstUnsent(); !s.dead && s.waiting != nil && r != nil {
		if end := s.waitEnd(r); !end.IsZero() && !s.server.now().Before(end) {
			s.endWait(r)
			s.answerReady()
			if s.waiting != nil {
				s.limitWait()
			} else if !s.dead {
				s.dispatch() // the wait has ended with the transaction
			}
		}
	}
	s.mu.Unlock()
	s.out.flush()
}

// endWait answers a command that waits no longer.
func (s *Session) endWait(r *request) {
	if !s.endsItself(r) {
		s.refuse(r, hold.Expired, s.server.outageReply())
		s.pass(r)
		return
	}
	reply := s.null('*')
	if isWait(r.info) {
		reply = []byte(voidWait(r.info))
	}
	s.leave(r, s.server.hold.Release)
	s.beginNext(r)
	r.state, r.reply = done, reply
}

// waitNoMore is for a link that the session gives up: no event will come from it.
// Whoever gives it up dispatches afterwards.
func (s *Session) waitNoMore(link *upstream.Link) {
	if s.waiting == link {
		s.waiting, s.next = nil, 0
	}
}

// mayWait says whether what a client has left behind may still wait: only for a
// link's first connection, being made in normal service. A client that only closed
// its sending side gets its replies; nothing waits for a master for nobody.
func (s *Session) mayWait(link *upstream.Link) bool {
	return s.server.pool.Gate().Open && link.New()
}

// leaveGone drops what a client that is gone waits for.
func (s *Session) leaveGone() {
	s.dropUnsent()
	if s.queue.Len() == 0 {
		s.close()
	}
}

// holdAll counts everything that is not sent as held. What waits gets memory of its own, and
// what there is no room for none: either would keep all that came with it, for as long as
// the hold lasts, and nobody counts that.
func (s *Session) holdAll() {
	kept := 0
	s.void = false
	for i := range s.queue.Len() {
		r := *s.queue.At(i)
		switch {
		case r.state == unsent || r.role == rolePing: // a PING waits for those before it
			r = s.holdOne(kept-1, r)
		case r.refused:
			s.noteVoid(r)
		}
		if r != nil {
			*s.queue.At(kept) = r
			kept++
		}
	}
	s.queue.Truncate(kept)
	s.charge()
	s.answerReady()
}

// holdOne counts r as held, or refuses it if there is no room for it or it has waited for
// the hold time already. It returns what is to have its place in the queue, behind
// queue[last]; nil for nothing.
func (s *Session) holdOne(last int, r *request) *request {
	// What nothing but the queue has may become another request.
	plain := s.tx == nil && (r.role == roleCommand || r.role == rolePing) && r.rare == &plainRequest && !r.doubt
	switch {
	case !plain:
		s.holdAsIs(r)
	case r.role == roleCommand && s.overdue(r):
		s.refuse(r, hold.Expired, s.server.outageReply())
	case !s.voids(r) && s.enter(r):
		return r.apart()
	default:
		s.unload(r)
		r.role = roleCommand
		if r = s.crowdOut(last, r); r != nil {
			s.load += cost(r)
		}
	}
	return r
}

// voids counts r as refused if it belongs to a transaction whose MULTI was.
func (s *Session) voids(r *request) bool {
	if !s.void || r.held {
		return false
	}
	s.server.hold.RefuseAtOnce(hold.Full)
	return true
}

// holdAsIs is holdOne for a request that has to stay the same.
func (s *Session) holdAsIs(r *request) {
	switch {
	case r.role != rolePing && s.overdue(r):
		s.refuse(r, hold.Expired, s.server.outageReply())
	case s.voids(r) || !s.enter(r):
		if r.role == rolePing {
			r.role = roleCommand
		}
		s.noteVoid(r)
		s.refused(r, s.set.errFull)
	}
}

// overdue says whether r has waited for the hold time.
func (s *Session) overdue(r *request) bool {
	return !r.since.IsZero() && s.server.now().Sub(r.since) >= s.server.hold.Window()
}

// enter counts a request as held. It returns false if there is no room for it;
// it is counted as refused then.
func (s *Session) enter(r *request) bool {
	if r.held {
		return true
	}
	if !s.server.hold.Enter(int(r.size)) {
		return false
	}
	r.held = true
	s.inHold.Add(cost(r))
	if r.since.IsZero() {
		r.since = s.server.now()
	}
	return true
}

// leave counts a request as out of the hold, as count tells.
func (s *Session) leave(r *request, count func(n int)) {
	if r.held {
		r.held = false
		s.inHold.Add(-cost(r))
		s.server.hold.Waited(s.server.now().Sub(r.since))
		count(int(r.size))
	}
}

// refuse counts a request as refused and answers it.
func (s *Session) refuse(r *request, why hold.Refusal, reply []byte) {
	if r.held {
		s.leave(r, func(n int) { s.server.hold.Refuse(n, why) })
	} else {
		s.server.hold.RefuseAtOnce(why)
	}
	s.refused(r, reply)
}

// refused makes an error the answer of r, for each reply that is owed, and undoes
// what was noted of the session when it was picked.
func (s *Session) refused(r *request, reply []byte) {
	if r.doubt {
		reply = []byte(errInDoubt) // it was sent once: nobody may say that it did not run
	}
	s.letGo(r)
	if r.role == roleSubscribe {
		s.unsubscribe(r)
	}
	r.state, r.reply, r.refused = done, reply, true
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
		case r.role == rolePing || r.state == unsent && why != hold.Failed && s.localPing(r):
			s.leave(r, func(n int) { s.server.hold.Refuse(n, why) })
			r.role, r.state = rolePing, done
		case r.state == unsent:
			s.refuse(r, why, reply)
		}
		s.pass(r)
	}
	s.answerReady()
}

// localPing says whether r is a PING that steadis answers itself.
func (s *Session) localPing(r *request) bool {
	return r.info.Verb == command.Ping && len(r.args) <= 2 && (s.tx == nil || !s.tx.multi) && (s.sub == nil || s.ident.Protocol == 3)
}

// LinkEvent implements upstream.Waiter.
func (s *Session) LinkEvent(l *upstream.Link, e upstream.Event, frame []byte) {
	var tell func()
	s.mu.Lock()
	if !s.dead {
		s.linkEvent(l, e, frame)
		if e == upstream.Ready && s.pin != nil && s.pin.link == l {
			tell = s.connected()
		}
	}
	s.mu.Unlock()
	if tell != nil {
		tell()
	}
	s.out.flush()
}

func (s *Session) linkEvent(l *upstream.Link, e upstream.Event, frame []byte) {
	private := s.pin != nil && s.pin.link == l
	if e == upstream.Down {
		if private && s.tx != nil && s.tx.watched {
			s.tx.lost = true
		}
		return
	}
	waited := s.waiting == l
	if waited {
		s.waiting = nil
	}
	switch {
	case !waited && !private:
	case e == upstream.Refused:
		s.rejected(l, frame)
	case e == upstream.Expired:
		if waited {
			s.refuseAll(hold.Expired, s.server.outageReply())
		}
	case s.gone && waited && s.waitGate != s.server.pool.Gate():
		s.leaveGone() // there was a hold meanwhile
	default:
		s.refresh()
		s.dispatch()
	}
}

// rejected deals with Redis' refusal of an identity on a link that the session
// needs.
func (s *Session) rejected(l *upstream.Link, frame []byte) {
	if r := s.firstUnsent(); r != nil && r.link == l && r.role == roleAdopt {
		// A wrong password or database: this command's answer, nothing else's.
		s.leave(r, s.server.hold.Release)
		s.letGo(r)
		s.answer(r, frame)
		s.dispatch()
		return
	}
	private := s.pin != nil && s.pin.link == l
	if private && s.standing() {
		// The user may not be here any more: his subscriptions end with him, as
		// they do when ACL SETUSER or DELUSER takes them away (acl.c).
		s.refuseAll(hold.Failed, frame)
		s.close()
		return
	}
	if private && s.adoptDirectly(s.firstUnsent()) {
		return
	}
	// What was watched is lost, and a MULTI in which a command was refused is void, but it is
	// open: what is still to come must not run outside of it.
	s.replaceLink(l)
	s.refuseAll(hold.Failed, frame)
}

func (s *Session) firstUnsent() *request {
	for i := range s.queue.Len() {
		if r := *s.queue.At(i); r.state == unsent {
			return r
		}
	}
	return nil
}

// replaceLink puts a new link wherever the session has l, which is closed for
// good.
func (s *Session) replaceLink(l *upstream.Link) {
	if s.link == l {
		s.server.pool.Release(l)
		s.link = nil
	}
	if s.pin != nil && s.pin.link == l {
		s.repin()
	}
	for i := range s.queue.Len() {
		if r := *s.queue.At(i); r.link == l && r.state == unsent {
			s.letGo(r)
			r.role = roleCommand
		}
	}
}
