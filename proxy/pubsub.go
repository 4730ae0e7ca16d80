package proxy

import (
	"maps"
	"slices"

	"steadis/proxy/command"
	"steadis/proxy/fanout"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// subscription is what a session has subscribed to, on its private connection or on
// connections that many share.
type subscription struct {
	sets   [3]map[string]struct{}
	open   int  // (un)subscribing requests without their full reply
	direct bool // it counts as one with a connection of its own

	member *fanout.Member // on shared connections; else nil
	ticket *fanout.Ticket // what asking waits for
	asking *request
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

// advanceSubscribe deals with a pub/sub command of a client that is not in RESP2's
// subscribed mode.
func (s *Session) advanceSubscribe(r *request) bool {
	k, add, ok := subscribing(r.info)
	switch {
	case !ok:
		return s.pickHome(r)
	case !command.Arity(r.info, len(r.args)):
		return s.local(r, errArity(r.info.Name))
	case s.sub != nil:
		return s.pickSub(r, k, add)
	case !add:
		// Nothing is subscribed: Redis says so, once for each name.
		r.frames = int32(max(1, len(r.args)-1))
		r.role = roleSubscribe
		return s.pickHome(r)
	case !s.first(r):
		return false
	}
	s.openSub(r)
	return s.pickSub(r, k, add)
}

// advanceSub deals with any command in RESP2's subscribed mode. Only what Redis allows
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
	if r.info.Verb == command.Ping && !u.empty() { // its reply has a form of its own there
		if u.open > 0 && !s.first(r) {
			return false // whether the mode is on is not certain
		}
		return s.local(r, s.pongSubscribed(r))
	}
	if !s.first(r) {
		return false
	}
	switch {
	case u.empty():
		s.endSub()
		return s.advance(r)
	case r.info.Verb == command.Exec && s.tx != nil:
		// Redis refuses it, and gives up what is watched (7.0 multi.c execCommandAbort).
		s.endTx(!u.fanned())
		return s.advanceSub(r)
	case (!r.info.Known || r.info.Verb == command.Exec) && !u.fanned():
		return s.pickPinned(r) // Redis' own words
	case !command.Arity(r.info, len(r.args)):
		return s.local(r, errArity(r.info.Name))
	}
	return s.local(r, errSubscribed(r.info))
}

// pickSub picks an (un)subscribing command and notes what it will have done.
func (s *Session) pickSub(r *request, k kind, add bool) bool {
	u := s.sub
	if u.fanned() {
		return s.fan(r, k, add)
	}
	if len(r.args) == 1 && u.open > 0 && !s.first(r) {
		return false // what there is of a kind is not certain
	}
	if !s.pickPinned(r) {
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

// unsubscribe undoes what was noted of a command that was not carried out. Those behind it
// may change more without it.
func (s *Session) unsubscribe(r *request) {
	u := s.sub
	if u == nil {
		return
	}
	u.open--
	var undone []*request
	for i := s.queue.Len() - 1; i >= 0; i-- { // the latest is undone first
		q := *s.queue.At(i)
		if q == r {
			break
		}
		if noted(q) {
			u.undo(q)
			undone = append(undone, q)
		}
	}
	u.undo(r)
	for _, q := range slices.Backward(undone) {
		k, add, _ := subscribing(q.info)
		q.own().names = u.note(k, add, q.args[1:])
	}
}

// noted says whether it is noted of r what it will have done.
func noted(r *request) bool { return r.role == roleSubscribe && r.state != done }

// undo takes back what note has noted of r.
func (u *subscription) undo(r *request) {
	k, add, _ := subscribing(r.info)
	for _, name := range r.names {
		u.set(k, !add, name)
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

// restoreSub subscribes a new connection to what the client knows that it has. The
// confirmations are dropped: the client has had them. With same, it is the master on
// which it had them.
func (s *Session) restoreSub(same bool) {
	for k, set := range s.confirmed() {
		if len(set) > 0 {
			s.giveBack(pieceSub, len(set), resp.AppendCommand(nil, append([]string{subscribeNames[k]}, sortedNames(set)...)...))
			s.calls[len(s.calls)-1].(*request).again = same
		}
	}
	s.server.noteResubscribed()
}

// confirmed returns what is subscribed without the requests that have yet to be
// answered: they will be sent again, and what they change is to change then.
func (s *Session) confirmed() [3]map[string]struct{} {
	sets := s.subscriptions()
	for i := s.queue.Len() - 1; i >= 0; i-- { // the latest is undone first
		r := *s.queue.At(i)
		k, add, ok := subscribing(r.info)
		if !ok || r.role != roleSubscribe || r.state == done {
			continue
		}
		for _, name := range r.names {
			if add {
				delete(sets[k], name)
			} else {
				sets[k][name] = struct{}{}
			}
		}
	}
	return sets
}

// collect adds a message to a reply of several frames that goes to the client as a whole,
// in its place there. False: no such reply has begun.
func (s *Session) collect(message []byte) bool {
	for i := range s.queue.Len() {
		switch r := *s.queue.At(i); {
		case r.state != sent:
		case r.role == roleGroup && len(r.reply) > 0:
			r.reply = append(r.reply, message...)
			return true
		case r.role == roleTxEnd && r.whole != nil && s.tx != nil && s.tx.answers():
			r.whole = append(r.whole, message...)
			return true
		default:
			return false
		}
	}
	return false
}

// Push implements upstream.Pinner: something has come that answers no command.
func (s *Session) Push(l *upstream.Link, frame []byte) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.pin == nil || s.pin.link != l {
		return nil
	}
	if s.monitoring && frame[0] == '+' && upstream.IsOurs(frame) {
		return nil
	}
	if s.track != nil && s.track.to != nil && frame[0] == '>' {
		frame = withNumber(frame, "tracking-redir-broken\r\n:", int64(s.track.to.id))
	}
	if !s.collect(frame) {
		s.write(frame)
	}
	return s.soil()
}
