package proxy

import (
	"time"

	"steadis/proxy/command"
	"steadis/proxy/hold"
)

// How what a client sends gets into its session's queue, or is refused.

// submit takes a batch of commands, in order, and sends what can be sent, at once if the client
// is in turn, else when it has its turn. It never waits;
// crowded says that the client is not to be read before awaitRoom has returned.
func (s *Session) submit(b *batch, inTurn bool) (crowded bool) {
	now := s.server.now()
	s.mu.Lock()
	requests := b.take()
	s.set = s.server.set.Load()
	if s.waiting == nil && s.queue.Len() == 0 {
		s.void = false // the hold is over, and so is what it had no room for
	}
	timed := s.nextTimed(len(requests))
	for i, cmd := range b.commands {
		if r := s.enqueue(&requests[i], b, cmd, now); i == timed && r != nil {
			s.time(r, now)
		}
	}
	s.server.traffic.commands.Add(uint64(len(requests)))
	b.submitted()
	s.addBody()
	if s.use()-s.charged.Load() >= chargeStep {
		s.charge()
	}
	// What has to authenticate is answered at once: the guard judges what comes next by it.
	if t := s.server.turns; t != nil && !inTurn && s.server.live.Load() > 1 && !s.locked {
		t.take(s)
	} else {
		s.dispatch()
	}
	crowded = s.crowded()
	s.mu.Unlock()
	s.out.flush()
	return crowded
}

// awaitRoom waits while the client has far more under way than allowed (crowded): it is not read
// until Redis has caught up.
func (s *Session) awaitRoom() {
	s.mu.Lock()
	for s.crowded() {
		s.mu.Unlock()
		s.out.flush()
		s.mu.Lock()
		if s.crowded() {
			s.room.Wait()
		}
	}
	s.mu.Unlock()
}

// maxBytesUnderWay bounds one client's commands under way beside their number.
const maxBytesUnderWay = 16 << 20

// crowded says whether the client is not to be read for now. Who is blocked is read on, as who
// waits for a master is: nobody would notice otherwise that it hangs up, and something would be
// popped for nobody. limits.memory bounds what it can send meanwhile.
func (s *Session) crowded() bool {
	return !s.dead && s.waiting == nil && !s.blocked() && s.queue.Len() > 1 &&
		(s.queue.Len() > s.set.Limits.Pipeline || s.bytes > maxBytesUnderWay || s.overShare())
}

// enqueue adds a command of b to the queue, as r or, if it is to be held, as a copy of it,
// and returns that; nil if it is not queued. s.mu must be held.
func (s *Session) enqueue(r *request, b *batch, cmd clientCommand, now time.Time) *request {
	if s.dead || s.ended {
		return nil
	}
	info := s.server.table.Load().Lookup(cmd.args)
	*r = request{s: s, batch: b, raw: cmd.raw, args: cmd.args, info: info, frames: 1, copies: 1, size: int32(len(cmd.raw)), rare: &plainRequest}
	if s.mute != 0 || info.Class == command.Transaction || info.Verb == command.ClientReply || info.Verb == command.Reset {
		if info.Verb == command.ClientReply && s.multiSent {
			r.own().inside = true
		}
		r.mute = s.muted(info, cmd.args)
	}
	if info.Class == command.Blocking {
		if _, d, ok := info.Timeout(cmd.args); ok && d > 0 {
			r.own().until = now.Add(d)
		}
	}
	s.face.last, s.face.seen, s.face.size = info, now.UnixNano(), int64(len(cmd.raw))
	if s.void {
		s.server.hold.RefuseAtOnce(hold.Full)
		s.refuseTail(r)
		return nil
	}
	if s.waiting != nil {
		if !s.enter(r) {
			s.refuseTail(r)
			return nil
		}
		if s.body == nil {
			r = r.apart()
		}
	}
	s.push(r)
	return r
}

// refuseTail answers a command for which there is no room in the hold.
func (s *Session) refuseTail(r *request) {
	if r = s.crowdOut(s.queue.Len()-1, r); r != nil {
		s.push(r)
		s.answerReady()
	}
}

// crowdOut refuses r, for which there is no room in the hold, in the place behind queue[last].
// Refusals in a row share one place, so that they cannot fill memory: then it returns nil.
// What it returns otherwise has nothing of the batch of r.
func (s *Session) crowdOut(last int, r *request) *request {
	s.noteVoid(r)
	transaction := r.info.Class == command.Transaction
	if last >= 0 && !transaction {
		if tail := *s.queue.At(last); tail.info == refusedInfo && !tail.passed && tail.mute == r.mute {
			tail.copies++
			return nil
		}
	}
	refusal := *r
	refusal.batch, refusal.size = nil, 0
	if !transaction {
		refusal.info = refusedInfo
	}
	s.refused(&refusal, s.set.errFull)
	return &refusal
}

// noteVoid notes what a refusal of r means to what comes behind it.
func (s *Session) noteVoid(r *request) {
	switch r.info.Verb {
	case command.Multi:
		s.void = true
	case command.Exec, command.Discard:
		s.void = false
	}
}
