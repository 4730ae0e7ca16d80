package proxy

import (
	"slices"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/roster"
	"steadis/proxy/upstream"
)

// maxTxLog bounds what is remembered of an open MULTI to replay it on a new
// master.
const maxTxLog = 16 << 20

// transaction is a session's WATCH and open MULTI, on its private connection.
type transaction struct {
	watched bool // Redis watches keys, or did
	lost    bool // the connection that watched them is gone: EXEC answers nil
	multi   bool // Redis has taken the MULTI
	dirty   bool // steadis has refused a command in it: EXEC answers EXECABORT

	log     []*request // MULTI and what was queued since, with their replies given
	bytes   int
	load    int64     // what log takes in memory
	over    bool      // log does not have all that was queued: it was too long to be kept
	acts    bool      // a command was sent that is an effect, or will be
	queued  int       // commands that Redis has queued
	effects []*effect // of those that do something to the session
}

// repeatable says whether the queued commands may run twice.
func (t *transaction) repeatable() bool {
	for _, r := range t.log {
		if !r.info.Repeatable && r.info.Verb != command.Multi {
			return false
		}
	}
	return !t.over
}

// pingCommand is queued in MULTI in the place of what steadis answers itself and Redis
// is not to see.
var pingCommand = resp.AppendCommand(nil, "PING")

// standIn returns what Redis queues for a command that steadis answers: the command
// itself, if it is harmless there, so that Redis' ACL judges it.
func standIn(r *request) []byte {
	switch {
	case r.info.Verb == command.ClientKill:
		if raw, fault := r.s.killNobody(r.args); fault == "" {
			return raw
		}
	case r.info.Verb == command.ClientUnblock:
		if _, _, fault := roster.ParseUnblock(r.args); fault != "" {
			return r.raw
		}
		return unblockOf(r.args, nobody)
	case asksRedis(r.info), looksAbroad(r.info):
		return r.raw
	}
	return pingCommand
}

// subscribes says whether subscriptions begin or end in the transaction.
func (t *transaction) subscribes() bool { return slices.ContainsFunc(t.effects, (*effect).subscribes) }

// answers says whether something of steadis' own belongs into EXEC's reply.
func (t *transaction) answers() bool { return slices.ContainsFunc(t.effects, (*effect).answers) }

// advanceTransaction deals with a transaction's commands while no MULTI is open.
func (s *Session) advanceTransaction(r *request) bool {
	if !command.Arity(r.info, len(r.args)) && r.role != roleGroup {
		return s.pickHome(r) // Redis has words of its own for EXEC x
	}
	if r.role == roleGroup || r.info.Verb == command.Multi && s.tx == nil && s.gather(r) {
		return s.pickHome(r)
	}
	switch r.info.Verb {
	case command.Multi:
		// What follows waits until Redis has taken it: sent behind a MULTI that is
		// refused, it would run at once.
		if !s.pickPinned(r) {
			return false
		}
		s.openTx()
		r.role, s.barrier = roleMulti, r
		return true
	case command.Watch:
		if !s.pickPinned(r) {
			return false
		}
		s.openTx()
		r.role = roleWatch
		return true
	case command.Unwatch:
		if s.tx == nil || !s.pickPinned(r) {
			return s.tx == nil && s.pickHome(r)
		}
		r.role, s.barrier = roleWatch, r
		return true
	}
	return s.pickHome(r) // EXEC, DISCARD without MULTI: Redis says so
}

func (s *Session) openTx() {
	if s.tx == nil {
		s.tx = &transaction{}
	}
}

// gather makes one request of a MULTI, EXEC and what stands between, if all of it
// has arrived: such a transaction needs no connection of its own, since it goes
// out contiguously. What may not stand in it (SELECT, SUBSCRIBE, ...) is left to
// a pinned connection.
func (s *Session) gather(multi *request) bool {
	var start, end int
	for start = s.next; *s.queue.At(start) != multi; start++ {
	}
	for end = start + 1; ; end++ {
		if end == s.queue.Len() {
			return false
		}
		r := *s.queue.At(end)
		if r.info.Verb == command.Exec && len(r.args) == 1 && r.mute == multi.mute {
			break
		}
		if r.state != unsent || r.role != roleCommand || r.mute != multi.mute || !plainInMulti(r.info) || s.server.mayNotWrite(s, r.info) {
			return false
		}
	}
	multi.role = roleGroup
	multi.own()
	multi.frames = int32(end - start + 1)
	raw := append([]byte(nil), multi.raw...)
	s.leave(multi, s.server.hold.Release)
	for i := start + 1; i <= end; i++ {
		r := *s.queue.At(i)
		s.leave(r, s.server.hold.Release) // if it has to wait again, it does so within the group
		raw = append(raw, r.raw...)
		multi.members = append(multi.members, r)
		multi.size += r.size
		if bodyIn(r.info, r.args) == nil { // else noteScripts needs it
			r.args = nil
		}
		r.state, r.raw, r.size, r.batch = done, nil, 0, nil
	}
	multi.raw = raw
	return true
}

