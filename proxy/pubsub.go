package proxy

import (
	"maps"
	"slices"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// subscription is a session's subscribed mode, on a connection pinned to it.
type subscription struct {
	link  *upstream.Link
	conn  *upstream.Conn // where the subscriptions are
	sets  [3]map[string]struct{}
	moved bool // they are not there after all: send them again
	open  int  // (un)subscribing requests without their full reply
}

// empty says whether nothing is subscribed.
func (u *subscription) empty() bool {
	return len(u.sets[channels])+len(u.sets[patterns])+len(u.sets[shards]) == 0
}

// kind tells channels, patterns and shard channels apart.
type kind int

const (
	channels kind = iota
	patterns
	shards
)

var subscribeNames = [3]string{"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"}

// subscribing reads an (un)subscribing command.
func subscribing(info *command.Info) (k kind, add, ok bool) {
	switch info.Verb {
	case command.Subscribe:
		return channels, true, true
	case command.PSubscribe:
		return patterns, true, true
	case command.SSubscribe:
		return shards, true, true
	case command.Unsubscribe:
		return channels, false, true
	case command.PUnsubscribe:
		return patterns, false, true
	case command.SUnsubscribe:
		return shards, false, true
	}
	return 0, false, false
}

// advanceSubscribe deals with a pub/sub command while nothing is subscribed.
func (s *Session) advanceSubscribe(r *request) bool {
	_, add, ok := subscribing(r.info)
	switch {
	case !ok:
		return s.pick(r, s.sharedLink()) // PUBLISH, PUBSUB
	case !command.Arity(r.info, len(r.args)):
		return s.local(r, errArity(r.info.Name))
	case !add:
		// Nothing is subscribed: Redis says so, once for each name.
		r.frames = int32(max(1, len(r.args)-1))
		r.role = roleSubscribe
		return s.pick(r, s.sharedLink())
	case !s.first(r):
		return false
	}
	s.sub = &subscription{link: s.server.pool.Pin(s.ident, s)}
	for k := range s.sub.sets {
		s.sub.sets[k] = make(map[string]struct{})
	}
	s.sub.link.Keep()
	return s.advanceSub(r)
}

// advanceSub deals with any command in subscribed mode. Only what Redis allows
// there is sent; for the rest it must be known first whether the mode is still on.
func (s *Session) advanceSub(r *request) bool {
	switch r.info.Verb {
	case command.Quit:
		return s.quit(r)
	case command.Reset:
		return s.advanceSession(r)
	}
	u := s.sub
	k, add, ok := subscribing(r.info)
	if ok && command.Arity(r.info, len(r.args)) {
		return s.pickSub(r, k, add)
	}
	if r.info.Verb == command.Ping && !u.empty() {
		return s.pick(r, u.link) // its reply has a form of its own there
	}
	if !s.first(r) {
		return false
	}
	switch {
	case u.empty():
		s.endSub(u.open == 0)
		return s.advance(r)
	case !r.info.Known:
		return s.pick(r, u.link) // Redis' own words
	case !command.Arity(r.info, len(r.args)):
		return s.local(r, errArity(r.info.Name))
	}
	return s.local(r, errSubscribed(r.info))
}

// pickSub picks an (un)subscribing command and notes what it will have done.
func (s *Session) pickSub(r *request, k kind, add bool) bool {
	u := s.sub
	if !s.pick(r, u.link) {
		return false
	}
	if r.role == roleSubscribe {
		return true // sent before, on a connection that was lost
	}
	r.role = roleSubscribe
	u.open++
	if len(r.args) == 1 && len(u.sets[k]) > 0 {
		// All of a kind: by name, so that it has as many replies when sent again.
		r.raw = resp.AppendCommand(nil, append([]string{string(r.args[0])}, sortedNames(u.sets[k])...)...)
		r.args = resp.SplitCommand(r.raw)
	}
	r.frames = int32(max(1, len(r.args)-1))
	r.own().names = u.note(k, add, r.args[1:])
	return true
}

// note brings the sets to where the command will have them, and returns the names
// that this changes.
func (u *subscription) note(k kind, add bool, names [][]byte) []string {
	var changed []string
	for _, name := range names {
		if _, there := u.sets[k][string(name)]; there != add {
			changed = append(changed, string(name))
		}
		u.set(k, add, string(name))
	}
	return changed
}

func (u *subscription) set(k kind, add bool, name string) {
	if add {
		u.sets[k][name] = struct{}{}
	} else {
		delete(u.sets[k], name)
	}
}

// unsubscribe undoes what was noted of a command that was not carried out.
func (s *Session) unsubscribe(r *request) {
	if s.sub == nil {
		return
	}
	k, add, _ := subscribing(r.info)
	s.sub.open--
	for _, name := range r.names {
		s.sub.set(k, !add, name)
	}
}

func sortedNames(set map[string]struct{}) []string { return slices.Sorted(maps.Keys(set)) }

// subscribed takes one reply to an (un)subscribing command (Redis 7.0 pubsub.c:
// one for each name).
func (s *Session) subscribed(r *request, frame []byte, last bool) {
	if r.got++; r.got > r.skip {
		s.part(r, frame)
	}
	if s.dead || !last {
		return
	}
	if frame[0] == '-' {
		s.unsubscribe(r)
	} else if s.sub != nil {
		s.sub.open--
	}
	s.answer(r, r.reply)
}

// resubscribe restores the subscriptions on a new connection where no command of
// the client does it. The confirmations are dropped: the client has had them.
func (s *Session) resubscribe() {
	u := s.sub
	if u == nil || u.conn == nil || s.flight > 0 || len(s.batch) > 0 {
		return
	}
	conn := u.link.Conn()
	if conn == nil || conn == u.conn && !u.moved {
		return
	}
	s.via = u.link
	s.restoreSub(conn)
	n := len(s.calls)
	err := conn.Send(s.calls)
	clear(s.calls)
	s.calls = s.calls[:0]
	if err == nil { // else the link will tell of the next connection
		s.restored(conn)
		s.flight += n
	}
}

// restoreSub puts the calls into s.calls that bring a new connection to where
// the subscriptions were on the former one.
func (s *Session) restoreSub(conn *upstream.Conn) {
	u := s.sub
	if u == nil || s.via != u.link || u.conn == conn && !u.moved {
		return
	}
	conn.Subscribed(true)
	if u.conn == nil {
		return // the first one
	}
	for k, set := range u.sets {
		if len(set) == 0 {
			continue
		}
		r := &request{s: s, info: resubscribeInfo, role: roleRestore, frames: int32(len(set)), rare: &plainRequest}
		r.raw = resp.AppendCommand(nil, append([]string{subscribeNames[k]}, sortedNames(set)...)...)
		s.calls = append(s.calls, r)
	}
	s.server.noteResubscribed()
}

// Push implements upstream.Pinner: a message has come.
func (s *Session) Push(l *upstream.Link, frame []byte) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.sub == nil || s.sub.link != l {
		return nil
	}
	s.write(frame)
	return s.soil()
}

// endSub leaves subscribed mode. With clean, the connection may serve others.
func (s *Session) endSub(clean bool) {
	u := s.sub
	if u == nil {
		return
	}
	s.sub = nil
	s.waitNoMore(u.link)
	if conn := u.link.Conn(); clean && conn != nil && conn == u.conn {
		conn.Subscribed(false)
		s.server.pool.Unpin(u.link)
		return
	}
	u.link.Close()
}
