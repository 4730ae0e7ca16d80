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
// notes what the command changes, if it is not refused (Redis 7.0 networking.c clientCommand,
// resetClient). At its turn heedReply puts right what was taken for granted.
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
		case fault != "" || s.multiSent: // refused, or run by EXEC (mutedInside)
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

// heedReply is for a CLIENT REPLY at its turn. Where Redis takes none, which is until the client
// has authenticated and in RESP2's subscribed mode, it was taken for one that counts when it
// came; and for one that EXEC runs behind a MULTI that was refused.
func (s *Session) heedReply(r *request, refused bool) {
	mode, fault := roster.ParseReply(r.args)
	switch {
	case fault != "":
	case refused:
		r.mute = s.off
		s.mutedBehind(r, false)
	default:
		if mode != roster.ReplySkip {
			s.off = mode == roster.ReplyOff
		}
		if r.inside {
			r.mute = mode != roster.ReplyOn
			s.mutedBehind(r, mode == roster.ReplySkip && !s.off)
		}
	}
}

// mutedBehind brings what has come behind r meanwhile, and what comes, to where CLIENT REPLY has
// led; skip is for the next one.
func (s *Session) mutedBehind(r *request, skip bool) {
	s.mute, s.multiSent = 0, s.tx != nil && s.tx.multi
	if s.off {
		s.mute |= muteAll
	}
	if skip {
		s.mute |= muteNext
	}
	behind := false
	for i := range s.queue.Len() {
		if q := *s.queue.At(i); behind && q.args != nil {
			q.mute = s.muted(q.info, q.args)
		} else {
			behind = behind || q == r
		}
	}
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
	s.off = off
	s.mutedBehind(exec, skip)
	return out
}
