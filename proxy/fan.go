package proxy

import (
	"bytes"
	"strconv"

	"steadis/proxy/fanout"
	"steadis/proxy/upstream"
)

// The first subscribers have a private connection each, which is exact in everything
// that others can see of them (PUBLISH's count, PUBSUB NUMSUB). Those beyond share
// connections (package fanout), so that thousands cost the master few.

// defaultSubscribers is how many have a connection of their own.
const defaultSubscribers = 32

// invalidateChannel is where Redis sends the messages of clients that redirect them to
// a RESP2 client (Redis 7.0 tracking.c TrackingChannelName): to its connection, so
// that has to be its own.
const invalidateChannel = "__redis__:invalidate"

// openSub begins the subscribed mode for the names of r; nil: for none that are known.
func (s *Session) openSub(r *request) {
	s.sub = &subscription{}
	s.boundOutput()
	for k := range s.sub.sets {
		s.sub.sets[k] = make(map[string]struct{})
	}
	if s.pin == nil && r != nil && s.mayShare(r) {
		s.sub.member = s.server.hubs.Join(s.ident, s)
	}
	if s.sub.member == nil {
		s.sub.direct = true
		s.server.subscribers.Add(1)
		s.pinned().Keep()
	}
}

// mayShare says whether a subscriber may do without a connection of its own.
func (s *Session) mayShare(r *request) bool {
	for _, name := range r.args[1:] {
		if string(name) == invalidateChannel {
			return false
		}
	}
	return s.server.subscribers.Load() >= int64(s.server.o.Upstream.Subscribers)
}

// endSub leaves subscribed mode.
func (s *Session) endSub() {
	u := s.sub
	if u == nil {
		return
	}
	s.sub = nil
	s.boundOutput()
	if u.direct {
		s.server.subscribers.Add(-1)
	}
	if u.member != nil {
		u.member.Leave()
	}
}

// fanned says whether the subscriptions are on connections that many share.
func (u *subscription) fanned() bool { return u.member != nil }

// fan deals with an (un)subscribing command of a client that shares connections. A
// subscribing one first asks the master for a PING, so that it waits like any other
// command while there is no master.
func (s *Session) fan(r *request, k kind, add bool) bool {
	if !s.first(r) {
		return false
	}
	if !add {
		return s.local(r, s.unfan(r, k))
	}
	r.role, s.barrier = roleFan, r
	return s.pick(r, s.sharedLink())
}

// fanReady goes on once the master has answered.
func (s *Session) fanReady(r *request, frame []byte) {
	u := s.sub
	if bytes.HasPrefix(frame, []byte("-NOAUTH")) || u == nil {
		s.answer(r, frame)
		return
	}
	k, _, _ := subscribing(r.info)
	names := make([]string, len(r.args)-1)
	for i, name := range r.args[1:] {
		names[i] = string(name)
	}
	if u.ticket = u.member.Subscribe(fanKinds[k], names); u.ticket == nil {
		s.answer(r, s.confirm(k, true, r.args[1:]))
		return
	}
	s.barrier, r.state, r.role = r, sent, roleElsewhere
	u.asking = r
}

var fanKinds = [3]fanout.Kind{channels: fanout.Channels, patterns: fanout.Patterns, shards: fanout.Shards}

// Subscribed implements fanout.Subscriber.
func (s *Session) Subscribed(t *fanout.Ticket, refusal []byte) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.sub
	if s.dead || u == nil || u.ticket != t || !t.Live() {
		return nil
	}
	r := u.asking
	u.ticket, u.asking, s.barrier = nil, nil, nil
	if refusal != nil {
		s.answer(r, refusal)
	} else {
		k, _, _ := subscribing(r.info)
		s.answer(r, s.confirm(k, true, r.args[1:]))
	}
	return s.soil()
}

// unfan unsubscribes; it returns the confirmations.
func (s *Session) unfan(r *request, k kind) []byte {
	args := r.args[1:]
	if len(args) == 0 {
		for _, name := range sortedNames(s.sub.sets[k]) {
			args = append(args, []byte(name))
		}
	}
	names := make([]string, len(args))
	for i, name := range args {
		names[i] = string(name)
	}
	s.sub.member.Unsubscribe(fanKinds[k], names)
	if len(args) == 0 {
		return s.confirmation(nil, k, false, nil)
	}
	return s.confirm(k, false, args)
}

