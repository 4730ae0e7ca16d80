package proxy

import (
	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

// advanceSession deals with the commands that are about the connection itself.
func (s *Session) advanceSession(r *request) bool {
	switch {
	case !command.Arity(r.info, len(r.args)):
		return s.local(r, errArity(r.info.Name))
	case !r.info.NoAuth && !s.ident.Auth && s.server.pool.NeedsAuth():
		return s.local(r, []byte(errNoAuth))
	}
	switch r.info.Verb {
	case command.Ping:
		return s.advancePing(r)
	case command.Quit:
		return s.quit(r)
	case command.Reset:
		if !s.first(r) {
			return false
		}
		s.reset()
		return s.local(r, []byte(replyReset))
	case command.Auth, command.Select, command.Hello:
		if r.info.Verb == command.Auth && s.server.static() {
			return s.advanceLogin(r)
		}
		return s.advanceAdopt(r)
	case command.ReadOnly, command.ReadWrite, command.Asking:
		return s.pickHome(r) // of a cluster: Redis says that this is none
	case command.Monitor:
		return s.advanceMonitor(r)
	case command.ClientTracking:
		return s.advanceTracking(r)
	case command.ClientCaching, command.ClientTrackingInfo:
		return s.pickHome(r)
	case command.ClientNoTouch:
		if !s.first(r) {
			return false
		}
		r.role = roleTouch
		return s.pickAlone(r)
	}
	return s.advanceClient(r)
}

// advancePing answers PING, at the moment when its turn comes: what it says is to be
// true then. While a script runs long, the master may have something to say itself, and
// while CLIENT PAUSE lasts, it decides whether a PING has to wait. What the command in front
// of it pushes to its own client comes first.
func (s *Session) advancePing(r *request) bool {
	if len(r.args) > 2 {
		return s.local(r, errArity(r.info.Name))
	}
	if s.standing() && (s.flight > s.shadows || len(s.batch) > 0) {
		return false
	}
	open := s.server.pool.Gate().Open
	if open && s.server.paused() {
		return s.pickHome(r)
	}
	if open && s.server.scriptRuns() {
		s.elsewhere(r, func() []byte { return s.server.busyOr(s, r) })
		return true
	}
	s.leave(r, s.server.hold.Release)
	r.role, r.state = rolePing, done
	s.shadow(r)
	s.answerReady()
	return true
}

// shadowInfo is the command of a PING that Redis gets although steadis answers it.
var shadowInfo = infoOf("shadow")

// maxShadows is how many shadows of one client may be in flight. A client that pipelines
// more PINGs than that waits for none of them, and Redis sees as many as it keeps up with.
const maxShadows = 16

// maxShadowBytes is how long a PING may be for Redis to get it as it is; instead of a longer
// one it gets a bare one. Shadows count in no limit, and the master may not read for a while.
const maxShadowBytes = 1 << 10

// shadow sends Redis the PING that steadis answers, so that the master's own figures
// (commandstats, SLOWLOG, MONITOR) know of it; what Redis says to it does not matter,
// and nobody waits for it. A client has few of them in flight, and none while a
// script is: it would stand in the way of what goes around that.
func (s *Session) shadow(r *request) {
	if s.shadows >= maxShadows || s.mute != 0 || s.server.stops.scripts.Load() > 0 || !s.server.pool.Gate().Open || len(s.batch) > 0 {
		return
	}
	link := s.sharedLink()
	if s.pin != nil {
		link = s.pin.link
	}
	conn := link.Conn()
	if conn == nil || s.flight > 0 && conn != s.conn || s.pin != nil && s.pin.conn != conn {
		return
	}
	raw := r.raw
	if len(raw) > maxShadowBytes {
		raw = pingCommand
	}
	call := &request{s: s, info: shadowInfo, role: roleRestore, frames: 1, raw: raw, rare: &plainRequest}
	if conn.Send([]upstream.Call{call}) == nil {
		call.raw = nil // it would keep all that came with the PING
		s.shadows++
		s.conn, s.via = conn, link
		s.flight++
	}
}

// pong answers PING: PONG while commands are served or held, the outage reply
// once the hold time is over and there is still no master (promise P10).
func (s *Session) pong(r *request) []byte {
	switch {
	case s.server.hold.Outage().Phase == hold.Out:
		return s.server.outageReply()
	case len(r.args) > 1:
		return bulk(string(r.args[1]))
	}
	return []byte(replyPong)
}

// quit answers and closes; what the client sent behind it is not run.
func (s *Session) quit(r *request) bool {
	if !s.first(r) {
		return false
	}
	s.ended = true
	r.reply, r.state, r.finish = []byte(replyOK), done, true
	s.leave(r, s.server.hold.Release)
	s.answerReady()
	return true
}

// reset brings the session back to where it was when the client connected
// (Redis 7.0 networking.c clearClientConnectionState). Nothing is in flight.
func (s *Session) reset() {
	s.endSub()
	s.tx, s.track, s.monitoring, s.untouched, s.off = nil, nil, false, false, false
	s.name = ""
	lent := s.pin != nil && s.pin.lent > 0
	s.moveTo(s.server.identity(), nil)
	s.greet()
	if lent {
		s.repin()
		return
	}
	s.unpin(false)
}

// moveTo makes id the session's identity; link is its shared link, or nil.
func (s *Session) moveTo(id upstream.Identity, link *upstream.Link) {
	if s.link != nil {
		s.server.pool.Release(s.link)
	}
	s.ident, s.link = id, link
}

// null is Redis' null in the client's protocol; kind is '$' or '*', which RESP2
// tells apart.
func (s *Session) null(kind byte) []byte {
	switch {
	case s.ident.Protocol == 3:
		return []byte(replyNil3)
	case kind == '*':
		return []byte(replyNilList)
	}
	return []byte(replyNil)
}