// plainInMulti says whether a command queued in MULTI does nothing to the
// connection when EXEC runs it, and steadis has nothing to do with its reply.
func plainInMulti(info *command.Info) bool {
	switch info.Class {
	case command.Read, command.Write, command.Blocking:
		switch info.Verb {
		case command.ScriptFlush, command.EvalSha, command.Scan, command.ConfigSet, command.ACLSetUser, command.ACLDelUser, command.ACLLoad:
			return false
		}
		return !info.Alone && info.Verb != command.ACLWhoAmI
	case command.Session:
		return info.Verb == command.Ping
	}
	return false
}

// advanceQueued deals with any command while a MULTI is open.
func (s *Session) advanceQueued(r *request) bool {
	t := s.tx
	if !command.Arity(r.info, len(r.args)) {
		// Redis' own error, and its own note that the transaction is void.
		return s.pickQueued(r)
	}
	switch r.info.Verb {
	case command.Quit:
		return s.quit(r)
	case command.Reset:
		return s.advanceSession(r)
	case command.Exec, command.Discard:
		return s.advanceTxEnd(r)
	case command.ClientTracking:
		return s.advanceTracking(r)
	}
	switch {
	case r.info.Class == command.Refused && !runsNever(r):
		if !s.first(r) {
			return false
		}
		t.dirty = true
		return s.local(r, errRefused(r.info))
	case s.server.mayNotWrite(s, r.info):
		if !s.first(r) {
			return false
		}
		t.dirty = true
		return s.local(r, []byte(errReadOnly))
	case notInMulti(r, s):
		if !s.first(r) {
			return false
		}
		t.dirty = true
		return s.local(r, errInside(displayName(r.info)))
	case (answeredHere(r.info) || s.saysWho(r)) && !r.local:
		r.own().local = true
		r.raw = standIn(r)
	}
	return s.pickQueued(r)
}

// notInMulti says whether steadis cannot do inside MULTI what the command asks for.
func notInMulti(r *request, s *Session) bool {
	if s.logsIn(r) {
		return true
	}
	switch r.info.Verb {
	case command.ClientCapa, command.ClientImportSource, command.ClientMaintNotifications:
		return true
	}
	_, _, sub := subscribing(r.info)
	return sub && s.sub != nil && s.sub.fanned()
}

// pickQueued picks r for the transaction's connection.
func (s *Session) pickQueued(r *request) bool {
	if !s.pickPinned(r) {
		return false
	}
	r.role = roleQueued
	s.tx.acts = s.tx.acts || actsOnSession(r)
	return true
}

// advanceTxEnd deals with EXEC and DISCARD. What follows waits for the reply, because
// it decides which connection is next.
func (s *Session) advanceTxEnd(r *request) bool {
	t := s.tx
	elsewhere := s.pin.conn != s.pin.link.Conn()
	if r.info.Verb == command.Exec && (t.lost || t.dirty || elsewhere && t.over) {
		return s.execWithout(r)
	}
	if t.acts && !s.first(r) { // how many replies EXEC has depends on what was queued
		return false
	}
	if !s.pickPinned(r) {
		return false
	}
	r.role, r.frames, r.reply = roleTxEnd, 1, nil
	if r.info.Verb == command.Exec {
		r.frames += s.extraFrames()
	}
	if r.whole != nil {
		r.own().whole = nil
	}
	if conn := s.pin.link.Conn(); conn != nil && t.subscribes() {
		conn.Subscribed(true)
		conn.Loose()
		s.stain() // more may come than is asked for
	}
	s.barrier = r
	return true
}

