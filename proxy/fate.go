package proxy

import (
	"time"

	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

// lost is an upstream reader's: r's reply will not come.
func (s *Session) lost(r *request, fate upstream.Fate) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight--
	if runsScript(r) {
		s.server.scriptDone()
	}
	doubt := fate == upstream.InDoubt && s.inDoubt(r) || fate == upstream.Withheld && (s.inDoubt(r) || pops(r))
	mode := s.server.set.Load().InDoubt // once: a reload between two looks would have it sent again
	if doubt {
		s.server.noteInDoubt(fate)
	}
	if s.dead {
		return nil
	}
	if s.barrier == r {
		s.barrier = nil
	}
	s.next = 0
	if fate == upstream.NotExecuted {
		s.replica = s.conn
	}
	switch {
	case r.role == roleRestore:
		s.missed(r)
		return s.soil()
	case fate == upstream.Unconfirmed:
		s.server.metrics.unconfirmed.Inc()
		s.conclude(r, errUnconfirmed(s.server.o.Durable, s.server.shortfall()))
		s.answerReady()
		return s.soil()
	case s.gone:
		s.close()
	case r.parted:
		s.close() // the client has the beginning of a reply that will not end
	case doubt && mode == InDoubtClose, s.killsConnections(r, fate):
		s.close()
	case doubt && mode == InDoubtError:
		s.conclude(r, []byte(errInDoubt))
		s.answerReady()
	default:
		s.requeue(r, fate, doubt)
		s.rest(r)
		s.answerReady()
	}
	return s.soil()
}

// outdated says whether r's answer is a replica's: its node has refused a command of this client
// that was in front of it. Without harm only what reads can be sent again; what else has
// run behind a refusal has run on a master.
func (s *Session) outdated(r *request) bool {
	return s.replica != nil && s.replica == s.conn && r.Stake() == upstream.Reads && r.repeatable()
}

// killsConnections says whether r has cost its connection once too often.
func (s *Session) killsConnections(r *request, fate upstream.Fate) bool {
	if fate != upstream.InDoubt || s.conn == nil {
		return false
	}
	gate, own := s.server.pool.Gate(), r.own()
	if own.firstLoss.IsZero() {
		own.firstLoss = s.server.now()
	}
	if !gate.Open || s.conn.Generation() != gate.Generation {
		return false
	}
	return r.lose(s.server.now(), gate.Generation, s.conn.Stalled())
}

// lose counts a connection that has died under r while the master of generation served,
// and says whether that was once too often.
func (r *request) lose(now time.Time, generation uint64, stalled bool) bool {
	own := r.own()
	if r.losses > 0 && (own.lossIn != generation || now.Sub(own.lastLoss) > lossMemory) {
		r.losses = 0 // a blocking command may live through many masters
	}
	if r.losses == 0 {
		own.lossAt, own.lossIn = now, generation
	}
	own.lastLoss = now
	more := uint8(1)
	if stalled {
		more = 2 // that has taken seconds
	}
	r.losses = min(r.losses+more, maxLosses)
	return r.losses == maxLosses && now.Sub(own.lossAt) >= lossTime
}

// rest lets a command that has cost its connection twice wait, and all behind it, so that
// its last attempt is made lossTime after the first loss: it has so many attempts and no
// more, however fast they end.
func (s *Session) rest(r *request) {
	left := lossTime - s.server.now().Sub(r.lossAt)
	if r.losses < aloneAfter || left <= 0 || r.state != unsent || s.barrier != nil || s.waiting != nil {
		return
	}
	s.barrier = r
	s.stopTimer()
	s.timer = time.AfterFunc(left, func() { s.rested(r) })
}

// rested is the timer's.
func (s *Session) rested(r *request) {
	s.mu.Lock()
	if !s.dead && s.barrier == r {
		s.barrier = nil
		if s.gone {
			s.close()
		}
	}
	s.mu.Unlock()
	s.Settle()
}

