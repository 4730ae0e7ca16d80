package proxy

import (
	"bytes"
	"slices"
	"strconv"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// tracking is a session's client-side caching (CLIENT TRACKING), on its private
// connection.
type tracking struct {
	accepted [][][]byte // the commands that made it what it is, to make it so again
	to       *Session   // who gets the messages; nil: this client itself
	waits    bool       // to be restored once to has a connection, or a MULTI has ended
}

// redirectAt returns the index of the id after REDIRECT, 0 if there is none.
func redirectAt(args [][]byte) int {
	for i := 3; i+1 < len(args); i++ {
		switch {
		case command.Is(args[i], "redirect"):
			return i + 1
		case command.Is(args[i], "prefix"):
			i++
		}
	}
	return 0
}

// advanceTracking deals with CLIENT TRACKING. The id of another client is steadis',
// while Redis must get that of this client's private connection.
func (s *Session) advanceTracking(r *request) bool {
	if !s.first(r) {
		return false
	}
	queued := s.tx != nil && s.tx.multi
	at := redirectAt(r.args)
	if at == 0 || r.to != nil {
		if queued {
			return s.pickQueued(r)
		}
		r.role = roleTrack
		return s.pickAlone(r)
	}
	id, err := strconv.ParseUint(string(r.args[at]), 10, 63)
	target := s.server.session(id)
	if err != nil || target == nil {
		if err == nil { // an id that is nobody's in Redis either
			r.raw = resp.AppendCommandBytes(nil, withRedirect(r.args, nobodyID)...)
		}
		if queued {
			return s.pickQueued(r)
		}
		r.role = roleTrack
		return s.pickAlone(r)
	}
	s.barrier, r.state, r.role = r, sent, roleElsewhere
	r.own().to = target
	s.server.spawn(func() { target.lend(s, func(id int64) { s.redirected(r, id) }) })
	return true
}

// redirected goes on with a CLIENT TRACKING ... REDIRECT: upstreamID is the target's
// id in Redis.
func (s *Session) redirected(r *request, upstreamID int64) {
	s.mu.Lock()
	if !s.dead {
		s.barrier = nil
		r.raw = resp.AppendCommandBytes(nil, withRedirect(r.args, upstreamID)...)
		r.state, r.role, s.next = unsent, roleCommand, 0
	}
	s.mu.Unlock()
	s.Settle()
}

// withRedirect returns args with another id after REDIRECT.
func withRedirect(args [][]byte, id int64) [][]byte {
	at := redirectAt(args)
	if at == 0 {
		return args
	}
	out := append([][]byte(nil), args...)
	out[at] = strconv.AppendInt(nil, id, 10)
	return out
}

// lend gives the session a private connection whose id in Redis borrower may redirect
// its messages to, and tells that id once there is one: 0 if the session has ended.
func (s *Session) lend(borrower *Session, tell func(upstreamID int64)) {
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		tell(0)
		return
	}
	link := s.pinned()
	s.pin.lent++
	s.server.noteRedirect(s, borrower)
	link.Keep()
	conn := link.Conn()
	if conn == nil {
		s.borrowers = append(s.borrowers, tell)
	}
	s.mu.Unlock()
	if conn != nil {
		tell(conn.ClientID())
	}
}

// connected tells those who redirect their messages here the id of a new private
// connection. s.mu must be held; what it returns is to be called without it.
func (s *Session) connected() func() {
	if s.pin == nil || s.pin.lent == 0 {
		return nil
	}
	conn := s.pin.link.Conn()
	if conn == nil {
		return nil
	}
	waiting := s.borrowers
	s.borrowers = nil
	return func() {
		for _, tell := range waiting {
			tell(conn.ClientID())
		}
		for _, b := range s.server.redirecting(s) {
			b.retrack()
		}
	}
}

// retrack sends CLIENT TRACKING again, because who gets the messages has another
// connection.
func (s *Session) retrack() {
	s.mu.Lock()
	if !s.dead && s.track != nil && s.pin != nil {
		s.track.waits = false
		s.pin.missing |= pieceTrack
	}
	s.mu.Unlock()
	s.Settle()
}

// tracked takes the reply to CLIENT TRACKING.
func (s *Session) tracked(r *request, frame []byte) {
	if frame[0] != '-' {
		s.noteTracking(r)
	}
	s.answer(r, frame)
}

// noteTracking remembers what Redis has accepted.
func (s *Session) noteTracking(r *request) {
	if command.Is(r.args[2], "off") {
		s.track = nil
		return
	}
	if s.track == nil {
		s.track = &tracking{}
		s.pinned().Keep()
		s.pin.tracked = true
	}
	s.track.accepted = append(slices.DeleteFunc(s.track.accepted, func(args [][]byte) bool {
		return slices.EqualFunc(args, r.args, bytes.Equal) // the last one counts
	}), r.args)
	s.track.to = r.to
}

// restoreTracking turns tracking on again on a new connection.
func (s *Session) restoreTracking(conn *upstream.Conn) {
	t := s.track
	var id int64
	if t.to != nil {
		to := t.to.privateConn()
		if to == nil {
			t.waits = true // its new connection will bring us back here (retrack)
			return
		}
		id = to.ClientID()
	}
	if s.pin.conn == conn && s.tx != nil && s.tx.multi {
		t.waits = true
		return
	}
	t.waits = false
	var raw []byte
	for _, args := range t.accepted {
		raw = resp.AppendCommandBytes(raw, withRedirect(args, id)...)
	}
	s.giveBack(pieceTrack, len(t.accepted), raw)
}

// privateConn returns the session's private connection, nil if it has none.
func (s *Session) privateConn() *upstream.Conn {
	if link := s.private.Load(); link != nil {
		return link.Conn()
	}
	return nil
}

// invalidateAll tells whoever caches for this session to forget everything: what
// changed while tracking was off on the way to a new master, nobody has said (Redis
// 7.0 tracking.c trackingInvalidateKeysOnFlush sends the same after FLUSHALL).
func (s *Session) invalidateAll() {
	switch {
	case s.track == nil:
	case s.track.to != nil:
		to := s.track.to
		s.server.spawn(func() { to.invalidated() })
	case s.ident.Protocol == 3:
		s.write([]byte(pushInvalidateAll))
	}
}

// invalidated tells a client that gets another one's messages to forget everything, if
// it can be told (Redis 7.0 tracking.c sendTrackingMessage).
func (s *Session) invalidated() {
	s.mu.Lock()
	switch {
	case s.dead:
	case s.ident.Protocol == 3:
		s.tell('>', []byte(pushInvalidateAll))
	case s.sub != nil:
		s.tell('*', []byte(messageInvalidateAll))
	}
	s.mu.Unlock()
	s.out.flush()
}

// trackingInfo puts steadis' id of the redirection's target into the reply to CLIENT
// TRACKINGINFO.
func (s *Session) trackingInfo(frame []byte) []byte {
	if s.track == nil || s.track.to == nil {
		return frame
	}
	return withNumber(frame, "$8\r\nredirect\r\n:", int64(s.track.to.id))
}

// redirection answers CLIENT GETREDIR.
func (s *Session) redirection() int64 {
	switch {
	case s.track == nil:
		return -1
	case s.track.to == nil:
		return 0
	}
	return int64(s.track.to.id)
}

// broadcast says whether tracking is in BCAST mode.
func (t *tracking) broadcast() bool {
	for _, args := range t.accepted {
		for _, arg := range args[3:] {
			if command.Is(arg, "bcast") {
				return true
			}
		}
	}
	return false
}