// execWithout answers an EXEC that must not run: the watched keys' connection was
// lost (Redis' word for "a watched key may have changed" is nil), or a command of
// the transaction was refused or could not be kept.
func (s *Session) execWithout(r *request) bool {
	if !s.first(r) {
		return false
	}
	reply := []byte(errExecAbort)
	switch {
	case r.doubt:
		reply = []byte(errInDoubt) // it was sent once: nobody may say that it did not run
	case s.tx.lost && !s.tx.dirty:
		reply = s.null('*')
	}
	s.endTx(false)
	return s.local(r, reply)
}

// watched takes the reply to WATCH or UNWATCH.
func (s *Session) watched(r *request, frame []byte) {
	if t := s.tx; t != nil && frame[0] != '-' {
		t.watched = r.info.Verb == command.Watch
		if !t.watched {
			s.tx = nil
		}
	}
	s.answer(r, frame)
}

// queued takes the reply to MULTI or to a command behind it. A refusal is remembered
// for a replay too: it voids the transaction, and must again.
func (s *Session) queued(r *request, frame []byte) {
	t := s.tx
	refused := frame[0] == '-'
	if r.role == roleMulti && !refused {
		t.multi = true
	}
	if t.multi {
		if r.role == roleQueued && !refused {
			if actsOnSession(r) {
				t.effects = append(t.effects, &effect{at: t.queued, r: r})
			}
			t.queued++
		}
		if t.bytes += len(r.raw); t.bytes > maxTxLog {
			t.over = true
		} else {
			t.log = append(t.log, r)
			t.load += cost(r)
		}
	}
	s.answer(r, frame)
}

// txEnded takes the reply to EXEC or DISCARD.
func (s *Session) txEnded(r *request, frame []byte, last bool) {
	effects, log := s.tx.effects, s.tx.log
	if r.frames > 1 || !last || r.whole != nil {
		// Frames go on as they come, for there may be messages between them, unless
		// answers of steadis' own belong there.
		r.own().whole = append(r.whole, frame...)
		own := s.tx.answers()
		if !own {
			s.part(r, frame)
			r.parted = !last && *s.queue.At(0) == r
		}
		if !last {
			return
		}
		s.tx = nil
		s.noteScripts(log, r.whole)
		switch {
		case own && ran(r.whole):
			s.execute(r, effects, r.whole)
		case own:
			s.answer(r, r.whole)
		case ran(r.whole):
			s.executed(r, effects, r.whole)
			s.answer(r, r.reply)
		default:
			s.answer(r, r.reply)
		}
		return
	}
	s.tx = nil
	s.noteScripts(log, frame)
	if r.info.Verb == command.Discard || len(effects) == 0 || !ran(frame) {
		s.answer(r, frame)
		return
	}
	s.execute(r, effects, frame)
}

// ran says whether an EXEC with this reply has run its commands: not with an error, nor
// with nil.
func ran(frame []byte) bool { return frame[0] == '*' && frame[1] != '-' }

// loseWatch notes that conn is not where the keys were watched. True: the batch
// must be looked at again, for an EXEC in it must not run.
func (s *Session) loseWatch(conn *upstream.Conn) bool {
	t := s.tx
	if t == nil || s.pin == nil || s.via != s.pin.link || s.pin.conn == nil || s.pin.conn == conn || !t.watched || t.lost {
		return false
	}
	t.lost = true
	return true
}

// restoreTx brings conn, a new one, to where the transaction was on the former one. One that
// was not kept whole is void from now on: a part of it must not run.
func (s *Session) restoreTx(conn *upstream.Conn) {
	log := s.tx.log
	if s.tx.over {
		s.tx.dirty, log = true, log[:1] // MULTI: what is still to come is queued, or refused, as ever
	}
	var raw []byte
	for _, q := range log {
		switch {
		case q.scans():
			aimCursor(q, conn.Epoch())
		case q.to != nil:
			reaim(q, conn)
		}
		raw = append(raw, q.raw...)
	}
	s.giveBack(pieceTx, len(log), raw)
}

// endTx ends the transaction. Without clean, Redis does not know that, and the
// connection is given up.
func (s *Session) endTx(clean bool) {
	if s.tx == nil {
		return
	}
	s.tx = nil
	if !clean {
		s.repin()
	}
}
