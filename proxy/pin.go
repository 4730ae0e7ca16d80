package proxy

import (
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// pin is a session's private connection, over which all of its commands go while it
// has state that must not be shared: WATCH, an open MULTI, subscriptions, tracking,
// MONITOR, or a command that blocks. What the state is, the session knows; the pin
// knows on which connection it is, and what another one must be given first.
type pin struct {
	link    *upstream.Link
	conn    *upstream.Conn // where the state is; nil before the first command
	missing piece          // what is not on conn after all
	stained bool           // another client would notice what was done to it: it is not kept for one
	lent    int            // clients whose invalidation messages come here
	tracked bool           // Redis remembers what was read here, also once CLIENT TRACKING is off, and until it is on again
}

// piece is a part of a session's state that a new connection is given by commands of
// steadis' own, in this order.
type piece uint8

const (
	pieceTouch   piece = 1 << iota // CLIENT NO-TOUCH
	pieceTrack                     // CLIENT TRACKING
	pieceSub                       // subscriptions
	pieceCaching                   // CLIENT CACHING YES, for what comes next
	pieceTx                        // MULTI and what was queued
	pieceMonitor

	allPieces = pieceTouch | pieceTrack | pieceSub | pieceCaching | pieceTx | pieceMonitor
)

// restoreInfo and resubscribeInfo are the commands of steadis' own requests.
var (
	restoreInfo     = infoOf("restore")
	resubscribeInfo = infoOf("resubscribe")
)

// pinned returns the link of the session's private connection.
func (s *Session) pinned() *upstream.Link {
	if s.pin == nil {
		s.pinAs(s.ident)
	}
	return s.pin.link
}

func (s *Session) pinAs(id upstream.Identity) {
	s.pin = &pin{link: s.server.pool.Pin(id, s)}
	s.private.Store(s.pin.link)
}

// pickPinned picks r for the private connection, if the order allows it.
func (s *Session) pickPinned(r *request) bool {
	if s.pin == nil && (s.flight > 0 || len(s.batch) > 0) {
		return false
	}
	return s.pick(r, s.pinned())
}

// hasState says whether the session has state that must not be shared.
func (s *Session) hasState() bool {
	return s.tx != nil && (s.tx.watched || s.tx.multi) || s.sub != nil && !s.sub.fanned() || s.track != nil || s.monitoring ||
		s.untouched || s.pin != nil && (s.pin.lent > 0 || s.pin.tracked)
}

// unpin gives the private connection back, to be used by others if it is clean.
func (s *Session) unpin(clean bool) {
	p := s.pin
	if p == nil {
		return
	}
	s.pin = nil
	s.private.Store(nil)
	s.waitNoMore(p.link)
	if !clean || p.stained {
		p.link.Close()
		return
	}
	if p.conn != nil {
		p.conn.Subscribed(false)
	}
	s.server.pool.Unpin(p.link)
}

// repin gives the private connection up for another one, which gets the state that
// the session still has.
func (s *Session) repin() {
	p := s.pin
	if p == nil {
		return
	}
	s.waitNoMore(p.link)
	p.link.Close()
	p.link = s.server.pool.Pin(s.ident, s)
	s.private.Store(p.link)
	if s.standing() {
		p.link.Keep()
	}
}

// become makes id the identity of the session and of its private connection, which
// it has already.
func (s *Session) become(id upstream.Identity) {
	s.moveTo(id, nil)
	if s.pin != nil {
		s.pin.link.Become(s.ident, s.conn)
		if s.pin.conn != nil {
			s.pin.conn.Speaks(id.Protocol)
		}
	}
}

// standing says whether the session waits for what comes without being asked for, so
// that its connection is made anew without a command.
func (s *Session) standing() bool {
	return s.sub != nil && !s.sub.fanned() || s.track != nil || s.monitoring || s.pin != nil && s.pin.lent > 0
}

// refresh restores the state on a new connection where no command of the client
// does it.
func (s *Session) refresh() {
	p := s.pin
	if p == nil || p.conn == nil || !s.standing() || s.flight > 0 || len(s.batch) > 0 {
		return
	}
	conn := p.link.Conn()
	if conn == nil || conn == p.conn && p.missing == 0 {
		return
	}
	s.loseWatch(conn)
	s.via = p.link
	s.restore(conn)
	n := len(s.calls)
	if n > 0 && conn.Send(s.calls) != nil {
		n = 0
		p.missing = allPieces // the link will tell of the next connection
	} else {
		s.restored(conn)
	}
	clear(s.calls)
	s.calls = s.calls[:0]
	s.flight += n
}

// restore puts the calls into s.calls that bring the private connection to where the
// session is.
func (s *Session) restore(conn *upstream.Conn) {
	p := s.pin
	if s.sub != nil && !s.sub.fanned() {
		conn.Subscribed(true)
	}
	if s.monitoring {
		conn.Monitoring()
	}
	if conn.Name() != s.name && !(p.conn == conn && s.tx != nil && s.tx.multi) {
		s.giveBack(0, 1, upstream.SetName(s.name)) // a named client is known by it in Redis, too
		conn.SetName(s.name)
	}
	missing := p.missing
	switch {
	case p.conn == nil:
		return // the first one: the state is to come
	case p.conn != conn:
		missing = allPieces
	case missing == 0:
		return
	}
	if missing&pieceTouch != 0 && s.untouched {
		s.giveBack(pieceTouch, 1, resp.AppendCommand(nil, "CLIENT", "NO-TOUCH", "ON"))
	}
	if missing&pieceTrack != 0 && s.track != nil {
		s.restoreTracking(conn)
	}
	if missing&pieceSub != 0 && s.sub != nil && !s.sub.fanned() {
		s.restoreSub(p.conn != conn && p.conn.Generation() == conn.Generation())
	}
	if missing&pieceCaching != 0 && s.track != nil && s.track.caching {
		s.giveBack(pieceCaching, 1, resp.AppendCommand(nil, "CLIENT", "CACHING", "YES"))
	}
	if missing&pieceTx != 0 && s.tx != nil && len(s.tx.log) > 0 {
		s.restoreTx(conn)
	}
	if missing&pieceMonitor != 0 && s.monitoring {
		s.giveBack(pieceMonitor, 1, resp.AppendCommand(nil, "MONITOR"))
	}
}

// giveBack puts one call that restores a piece of the state into s.calls.
func (s *Session) giveBack(what piece, frames int, raw []byte) {
	info := restoreInfo
	if what == pieceSub {
		info = resubscribeInfo
	}
	s.calls = append(s.calls, &request{s: s, info: info, role: roleRestore, frames: int32(frames), raw: raw, rare: &rare{piece: what}})
}

// restored notes that the state is on conn now.
func (s *Session) restored(conn *upstream.Conn) {
	if p := s.pin; p != nil && s.via == p.link {
		p.missing = 0
		if s.track != nil && s.track.waits {
			p.missing = pieceTrack
		}
		p.conn = conn
	}
	s.conn = conn
}

// gaveBack takes the reply to a restoring call.
func (s *Session) gaveBack(r *request, frame []byte, last bool) {
	if r.info == shadowInfo {
		s.shadows--
	}
	switch {
	case r.info == resubscribeInfo && frame[0] == '-' && r.again:
		s.close() // Redis closes a client whose right to a channel is taken away (acl.c)
	case last && r.piece == pieceTrack:
		s.invalidateAll()
	}
}

// missed notes that a restoring call was lost: the state is not on the connection.
func (s *Session) missed(r *request) {
	if r.info == shadowInfo {
		s.shadows--
	}
	if s.pin != nil {
		s.pin.missing |= r.piece
	}
}
