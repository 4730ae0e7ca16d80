package proxy

import (
	"strconv"
	"strings"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// maxTxLog bounds what is remembered of an open MULTI to replay it on a new
// master.
const maxTxLog = 16 << 20

// transaction is a session's WATCH and open MULTI, on a connection pinned to it.
type transaction struct {
	link *upstream.Link
	conn *upstream.Conn // where the state below is; another one must be given it first

	moved   bool // the state is not on conn after all: give it again
	watched bool // Redis watches keys, or did
	lost    bool // the connection that watched them is gone: EXEC answers nil
	multi   bool // Redis has taken the MULTI
	dirty   bool // steadis has refused a command in it: EXEC answers EXECABORT

	log     []*request // MULTI and what was queued since, with their replies given
	bytes   int
	over    bool     // log was too long to be kept
	queued  int      // commands that Redis has queued
	selects []choice // the SELECTs among them
	db      int      // the connection's database, where a SELECT has changed it; else -1
}

// choice is a SELECT that waits for EXEC: as the how-manieth command, and of what.
type choice struct{ at, db int }

// repeatable says whether the queued commands may run twice.
func (t *transaction) repeatable() bool {
	for _, r := range t.log {
		if !r.info.Repeatable && r.info.Verb != command.Multi {
			return false
		}
	}
	return !t.over
}

// advanceMulti deals with a transaction's commands while none is open.
func (s *Session) advanceMulti(r *request) bool {
	if !command.Arity(r.info, len(r.args)) {
		return s.pick(r, s.sharedLink()) // Redis has words of its own for EXEC x
	}
	if r.role == roleGroup || r.info.Verb == command.Multi && s.gather(r) {
		return s.pick(r, s.sharedLink())
	}
	switch r.info.Verb {
	case command.Multi, command.Watch:
		if !s.first(r) {
			return false
		}
		s.tx = &transaction{link: s.server.pool.Pin(s.ident, s), db: -1}
		return s.advanceTx(r)
	}
	// EXEC, DISCARD without MULTI: Redis says so. UNWATCH: there is nothing.
	return s.pick(r, s.sharedLink())
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
		if r.info.Verb == command.Exec && len(r.args) == 1 {
			break
		}
		if r.state != unsent || r.role != roleCommand || !plainInMulti(r.info) {
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
		r.state, r.raw, r.args, r.size = done, nil, nil, 0
	}
	multi.raw = raw
	return true
}

// plainInMulti says whether a command queued in MULTI does nothing to the
// connection when EXEC runs it.
func plainInMulti(info *command.Info) bool {
	switch info.Class {
	case command.Read, command.Write, command.Blocking:
		return true
	case command.Session:
		return info.Verb == command.Ping
	}
	return false
}

// advanceTx deals with any command while a transaction or a WATCH is open.
func (s *Session) advanceTx(r *request) bool {
	t := s.tx
	if !command.Arity(r.info, len(r.args)) {
		// Redis' own error, and its own note that the transaction is void.
		return s.pickTx(r)
	}
	switch r.info.Verb {
	case command.Quit:
		return s.quit(r)
	case command.Reset:
		return s.advanceSession(r)
	case command.Multi:
		// What follows waits until Redis has taken it: sent behind a MULTI that is
		// refused, it would run at once.
		if !s.pickTx(r) {
			return false
		}
		if !t.multi {
			s.barrier = r
		}
		return true
	case command.Exec, command.Discard, command.Unwatch:
		return s.advanceTxEnd(r)
	case command.Watch:
		return s.pickTx(r)
	}
	if !t.multi {
		return s.advanceWatching(r)
	}
	switch {
	case r.info.Class == command.Refused, r.info.Class == command.PubSub,
		r.info.Class == command.Session && r.info.Verb != command.Ping && r.info.Verb != command.Select:
		if !s.first(r) {
			return false
		}
		t.dirty = true
		return s.local(r, errInside(strings.ReplaceAll(r.info.Name, "|", " ")))
	}
	return s.pickTx(r)
}

// pickTx picks r for the transaction's connection.
func (s *Session) pickTx(r *request) bool {
	if !s.pick(r, s.tx.link) {
		return false
	}
	r.role = roleTx
	return true
}

// advanceWatching deals with a command between WATCH and MULTI.
func (s *Session) advanceWatching(r *request) bool {
	switch r.info.Class {
	case command.Session:
		switch r.info.Verb {
		case command.Select:
			return s.pickTx(r)
		case command.Auth, command.Hello:
			return s.local(r, errWatching(r.info.Name))
		}
		return s.advanceSession(r)
	case command.Blocking:
		return s.advanceBlocking(r)
	case command.PubSub:
		return s.local(r, errWatching(r.info.Name))
	case command.Refused:
		return s.local(r, errRefused(r.info.Name, r.info.Reason))
	}
	return s.pickTx(r)
}

// advanceTxEnd deals with EXEC, DISCARD and UNWATCH. What follows waits for the
// reply, because it decides which connection is next.
func (s *Session) advanceTxEnd(r *request) bool {
	t := s.tx
	if r.info.Verb == command.Unwatch && t.multi || r.info.Verb != command.Unwatch && !t.multi {
		return s.pickTx(r) // queued, or Redis' own error
	}
	elsewhere := t.conn != t.link.Conn()
	if r.info.Verb == command.Exec && (t.lost || t.dirty || elsewhere && t.over) {
		return s.execWithout(r)
	}
	if !s.pick(r, t.link) {
		return false
	}
	r.role = roleTxEnd
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
	reply := errExecAbort
	if s.tx.lost && !s.tx.dirty {
		reply = replyNilList
	}
	s.endTx(false)
	return s.local(r, []byte(reply))
}

// txReplied takes a reply on the transaction's connection.
func (s *Session) txReplied(r *request, frame []byte) {
	t := s.tx
	refused := frame[0] == '-'
	switch {
	case r.role == roleTxEnd:
		s.barrier = nil
		if r.info.Verb == command.Exec {
			s.adoptSelects(frame)
		}
		s.endTx(t.db < 0 && len(t.selects) == 0)
	case r.info.Verb == command.Multi && !t.multi:
		s.barrier = nil
		if !refused {
			t.multi = true
			s.logQueued(r, refused)
		}
	case t.multi:
		s.logQueued(r, refused)
	case refused:
	case r.info.Verb == command.Watch:
		t.watched = true
	case r.info.Verb == command.Select:
		t.db = atoi(r.args[1])
		s.moveDB(t.db)
	}
	s.answer(r, frame)
}

// moveDB makes db the database of the session's other links.
func (s *Session) moveDB(db int) {
	id := s.ident
	id.DB = db
	s.moveTo(id, nil)
}

// adoptSelects moves the session to the database that the transaction's SELECTs
// have led to, going by EXEC's reply.
func (s *Session) adoptSelects(frame []byte) {
	if len(s.tx.selects) == 0 {
		return
	}
	elements := resp.Elements(frame)
	for _, c := range s.tx.selects {
		if c.at < len(elements) && elements[c.at][0] == '+' {
			s.moveDB(c.db)
		}
	}
}

// logQueued remembers a command inside MULTI for a replay, also one that Redis
// has refused: the refusal voids the transaction, and must again.
func (s *Session) logQueued(r *request, refused bool) {
	t := s.tx
	if r.info.Verb == command.Select && !refused {
		t.selects = append(t.selects, choice{t.queued, atoi(r.args[1])})
	}
	if r.info.Verb != command.Multi && !refused {
		t.queued++
	}
	if t.bytes += len(r.raw); t.bytes > maxTxLog {
		t.over = true
		return
	}
	t.log = append(t.log, r)
}

// atoi reads a database number that Redis has taken.
func atoi(b []byte) int {
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return 0
	}
	return n
}