// confirm brings the sets to where a command leads and returns its replies, one for
// each name (Redis 7.0 pubsub.c addReplyPubsubSubscribed, addReplyPubsubUnsubscribed).
func (s *Session) confirm(k kind, add bool, names [][]byte) []byte {
	var out []byte
	for _, name := range names {
		s.sub.set(k, add, string(name))
		out = s.confirmation(out, k, add, name)
	}
	return out
}

// confirmation appends one reply; name nil is Redis' null.
func (s *Session) confirmation(out []byte, k kind, add bool, name []byte) []byte {
	word := [3][2]string{{"unsubscribe", "subscribe"}, {"punsubscribe", "psubscribe"}, {"sunsubscribe", "ssubscribe"}}[k][b2i(add)]
	out = append(out, s.pushHead(), '3', '\r', '\n')
	out = append(out, bulk(word)...)
	if name == nil {
		out = append(out, s.null('$')...)
	} else {
		out = append(out, bulk(string(name))...)
	}
	n := len(s.sub.sets[channels]) + len(s.sub.sets[patterns])
	if k == shards {
		n = len(s.sub.sets[shards])
	}
	return append(out, integer(int64(n))...)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// pushHead is the type of what comes unasked in the client's protocol.
func (s *Session) pushHead() byte {
	if s.ident.Protocol == 3 {
		return '>'
	}
	return '*'
}

// pongSubscribed answers PING in RESP2's subscribed mode (Redis 7.0 server.c
// pingCommand).
func (s *Session) pongSubscribed(r *request) []byte {
	text := ""
	if len(r.args) > 1 {
		text = string(r.args[1])
	}
	return append([]byte("*2\r\n$4\r\npong\r\n$"+strconv.Itoa(len(text))+"\r\n"+text), "\r\n"...)
}

// Message implements fanout.Subscriber.
func (s *Session) Message(sub *fanout.Subscription, frame []byte) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.sub == nil || !sub.Live() {
		return nil
	}
	s.tell(s.pushHead(), frame)
	return s.soil()
}

// Gap implements fanout.Subscriber.
func (s *Session) Gap() { s.server.noteResubscribed() }

// Refused implements fanout.Subscriber: Redis closes a client whose right to a channel
// is taken away.
func (s *Session) Refused(kind fanout.Kind, name string, _ []byte) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.sub == nil || !s.sub.fanned() || !s.sub.has(kind, name) {
		return nil // it has left meanwhile
	}
	s.close()
	return s.soil()
}

// has says whether a name is subscribed.
func (u *subscription) has(kind fanout.Kind, name string) bool {
	for k, fk := range fanKinds {
		if _, ok := u.sets[k][name]; ok && fk == kind {
			return true
		}
	}
	return false
}

// Rejected implements fanout.Subscriber: the user may not be here any more.
func (s *Session) Rejected(frame []byte) upstream.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.sub == nil || !s.sub.fanned() {
		return nil
	}
	if s.sub.asking != nil {
		r := s.sub.asking
		s.sub.asking, s.sub.ticket, s.barrier = nil, nil, nil
		s.answer(r, frame)
	}
	s.close()
	return s.soil()
}

// giveUpTicket ends a subscription's waiting, and a redirection's, when the hold time is over.
func (s *Session) giveUpTicket() {
	s.mu.Lock()
	s.giveUpRedirect()
	if u := s.sub; !s.dead && u != nil && u.asking != nil {
		r := u.asking
		u.member.Cancel(u.ticket)
		u.asking, u.ticket, s.barrier = nil, nil, nil
		s.answer(r, s.server.outageReply())
	}
	s.mu.Unlock()
	s.Settle()
}

// giveUpTickets does so for all sessions.
func (s *Server) giveUpTickets() {
	for _, sess := range s.list() {
		sess.giveUpTicket()
	}
}
