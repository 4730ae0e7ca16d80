package proxy

import (
	"steadis/proxy/hold"
	"steadis/proxy/ring"
	"steadis/proxy/upstream"
)

// How a session ends: by its client, by steadis, or with the process.

// readEnded says that nothing more is read from the client: because of a fault in
// its bytes, which is answered behind what came before it, or, with "", because it
// has hung up, which ends whatever only waits. The second may follow the first.
func (s *Session) readEnded(fault string) {
	s.mu.Lock()
	switch {
	case s.dead:
	case fault == "" && !s.gone:
		s.ended, s.gone = true, true
		s.abandon()
	case fault != "" && !s.ended:
		s.ended = true
		// Redis closes behind a reply, so not if CLIENT REPLY keeps that back and no
		// earlier one is due (7.0 networking.c setProtocolError): then nothing more is read.
		s.push(&request{s: s, info: refusedInfo, copies: 1, state: done, reply: errProtocol(fault), finish: s.mute == 0 || s.owesReply(),
			mute: s.mute != 0, rare: &plainRequest})
		s.answerReady()
	}
	s.mu.Unlock()
	s.out.flush()
}

// owesReply says whether the client waits for a reply.
func (s *Session) owesReply() bool {
	for i := range s.queue.Len() {
		if !(*s.queue.At(i)).mute {
			return true
		}
	}
	return false
}

// abandon drops what a client that is gone waits for. What is in flight on a
// shared connection runs anyway; its replies are still written, for a client
// that only closed its sending side.
func (s *Session) abandon() {
	if s.waiting != nil && !(s.mayWait(s.waiting) && s.waitGate == s.server.pool.Gate()) {
		s.waiting.Forget(s)
		s.waiting = nil
		s.dropUnsent()
	}
	switch {
	case s.barrier != nil && s.barrier.role == roleBlock:
		s.abort() // at once: nothing may be popped for nobody
	case s.queue.Len() == 0:
		s.close()
	}
}

// dropping adds up the held commands of a client that is gone: one that has flooded
// has thousands, and the hold's lock is everybody's.
type dropping struct {
	commands int
	bytes    int64
}

func (d *dropping) add(n int) { d.commands, d.bytes = d.commands+1, d.bytes+int64(n) }

// dropUnsent forgets the first request that has not been sent and all behind it.
func (s *Session) dropUnsent() {
	first := 0
	for first < s.queue.Len() && (*s.queue.At(first)).state != unsent {
		first++
	}
	var dropped dropping
	for s.queue.Len() > first {
		r := s.queue.PopBack()
		s.leave(r, dropped.add)
		s.letGo(r)
		r.dropBody()
		s.unload(r)
	}
	s.server.hold.Drop(dropped.commands, dropped.bytes)
	s.next = min(s.next, first)
}

// close ends the session once what is queued for the client is written.
func (s *Session) close() {
	if s.dead {
		return
	}
	s.bury()
	s.out.finish()
	s.server.forget(s)
	if s.out.waiting() > 0 {
		s.server.part(s)
	}
}

// abort ends the session at once.
func (s *Session) abort() {
	if s.dead {
		return
	}
	s.bury()
	s.server.forget(s)
	s.out.abort()
}

// bury gives up all that the session holds. s.mu must be held.
func (s *Session) bury() {
	s.dead = true
	s.stopTimer()
	if s.waiting != nil {
		s.waiting.Forget(s)
		s.waiting = nil
	}
	var dropped dropping
	for i := range s.queue.Len() {
		r := *s.queue.At(i)
		s.leave(r, dropped.add)
		s.letGo(r)
		r.dropBody()
	}
	s.server.hold.Drop(dropped.commands, dropped.bytes)
	s.orphan()
	s.queue = ring.Ring[*request]{}
	s.load, s.tx, s.track = 0, nil, nil
	s.charge()
	s.next = 0
	s.endSub()
	s.unpin(false)
	for _, tell := range s.borrowers {
		s.server.spawn(func() { tell(nil) })
	}
	s.borrowers = nil
	s.server.forgetRedirect(s)
	if s.link != nil {
		s.server.pool.Release(s.link)
		s.link = nil
	}
	s.room.Broadcast()
}

// orphan leaves of what is in flight only what its reply needs. Or each command would keep
// all that came with it until Redis has answered, which nobody counts any more: a crowd
// that floods and is closed for it would still have its memory.
func (s *Session) orphan() {
	if s.flight == 0 || s.conn == nil {
		return
	}
	s.conn.Replace(func(call upstream.Call) upstream.Call {
		r, ok := call.(*request)
		if !ok || r.s != s || r.batch == nil {
			return call
		}
		c := *r
		c.batch, c.raw, c.args = nil, nil, nil
		return &c
	})
}

// letGo gives back the link that a request holds of its own.
func (s *Session) letGo(r *request) {
	if r.link == nil {
		return
	}
	s.server.pool.Release(r.link)
	r.link = nil
}

// kill ends the session at the end of a shutdown: what was never sent is refused.
func (s *Session) kill() {
	s.mu.Lock()
	if !s.dead {
		s.refuseAll(hold.Closing, []byte(errClosing))
		s.close()
	}
	s.mu.Unlock()
	s.out.flush()
}
