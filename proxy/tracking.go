package proxy

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// tracking is a session's client-side caching (CLIENT TRACKING), on its private
// connection.
type tracking struct {
	accepted [][][]byte // the commands that made it what it is, to make it so again
	to       *Session   // who gets the messages; nil: this client itself
	waits    bool       // to be restored once to has a connection, or a MULTI has ended
	caching  bool       // a CLIENT CACHING YES is for the next command
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
	if at == 0 || r.to != nil && s.aimed(r) {
		return s.pickTracking(r, queued)
	}
	if link := s.pinned(); link.Conn() == nil {
		s.next = 0
		return s.wait(link) // like any command, and so does not wait for the target when the hold time is over
	}
	id, err := strconv.ParseUint(string(r.args[at]), 10, 63)
	target := s.server.session(id)
	if err != nil || target == nil {
		if r.to != nil {
			r.to = nil // it was there
		}
		if err == nil { // an id that is nobody's in Redis either
			r.raw = resp.AppendCommandBytes(nil, withRedirect(r.args, nobodyID)...)
		}
		return s.pickTracking(r, queued)
	}
	s.barrier, r.state, r.role = r, sent, roleElsewhere
	r.own().to = target
	s.server.spawn(func() { target.lend(s, func(to *upstream.Conn) { s.redirected(r, to) }) })
	return true
}

// pickTracking picks a CLIENT TRACKING.
func (s *Session) pickTracking(r *request, queued bool) bool {
	if queued {
		return s.pickQueued(r)
	}
	r.role = roleTrack
	return s.pickAlone(r)
}

// aimed says whether r, which redirects to another client, has the id in Redis that this one
// has at this master.
func (s *Session) aimed(r *request) bool {
	return r.aim != nil && r.aim == r.to.privateConn() && r.aim.Generation() == s.server.pool.Gate().Generation
}

// aimRedirect writes the id of the connection to into a CLIENT TRACKING.
func aimRedirect(r *request, to *upstream.Conn) {
	r.raw = resp.AppendCommandBytes(nil, withRedirect(r.args, to.ClientID())...)
}

// reaim aims a CLIENT TRACKING that was queued in MULTI anew, for own, its client's connection
// to another master. If the target has none there yet, own stands for it until EXEC has run
// (noteTracking).
func reaim(r *request, own *upstream.Conn) {
	if r.aim = r.to.privateConn(); r.aim == nil || r.aim.Generation() != own.Generation() {
		r.aim = own
	}
	aimRedirect(r, r.aim)
}

// redirected goes on with a CLIENT TRACKING ... REDIRECT: to is the target's connection,
// nil if the target has ended.
func (s *Session) redirected(r *request, to *upstream.Conn) {
	s.mu.Lock()
	if !s.dead && s.barrier == r && r.role == roleElsewhere {
		s.barrier = nil
		if r.aim = to; to != nil {
			aimRedirect(r, to)
		} // else there is no such client any more, as advanceTracking finds
		r.state, r.role, s.next = unsent, roleCommand, 0
	}
	s.mu.Unlock()
	s.Settle()
}

// giveUpRedirect refuses a CLIENT TRACKING that waits for its target's connection, when the
// hold time is over. s.mu must be held.
func (s *Session) giveUpRedirect() {
	if r := s.barrier; r != nil && r.role == roleElsewhere && r.to != nil {
		s.barrier = nil
		s.refuse(r, hold.Expired, s.server.outageReply())
		s.answerReady()
	}
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

// lend gives the session a private connection that borrower may redirect its messages to,
// and tells which that is once there is one: nil if the session has ended.
func (s *Session) lend(borrower *Session, tell func(*upstream.Conn)) {
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		tell(nil)
		return
	}
	link := s.pinned()
	s.pin.lent++
	s.server.noteRedirect(s, borrower)
	link.Keep()
	conn := link.Conn()
	if conn != nil && conn.Generation() != s.server.pool.Gate().Generation {
		conn = nil // a former master's
	}
	if conn == nil {
		s.borrowers = append(s.borrowers, tell)
	}
	s.mu.Unlock()
	if conn != nil {
		tell(conn)
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
			tell(conn)
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
	if r.to != nil && r.aim != r.to.privateConn() {
		s.pin.missing |= pieceTrack // the target has another connection since
	}
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

// noteCaching notes, by the reply to r, whether what comes next is to be tracked because of a
// CLIENT CACHING YES. Without that a new master would not track it, while the client keeps it
// and would never hear that it has changed. (What NO has asked for is no harm if it is lost.)
func (s *Session) noteCaching(r *request, frame []byte) {
	switch {
	case s.track == nil:
	case r.role == roleCommand && r.info.Verb == command.ClientCaching:
		if frame[0] != '-' {
			s.track.caching = command.Is(r.args[2], "yes")
		}
	case r.role == roleRestore, r.role == roleMulti, r.role == roleQueued, strings.HasPrefix(r.info.Name, "client|"):
		// It lasts (Redis 7.0 networking.c resetClient).
	default:
		s.track.caching = false
	}
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