// loseWatch notes that conn is not where the keys were watched. True: the batch
// must be looked at again, for an EXEC in it must not run.
func (s *Session) loseWatch(conn *upstream.Conn) bool {
	t := s.tx
	if t == nil || s.via != t.link || t.conn == nil || t.conn == conn || !t.watched || t.lost {
		return false
	}
	t.lost = true
	return true
}

// restoreTx puts the call in front of the batch that brings a new connection to
// where the transaction was on the former one.
func (s *Session) restoreTx(conn *upstream.Conn) {
	t := s.tx
	if t == nil || s.via != t.link || t.conn == conn && !t.moved || len(t.log) == 0 && t.db < 0 {
		return
	}
	r := &request{s: s, info: restoreInfo, role: roleRestore, frames: int32(len(t.log)), rare: &plainRequest}
	if t.db >= 0 {
		r.raw = resp.AppendCommand(nil, "SELECT", strconv.Itoa(t.db))
		r.frames++
	}
	for _, q := range t.log {
		r.raw = append(r.raw, q.raw...)
	}
	s.calls = append(s.calls, r)
}

// restoreInfo and resubscribeInfo are the commands of steadis' own requests.
var (
	restoreInfo     = &command.Info{Name: "restore", Known: true}
	resubscribeInfo = &command.Info{Name: "resubscribe", Known: true}
)

// endTx ends the transaction. With clean, its connection has no state left and
// may serve others.
func (s *Session) endTx(clean bool) {
	t := s.tx
	if t == nil {
		return
	}
	s.tx = nil
	s.waitNoMore(t.link)
	if clean {
		s.server.pool.Unpin(t.link)
		return
	}
	t.link.Close()
}
