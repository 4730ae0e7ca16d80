package proxy

import (
	"time"

	"steadis/proxy/command"
	"steadis/proxy/resp"
)

// shortest is the time that a blocking command whose own time is over gets on a
// new master: Redis itself then says "nothing came".
const shortest = time.Millisecond

// advanceBlocking sends a blocking command on a connection of its own, so that
// nobody else waits behind it. What the client sends meanwhile waits for its
// reply, as it does in Redis.
func (s *Session) advanceBlocking(r *request) bool {
	if !s.first(r) {
		return false
	}
	if s.gone { // nothing may be popped for nobody
		s.close()
		return true
	}
	if reply := s.waitVoid(r); reply != "" {
		s.letGo(r)
		return s.local(r, []byte(reply))
	}
	if r.link == nil {
		r.role = roleBlock
		r.own().link = s.server.pool.Pin(s.ident, s)
	}
	s.arm(r)
	s.barrier = r
	return s.pick(r, r.link)
}

// arm writes the command's remaining time into it. A command that is sent for
// the first time at once goes out as the client wrote it.
func (s *Session) arm(r *request) {
	late := !r.until.IsZero() && (r.again || !r.since.IsZero())
	if at, _, ok := r.info.Timeout(r.args); ok && late {
		left := max(r.until.Sub(s.server.now()), shortest)
		r.args[at] = command.FormatTimeout(r.info, left)
	}
	switch {
	case isWait(r.info):
		// WAIT compares replicas with the last write of its own connection (Redis 7.2
		// and later) or with anything before it (7.0), but the client's writes went
		// over another one. So something that is replicated must come first here: a
		// PUBLISH is, and changes no data.
		r.frames, r.skip = 2, 1
		r.raw = resp.AppendCommand(nil, "PUBLISH", barrierChannel, "")
		r.raw = resp.AppendCommandBytes(r.raw, r.args...)
	case late:
		r.raw = resp.AppendCommandBytes(nil, r.args...)
	}
}

// barrierChannel is where the PUBLISH before a WAIT goes.
const barrierChannel = "__steadis:barrier"

func isWait(info *command.Info) bool {
	return info.Verb == command.Wait || info.Verb == command.WaitAOF
}

// waitVoid returns what a WAIT answers when the client's last write went to a
// former master: nothing is known of it any more, so it is confirmed by nobody.
func (s *Session) waitVoid(r *request) string {
	if !isWait(r.info) || s.wrote == 0 || s.wrote == s.server.pool.Gate().Generation {
		return ""
	}
	return voidWait(r.info)
}

func voidWait(info *command.Info) string {
	if info.Verb == command.WaitAOF {
		return replyZeros
	}
	return replyZero
}

// unblocked takes a blocking command's reply and frees its connection.
func (s *Session) unblocked(r *request, frame []byte) {
	if r.got++; r.got <= r.skip {
		return
	}
	s.barrier = nil
	link := r.link
	r.link = nil
	s.server.pool.Unpin(link)
	s.answer(r, frame)
}

// reblock prepares a blocking command whose connection was lost to be sent
// again, with what is left of its time. A WAIT that was cut short confirms
// nothing.
func (s *Session) reblock(r *request) {
	r.got = 0
	if isWait(r.info) {
		r.state, r.reply = done, []byte(voidWait(r.info))
		s.letGo(r)
	}
}
