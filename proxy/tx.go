package proxy

import (
	"strings"

	"steadis/proxy/command"
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
	watched bool // keys are, or were, watched
	lost    bool // the connection that watched them is gone: EXEC answers nil
	multi   bool // MULTI was sent
	dirty   bool // steadis has refused a command in it: EXEC answers EXECABORT
	db      int  // the database after EXEC; -1: unchanged

	log   []*request // MULTI and what was queued since, with their replies given
	bytes int
	over  bool // log was too long to be kept
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

// advanceMulti deals with a transaction's commands while none is open.
func (s *Session) advanceMulti(r *request) bool {
	if !command.Arity(r.info, len(r.args)) {
		return s.local(r, errArity(r.info.Name))
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
	for i := start + 1; i <= end; i++ {
		r := *s.queue.At(i)
		raw = append(raw, r.raw...)
		multi.members = append(multi.members, r)
		r.state, r.raw, r.args = done, nil, nil
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
		r.role = roleTx
		return s.pick(r, t.link)
	}
	switch r.info.Verb {
	case command.Quit:
		return s.quit(r)
	case command.Reset:
		return s.advanceSession(r)
	case command.Multi:
		r.role = roleTx
		if s.pick(r, t.link) {
			t.multi = true
			return true
		}
		return false
	case command.Exec, command.Discard, command.Unwatch:
		return s.advanceTxEnd(r)
	case command.Watch:
		r.role = roleTx
		if s.pick(r, t.link) {
			t.watched = t.watched || !t.multi
			return true
		}
		return false
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
	r.role = roleTx
	return s.pick(r, t.link)
}

// advanceWatching deals with a command between WATCH and MULTI.
func (s *Session) advanceWatching(r *request) bool {
	switch r.info.Class {
	case command.Session:
		switch r.info.Verb {
		case command.Select, command.Auth, command.Hello:
			return s.local(r, errInside(r.info.Name))
		}
		return s.advanceSession(r)
	case command.Blocking:
		return s.advanceBlocking(r)
	case command.PubSub:
		return s.local(r, errInside(r.info.Name))
	case command.Refused:
		return s.local(r, errRefused(r.info.Name, r.info.Reason))
	}
	r.role = roleTx
	return s.pick(r, s.tx.link)
}

// advanceTxEnd deals with EXEC, DISCARD and UNWATCH. What follows waits for the
// reply, because it decides which connection is next.
func (s *Session) advanceTxEnd(r *request) bool {
	t := s.tx
	if r.info.Verb == command.Unwatch && t.multi || r.info.Verb != command.Unwatch && !t.multi {
		r.role = roleTx // queued, or Redis' own error
		return s.pick(r, t.link)
	}
	if r.info.Verb == command.Exec && (t.lost || t.dirty || t.over && t.conn != t.link.Conn()) {
		return s.execWithout(r)
	}
	r.role = roleTxEnd
	if !s.pick(r, t.link) {
		return false
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
	if r.role == roleTxEnd {
		s.barrier = nil
		if r.info.Verb == command.Exec && frame[0] == '*' && frame[1] != '-' && t.db >= 0 {
			id := s.ident
			id.DB = t.db
			s.moveTo(id, nil)
		}
		s.endTx(t.db < 0)
		s.answer(r, frame)
		return
	}
	switch {
	case !t.multi:
	case len(t.log) == 0 && r.info.Verb == command.Multi && frame[0] == '-':
		t.multi = false
	case len(t.log) > 0 || r.info.Verb == command.Multi:
		s.logQueued(r)
	}
	s.answer(r, frame)
}

// logQueued remembers a command inside MULTI for a replay, also one that Redis
// has refused: the refusal voids the transaction, and must again.
func (s *Session) logQueued(r *request) {
	t := s.tx
	if r.info.Verb == command.Select && len(r.args) == 2 {
		t.db = atoi(r.args[1])
	}
	if t.bytes += len(r.raw); t.bytes > maxTxLog {
		t.over = true
		return
	}
	t.log = append(t.log, r)
}

func atoi(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<20 {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// restoreTx puts the call in front of the batch that brings a new connection to
// where the transaction was on the former one.
func (s *Session) restoreTx(conn *upstream.Conn) {
	t := s.tx
	if t == nil || s.via != t.link || t.conn == conn && !t.moved {
		return
	}
	if t.conn != nil && t.conn != conn && t.watched {
		t.lost = true
	}
	if len(t.log) == 0 {
		return
	}
	r := &request{s: s, info: restoreInfo, role: roleRestore, frames: int32(len(t.log)), rare: &plainRequest}
	for _, q := range t.log {
		r.raw = append(r.raw, q.raw...)
	}
	s.calls = append(s.calls, r)
}

// restoreInfo is the command of steadis' own requests.
var restoreInfo = &command.Info{Name: "restore", Known: true}

// endTx ends the transaction. With clean, its connection has no state left and
// may serve others.
func (s *Session) endTx(clean bool) {
	t := s.tx
	if t == nil {
		return
	}
	s.tx = nil
	if clean {
		s.server.pool.Unpin(t.link)
		return
	}
	t.link.Close()
}
