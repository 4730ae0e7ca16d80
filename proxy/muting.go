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
	now := s.mute != 0
	s.mute &^= muteNext
	if s.tx != nil && s.tx.multi {
		return now
	}
	switch info.Verb {
	case command.Reset:
		if command.Arity(info, len(args)) {
			s.mute = 0
			return false
		}
	case command.ClientReply:
		mode, fault := roster.ParseReply(args)
		switch {
		case fault != "":
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
