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
	if r.info.Verb == command.Wait || r.info.Verb == command.WaitAOF {
		s.armWait(r)
		return
	}
	if r.until.IsZero() || r.since.IsZero() && r.tries == 0 && !r.again {
		return
	}
	at, _, ok := r.info.Timeout(r.args)
	if !ok {
		return
	}
	left := max(r.until.Sub(s.server.now()), shortest)
	r.args[at] = command.FormatTimeout(r.info, left)
	r.raw = resp.AppendCommandBytes(nil, r.args...)
}

// barrierChannel is where the command goes that makes WAIT mean something on a
// connection that has written nothing.
const barrierChannel = "__steadis:barrier"

// armWait makes WAIT wait for the client's own writes, which went over another
// connection. WAIT compares replicas with the last write of its own connection
// (Redis 7.2 and later) or with anything before it (7.0), so something that is
// replicated must come first: a PUBLISH is, and changes no data.
func (s *Session) armWait(r *request) {
	if r.frames == 2 {
		return
	}
	r.frames, r.skip = 2, 1
	r.raw = append(resp.AppendCommand(nil, "PUBLISH", barrierChannel, ""), r.raw...)
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
	r.own().again = true
	r.got = 0
	if r.info.Verb == command.Wait {
		r.state, r.reply = done, []byte(replyZero)
		s.letGo(r)
	}
}
