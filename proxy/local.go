package proxy

import (
	"strconv"
	"strings"

	"steadis/proxy/command"
	"steadis/proxy/hold"
	"steadis/proxy/upstream"
)

// advanceSession deals with the commands that are about the connection itself.
func (s *Session) advanceSession(r *request) bool {
	if !command.Arity(r.info, len(r.args)) {
		return s.local(r, errArity(r.info.Name))
	}
	switch r.info.Verb {
	case command.Ping:
		if len(r.args) > 2 {
			return s.local(r, errArity(r.info.Name))
		}
		// Not answered yet: what it says is to be true when its turn comes.
		s.leave(r, s.server.hold.Release)
		r.role, r.state = rolePing, done
		s.answerReady()
		return true
	case command.Quit:
		return s.quit(r)
	case command.Reset:
		if !s.first(r) {
			return false
		}
		s.reset()
		return s.local(r, []byte(replyReset))
	case command.Select, command.Auth, command.Hello:
		return s.advanceAdopt(r)
	case command.ReadOnly, command.ReadWrite, command.Asking:
		return s.pick(r, s.sharedLink()) // of a cluster: Redis says that this is none
	}
	return s.advanceClient(r)
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
// (Redis 7.0 networking.c resetCommand). Nothing is in flight.
func (s *Session) reset() {
	s.endTx(false)
	s.endSub(false)
	s.name = ""
	s.moveTo(upstream.Identity{}, nil)
}

// moveTo makes id the session's identity; link is its shared link, or nil.
func (s *Session) moveTo(id upstream.Identity, link *upstream.Link) {
	if s.link != nil {
		s.server.pool.Release(s.link)
	}
	s.ident, s.link = id, link
}

// advanceClient deals with CLIENT's subcommands.
func (s *Session) advanceClient(r *request) bool {
	if !s.first(r) {
		return false
	}
	switch r.info.Verb {
	case command.ClientID:
		return s.local(r, integer(int64(s.id)))
	case command.ClientGetName:
		if s.name == "" {
			return s.local(r, []byte(replyNil))
		}
		return s.local(r, bulk(s.name))
	case command.ClientSetName:
		name := string(r.args[2])
		if !validName(name) {
			return s.local(r, []byte(errClientName))
		}
		s.name = name
		return s.local(r, []byte(replyOK))
	case command.ClientSetInfo:
		return s.local(r, []byte(replyOK))
	}
	return s.local(r, errUnsupported(strings.ReplaceAll(r.info.Name, "|", " ")))
}

// validName says whether Redis would take a client name (networking.c
// validateClientName: printable ASCII without space).
func validName(name string) bool {
	for i := range len(name) {
		if name[i] < '!' || name[i] > '~' {
			return false
		}
	}
	return true
}

// advanceAdopt deals with SELECT, AUTH and HELLO: the session gets a link whose
// connections have made that step in their handshake, and the command itself,
// harmless there, is sent over it for Redis' own reply. So Redis judges every
// database number and every password.
func (s *Session) advanceAdopt(r *request) bool {
	if !s.first(r) {
		return false
	}
	if r.role != roleAdopt {
		fault := s.candidate(r)
		if fault != "" {
			return s.local(r, []byte(fault))
		}
		r.role = roleAdopt
		r.own().link = s.server.pool.Shared(r.target, s.id)
	}
	if r.info.Verb != command.Hello && !s.server.pool.Gate().Open && s.server.pool.Known(r.target) {
		// A new connection must not have to wait for a master to be set up.
		link := r.link
		r.link = nil
		s.moveTo(r.target, link)
		return s.local(r, []byte(replyOK))
	}
	s.barrier = r
	return s.pick(r, r.link)
}

// candidate reads what identity the command asks for into r.target; it returns
// an error reply if the command itself is wrong.
func (s *Session) candidate(r *request) string {
	r.own().target = s.ident
	switch r.info.Verb {
	case command.Select:
		text := string(r.args[1])
		db, err := strconv.ParseInt(text, 10, 32)
		switch {
		case err != nil || strconv.FormatInt(db, 10) != text:
			return errNotInteger
		case db < 0:
			return errDBRange
		}
		r.target.DB = int(db)
	case command.Auth:
		if len(r.args) > 3 {
			return "-ERR syntax error\r\n"
		}
		r.target.Auth = true
		r.target.User, r.target.Password = "", string(r.args[len(r.args)-1])
		if len(r.args) == 3 {
			r.target.User = string(r.args[1])
		}
	case command.Hello:
		return s.hello(r)
	}
	return ""
}

// hello reads HELLO [protover [AUTH user password] [SETNAME name]]. What goes to
// Redis is the bare HELLO 2: the link has authenticated, and the name is ours.
func (s *Session) hello(r *request) string {
	if len(r.args) > 1 {
		version, err := strconv.Atoi(string(r.args[1]))
		if err != nil {
			return errHelloSyntax
		}
		if version != 2 {
			return errNoProto
		}
	}
	name, named := "", false
	for i := 2; i < len(r.args); i++ {
		switch left := len(r.args) - i - 1; {
		case strings.EqualFold(string(r.args[i]), "auth") && left >= 2:
			r.target.Auth = true
			r.target.User, r.target.Password = string(r.args[i+1]), string(r.args[i+2])
			i += 2
		case strings.EqualFold(string(r.args[i]), "setname") && left >= 1:
			name, named = string(r.args[i+1]), true
			if !validName(name) {
				return errClientName
			}
			i++
		default:
			return "-ERR Syntax error in HELLO option '" + plain(string(r.args[i])) + "'\r\n"
		}
	}
	if named {
		r.name = &name
	}
	r.raw = []byte("*1\r\n$5\r\nHELLO\r\n")
	return ""
}

// adopted takes Redis' reply to SELECT, AUTH or HELLO: the session moves only if
// it is no error.
func (s *Session) adopted(r *request, frame []byte) {
	s.barrier = nil
	if frame[0] == '-' {
		s.letGo(r)
		s.answer(r, frame)
		return
	}
	link := r.link
	r.link = nil
	s.moveTo(r.target, link)
	if r.name != nil {
		s.name = *r.name
	}
	if r.info.Verb == command.Hello {
		frame = withID(frame, s.id)
	}
	s.answer(r, frame)
}

// withID puts the client's own id into HELLO's reply, where the shared upstream
// connection's stands.
func withID(frame []byte, id uint64) []byte {
	const key = "$2\r\nid\r\n:"
	text := string(frame)
	i := strings.Index(text, key)
	if i < 0 {
		return frame
	}
	i += len(key)
	j := strings.IndexByte(text[i:], '\r')
	if j < 0 {
		return frame
	}
	return []byte(text[:i] + strconv.FormatUint(id, 10) + text[i+j:])
}