// lostSince returns when r, which need not live through masters as a blocking command may,
// lost its connection first. From then on the hold time counts for it, however often it is
// sent again; zero if it has not lost one.
func (r *request) lostSince() time.Time {
	if r.role == roleBlock {
		return zeroTime
	}
	return r.firstLoss
}

// requeue brings a lost request back to where it was before it was sent, or
// answers it if it must not be sent again.
func (s *Session) requeue(r *request, fate upstream.Fate, doubt bool) {
	r.state = unsent
	if fate == upstream.NotExecuted {
		r.tries++
	}
	r.doubt = r.doubt || doubt
	switch {
	case r.bodyLost():
		s.conclude(r, errBodyLost(doubt))
		return
	case r.tries >= maxTries:
		s.refused(r, []byte(errRefusedAgain))
		s.pass(r)
		return
	}
	if since := r.lostSince(); !since.IsZero() {
		r.since = since
		if s.overdue(r) {
			s.refuse(r, hold.Expired, s.server.outageReply())
			s.pass(r)
			return
		}
	}
	switch r.role {
	case roleGroup:
		r.reply = nil
	case roleCommand:
		r.got = 0 // the answer to a SCRIPT LOAD in front of it comes anew
	case roleBlock:
		s.reblock(r)
	case roleSubscribe:
		r.skip, r.got = max(r.skip, r.got), 0
	}
	if s.waiting != nil && r.state == unsent {
		s.holdAsIs(r)
	}
}

// inDoubt says whether it matters that r may have run.
func (s *Session) inDoubt(r *request) bool {
	switch r.role {
	case roleTxEnd:
		return r.info.Verb == command.Exec && !s.repeatableTx(r)
	case roleBlock:
		return r.info.Merged // a module's: what it had done before it was cut off is not known
	case roleRestore, roleAdopt, roleSubscribe, roleWatch, roleAsk, roleFan, roleTrack, roleTouch, roleMonitor:
		return false
	case roleMulti, roleQueued:
		return false // without an EXEC it did not run
	case roleCommand:
		if r.info.Class == command.Session || r.info.Class == command.Transaction {
			return false // it concerns only a connection that is gone, if that (UNWATCH, EXEC without MULTI)
		}
	}
	return !r.repeatable()
}

// repeatableTx says whether what exec, which was sent, runs may run twice. Of what was sent
// in front of it some may have been lost together with it, with no +QUEUED to say that Redis
// has queued it.
func (s *Session) repeatableTx(exec *request) bool {
	if s.tx == nil || !s.tx.repeatable() {
		return false
	}
	for i := range s.queue.Len() {
		switch r := *s.queue.At(i); {
		case r == exec:
			return true
		case r.role == roleQueued && r.state != done && !r.info.Repeatable:
			return false
		}
	}
	return true
}

// answerQueued answers what was sent in front of exec and lost together with it: it has run
// if exec has, and must not be sent again outside of the transaction.
func (s *Session) answerQueued(exec *request) {
	for i := range s.queue.Len() {
		r := *s.queue.At(i)
		if r == exec {
			return
		}
		if r.role == roleQueued && r.state == unsent {
			r.state, r.reply = done, []byte(replyQueued)
		}
	}
}

// pops says whether r is a blocking command that has taken something if it was answered.
func pops(r *request) bool {
	return r.role == roleBlock && r.Stake()&upstream.Writes != 0
}

// conclude answers a request that has run, or may have, with an error.
func (s *Session) conclude(r *request, text []byte) {
	var reply []byte
	if r.role == roleGroup {
		// Its MULTI and its queueing, had their replies not been lost, would have
		// said just that.
		reply = append(reply, replyOK...)
		for range r.frames - 2 {
			reply = append(reply, replyQueued...)
		}
	}
	r.state, r.reply = done, append(reply, text...)
	switch r.role {
	case roleTxEnd:
		s.answerQueued(r)
		s.endTx(false)
	case roleBlock:
		s.stopTimer()
	}
}
