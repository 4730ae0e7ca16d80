package proxy

import (
	"bytes"
	"slices"
	"strconv"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/roster"
)

// advanceAdopt deals with SELECT, AUTH and HELLO. Redis judges every database number
// and every password. An identity that it has not accepted yet, it is asked over a
// private connection, with the client's own words. For one that it has, the session
// gets a link whose connections have made that step in their handshake, and the
// command, harmless there, is sent over it for Redis' reply.
func (s *Session) advanceAdopt(r *request) bool {
	if !s.first(r) {
		return false
	}
	if r.role != roleAdopt {
		switch fault := s.candidate(r); {
		case fault != "" && r.info.Verb == command.Select:
			return s.pickHome(r) // Redis' own words, and its MONITOR's
		case fault != "":
			return s.local(r, []byte(fault))
		}
		r.role = roleAdopt
	}
	known := s.server.pool.Known(r.target)
	named := r.name != nil && s.server.pool.Gate().Open // a name is a private connection's
	if r.link == nil && !r.direct && (s.pin != nil || !known || named) {
		r.raw = resp.AppendCommandBytes(nil, r.args...) // not what was sent to a link that has authenticated
		return s.pickAlone(r)
	}
	if r.link == nil {
		r.own().link = s.server.pool.Shared(r.target, s.id)
		if r.info.Verb == command.Hello {
			// The name is ours. The link has authenticated already, but the password may have
			// been changed since: Redis judges it again, as it does with AUTH.
			r.raw = resp.AppendCommandBytes(nil, withoutName(r.args)...)
		}
	}
	if gate := s.server.pool.Gate(); known && !gate.Open && !gate.Out && s.adoptHere(r) {
		return true
	}
	s.barrier = r
	return s.pick(r, r.link)
}

// adoptDirectly sends r, a command that authenticates, over a connection that is made for
// the identity that it asks for: Redis refuses the one that the session has, whose user is
// gone, so there is no connection to come from. It returns false if r is no such command.
func (s *Session) adoptDirectly(r *request) bool {
	if r == nil || r.role != roleAdopt || r.link != nil || r.direct || !r.target.Auth || r.target == s.ident {
		return false
	}
	if t := s.tx; t != nil {
		s.endTx(false)
		s.tx = &transaction{watched: t.watched, lost: t.watched}
	}
	s.unpin(false)
	r.own().direct = true
	s.dispatch()
	return true
}

// adoptHere answers while commands are held: a new connection must not have to wait for
// a master to be set up. False: steadis does not know what HELLO's answer would be.
func (s *Session) adoptHere(r *request) bool {
	reply := []byte(replyOK)
	if r.info.Verb == command.Hello {
		hello := s.server.hellos[r.target.Protocol/3].Load()
		if hello == nil {
			return false
		}
		reply = withID(*hello, s.id)
	}
	link := r.link
	r.link = nil
	s.moveTo(r.target, link)
	if r.name != nil {
		s.name = *r.name
	}
	return s.local(r, reply)
}

// candidate reads what identity the command asks for into r.target; it returns
// an error reply if the command itself is wrong.
func (s *Session) candidate(r *request) string {
	r.own().target = s.ident
	switch r.info.Verb {
	case command.Select:
		text := string(r.args[1])
		db, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil || strconv.FormatInt(db, 10) != text:
			return errNotInteger
		case db != int64(int32(db)):
			return errIntRange
		case db < 0:
			return errDBRange
		}
		r.target.DB = int(db)
	case command.Auth:
		r.target.Edition = 0
		if len(r.args) > 3 {
			return errSyntax
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

// hello reads HELLO [protover [AUTH user password] [SETNAME name]].
func (s *Session) hello(r *request) string {
	if len(r.args) > 1 {
		version, err := strconv.ParseInt(string(r.args[1]), 10, 64)
		switch {
		case err != nil || strconv.FormatInt(version, 10) != string(r.args[1]):
			return errHelloSyntax
		case version < 2 || version > 3:
			return errNoProto
		}
		r.target.Protocol = protocolOf(version)
	}
	for i := 2; i < len(r.args); i++ {
		switch left := len(r.args) - i - 1; {
		case command.Is(r.args[i], "auth") && left >= 2 && s.server.static():
			if !s.login(r.args[i+1], r.args[i+2]) {
				return errWrongPass
			}
			r.args = slices.Delete(slices.Clone(r.args), i, i+3) // nothing that Redis should hear
			i--
		case command.Is(r.args[i], "auth") && left >= 2:
			r.target.Auth, r.target.Edition = true, 0
			r.target.User, r.target.Password = string(r.args[i+1]), string(r.args[i+2])
			i += 2
		case command.Is(r.args[i], "setname") && left >= 1:
			name := string(r.args[i+1])
			if !roster.ValidName(r.args[i+1]) {
				return errClientName
			}
			r.name = &name
			i++
		default:
			return "-ERR Syntax error in HELLO option '" + plain(string(r.args[i])) + "'\r\n"
		}
	}
	if s.locked {
		return errHelloNoAuth
	}
	return ""
}

// withoutName returns HELLO's arguments without SETNAME, for a connection that has no name.
func withoutName(args [][]byte) [][]byte {
	if len(args) == 1 {
		return args // tells, and changes nothing
	}
	kept := slices.Clone(args[:2])
	for i := 2; i < len(args); i++ {
		if command.Is(args[i], "setname") {
			i++
			continue
		}
		kept = append(kept, args[i:i+3]...) // AUTH user password
		i += 2
	}
	return kept
}

// protocolOf is a protocol version as Identity has it: 0 stands for 2.
func protocolOf(version int64) int {
	if version == 3 {
		return 3
	}
	return 0
}

// adopted takes Redis' reply to SELECT, AUTH or HELLO: the session moves only if
// it is no error.
func (s *Session) adopted(r *request, frame []byte) {
	if frame[0] == '-' {
		if resp.IsError(frame, "WRONGPASS") {
			s.server.pool.Refused(r.target)
		}
		s.letGo(r)
		s.answer(r, frame)
		return
	}
	link := r.link
	r.link = nil
	if link != nil {
		s.moveTo(r.target, link)
	} else {
		s.become(r.target)
		s.server.pool.Accepted(r.target)
	}
	if r.name != nil {
		s.name = *r.name
		if link == nil {
			s.conn.SetName(s.name)
		}
	}
	if r.info.Verb == command.Hello {
		frame = withID(frame, s.id)
	}
	s.answer(r, frame)
}

// withID puts the client's own id into HELLO's reply, where the upstream
// connection's stands.
func withID(frame []byte, id uint64) []byte { return withNumber(frame, "$2\r\nid\r\n:", int64(id)) }

// withNumber replaces the number that follows key in a frame.
func withNumber(frame []byte, key string, n int64) []byte {
	i := bytes.Index(frame, []byte(key))
	if i < 0 {
		return frame
	}
	i += len(key)
	j := bytes.IndexByte(frame[i:], '\r')
	if j < 0 {
		return frame
	}
	return append(strconv.AppendInt(bytes.Clone(frame[:i]), n, 10), frame[i+j:]...)
}
