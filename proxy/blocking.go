package proxy

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/upstream"
)

// shortest is the time that a blocking command whose own time is over gets on a
// new master: Redis itself then says "nothing came".
const shortest = time.Millisecond

// advanceBlocking sends a blocking command on the private connection, so that
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
		return s.local(r, []byte(reply))
	}
	r.role = roleBlock
	s.arm(r)
	return s.pickAlone(r)
}

// arm writes into the command its remaining time and what its `$` meant. A command
// that is sent for the first time at once goes out as the client wrote it.
func (s *Session) arm(r *request) {
	late := !r.until.IsZero() && (r.again || !r.since.IsZero())
	if at, _, ok := r.info.Timeout(r.args); ok && late {
		left := max(r.until.Sub(s.server.now()), shortest)
		r.args[at] = command.FormatTimeout(r.info, left)
	}
	r.frames, r.skip, r.got = 1, 0, 0
	switch {
	case isWait(r.info):
		// WAIT compares replicas with the last write of its own connection (Redis 7.2
		// and later) or with all that was there at its last command (7.0), but the client's
		// writes went over another one. So something that is replicated must come first here:
		// a PUBLISH is, and changes no data. In 7.0 a PING does, for which nobody lacks the right.
		r.frames, r.skip, r.reply = 2, 1, nil
		r.raw = slices.Clone(upstream.Ping)
		if !s.server.pool.CoversAll() {
			r.raw = resp.AppendCommand(nil, "PUBLISH", upstream.BarrierChannel, "")
		}
		r.raw = resp.AppendCommandBytes(r.raw, r.args...)
	case r.info.Verb == command.XRead && len(r.lastIDs) == 0:
		s.armLastIDs(r, late)
	case late:
		r.raw = resp.AppendCommandBytes(nil, r.args...)
	}
}

// armLastIDs asks, in front of an XREAD with `$`, for the last entries of those
// streams, so that the command can be asked again after a failover from where it began
// to wait, and misses nothing that came in between.
func (s *Session) armLastIDs(r *request, late bool) {
	at := command.LastIDs(r.args)
	if len(at) == 0 && !late {
		return
	}
	var raw []byte
	streams := command.StreamCount(r.args) // the key of an id stands so far before it
	for _, i := range at {
		raw = resp.AppendCommandBytes(raw, []byte("XREVRANGE"), r.args[i-streams], []byte("+"), []byte("-"), []byte("COUNT"), []byte("1"))
	}
	r.frames, r.skip = int32(1+len(at)), int32(len(at))
	r.raw = resp.AppendCommandBytes(raw, r.args...)
}

// noteLastID takes the answer to one of these questions.
func (r *request) noteLastID(frame []byte) {
	id := []byte("0-0") // there is no such stream yet
	switch entries := resp.Elements(frame); {
	case frame[0] == '-':
		id = []byte("$") // he may not ask, or it is no stream, which XREAD itself says
	case len(entries) == 1:
		if entry := resp.Elements(entries[0]); len(entry) > 0 {
			id = bulkText(entry[0])
		}
	}
	r.own().lastIDs = append(r.lastIDs, id)
}

// bulkText returns what is in a bulk string frame, copied.
func bulkText(frame []byte) []byte {
	i := bytes.IndexByte(frame, '\n') + 1
	return bytes.Clone(bytes.TrimSuffix(frame[i:], []byte("\r\n")))
}

func isWait(info *command.Info) bool {
	return info.Verb == command.Wait || info.Verb == command.WaitAOF
}

// waitVoid returns what a WAIT answers when the client's last write went to a
// former master: nothing is known of it any more, so it is confirmed by nobody.
func (s *Session) waitVoid(r *request) string {
	if !isWait(r.info) || s.wrote == 0 || s.wrote == s.server.pool.Gate().Generation || !s.legalWait(r) {
		return ""
	}
	return voidWait(r.info)
}

// legalWait says whether the master would carry a WAIT or WAITAOF out; else it has its
// own words for it.
func (s *Session) legalWait(r *request) bool {
	if _, _, ok := r.info.Timeout(r.args); !ok || s.server.lacks(r.info.Name) {
		return false
	}
	for _, arg := range r.args[1 : len(r.args)-1] {
		if _, err := strconv.ParseInt(string(arg), 10, 64); err != nil {
			return false
		}
	}
	return true
}

func voidWait(info *command.Info) string {
	if info.Verb == command.WaitAOF {
		return replyZeros
	}
	return replyZero
}

// unblocked takes a frame of a blocking command's reply.
func (s *Session) unblocked(r *request, frame []byte) {
	switch r.got++; {
	case r.got > r.skip:
		s.stopTimer()
		if r.reply != nil && frame[0] != '-' {
			frame = r.reply
		}
		s.beginNext(r)
		s.answer(r, frame)
	case r.info.Verb == command.XRead:
		r.noteLastID(frame)
	case frame[0] == '-':
		r.reply = []byte(voidWait(r.info)) // nothing is in front of the WAIT: it waits for nothing
	}
}

// beginNext lets the time of the next blocking command behind r, which is over, begin now, as it
// does in Redis: it may have come long ago.
func (s *Session) beginNext(r *request) {
	behind := false
	for i := range s.queue.Len() {
		q := *s.queue.At(i)
		if behind && q.info.Class == command.Blocking {
			if _, d, ok := q.info.Timeout(q.args); ok && d > 0 && q.state == unsent {
				q.own().until = s.server.now().Add(d)
			}
			return
		}
		behind = behind || q == r
	}
}

// overdue is how long after its own time a blocking command may be without an answer
// before its connection is looked at.
const overdue = 500 * time.Millisecond

// limitBlocked sees to it that a blocking command in flight on a master that does not
// answer any more is not waited for longer than its own time, if that may be.
func (s *Session) limitBlocked(r *request) {
	s.stopTimer()
	r.own().asked = s.server.now()
	s.timer = time.AfterFunc(max(r.until.Sub(s.server.now()), 0)+overdue, func() { s.checkBlocked(r) })
}

// checkBlocked gives the connection of an overdue command up, if commands are held:
// then that master may be frozen. When it thaws, the command's time is over there too,
// and Redis looks at that first (Redis 7.0 timeout.c handleBlockedClientsTimeout, from
// beforeSleep), so nothing is popped for nobody. But a command that it may not have read yet
// would run then, and take an element: that one's end is another master, or its reply, or the
// hold's end. While the master serves, it is only slow.
func (s *Session) checkBlocked(r *request) {
	var stuck *upstream.Conn
	s.mu.Lock()
	if !s.dead && s.barrier == r && r.role == roleBlock && r.state == sent {
		if s.server.pool.Gate().Open || !s.server.pool.HasRead(r.asked) {
			s.timer = time.AfterFunc(overdue, func() { s.checkBlocked(r) })
		} else {
			stuck = s.conn
		}
	}
	s.mu.Unlock()
	if stuck != nil {
		stuck.Close() // its reader tells us that the command is lost
	}
}

// reblock prepares a blocking command whose connection was lost to be sent
// again, with what is left of its time. A WAIT that was cut short confirms
// nothing.
func (s *Session) reblock(r *request) {
	r.own().again = true
	if isWait(r.info) {
		r.state, r.reply = done, []byte(voidWait(r.info))
	}
	at := command.LastIDs(r.args)
	if len(at) == 0 || len(at) != len(r.lastIDs) {
		r.lastIDs = nil
		return
	}
	for n, i := range at {
		r.args[i] = r.lastIDs[n]
	}
	r.raw = resp.AppendCommandBytes(nil, r.args...)
}
