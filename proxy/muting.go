package proxy

import (
	"steadis/proxy/command"
	"steadis/proxy/roster"
)

// muting is what CLIENT REPLY has asked for. A client's commands are counted in the
// order in which they come, which is the one in which they are answered.
type muting uint8

const (
	muteNext muting = 1 << iota // no reply to the next command
	muteAll                     // no replies at all
)

// muted says whether the client gets no reply to a command that has just come, and
// notes what the command changes (Redis 7.0 networking.c clientCommand, resetClient).
func (s *Session) muted(info *command.Info, args [][]byte) bool {
	now, skipped := s.mute != 0, s.mute&muteNext != 0
	s.mute &^= muteNext
	switch info.Verb {
	case command.Multi:
		s.multiSent = s.multiSent || command.Arity(info, len(args))
	case command.Exec, command.Discard:
		s.multiSent = s.multiSent && !command.Arity(info, len(args))
	case command.Reset:
		if command.Arity(info, len(args)) {
			s.mute, s.multiSent = 0, false
			return skipped // it ends OFF, but not a SKIP that is in force (clearClientConnectionState)
		}
	case command.ClientReply:
		mode, fault := roster.ParseReply(args)
		switch {
		case fault != "" || s.multiSent || s.mayBeSubscribed(): // refused, or run by EXEC (mutedInside)
		case mode == roster.ReplyOn:
			s.mute = 0
			return false
		case mode == roster.ReplyOff:
			s.mute = muteAll
			return true
		case s.mute&muteAll == 0:
			s.mute = muteNext
			return true
		}
	}
	return now
}

// mutedInside returns what is left of EXEC's reply if CLIENT REPLY was among its
// commands: from the first OFF to the next ON nothing is. effects begins with the first
// of them. Redis has written the head before, so what comes out may be no whole reply.
func (s *Session) mutedInside(exec *request, effects []*effect, head []byte, elements [][]byte) []byte {
	off, skip, next := exec.mute, false, 0
	exec.mute = false
	var out []byte
	keep := func(piece []byte) {
		if !off {
			out = append(out, piece...)
		}
	}
	keep(head)
	for i, element := range elements {
		for next < len(effects) && effects[next].at < i {
			next++
		}
		if next == len(effects) || effects[next].at != i || effects[next].r.info.Verb != command.ClientReply || element[0] == '-' {
			keep(element)
			continue
		}
		mode, _ := roster.ParseReply(effects[next].r.args)
		switch {
		case mode == roster.ReplyOn:
			off = false
			keep(element)
		case mode == roster.ReplyOff:
			off = true
		case !off:
			skip = true // what comes behind EXEC
		}
	}
	s.mute, s.multiSent = 0, false
	if off {
		s.mute |= muteAll
	}
	if skip {
		s.mute |= muteNext
	}
	for i := range s.queue.Len() { // what came behind it meanwhile
		if r := *s.queue.At(i); r != exec && r.args != nil {
			r.mute = s.muted(r.info, r.args)
		}
	}
	return out
}

// mayBeSubscribed says whether a command that comes now meets RESP2's subscribed mode,
// which takes no CLIENT REPLY.
func (s *Session) mayBeSubscribed() bool {
	if s.ident.Protocol == 3 {
		return false
	}
	on := s.sub != nil && !s.sub.empty()
	for i := range s.queue.Len() {
		if _, add, ok := subscribing((*s.queue.At(i)).info); ok && (*s.queue.At(i)).state == unsent {
			on = add
		}
	}
	return on
}
