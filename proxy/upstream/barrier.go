package upstream

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"steadis/proxy/resp"
)

// A barrier is a call of steadis' own behind others on the same connection; what they
// were answered is withheld until it is answered, too.
//
// In durable mode it is a WAIT: it is answered once so many replicas have all that
// came before it on this connection (https://redis.io/commands/wait/). What WAIT covers
// has changed: until Redis 7.0 everything that the master had done (server.c call() sets
// c->woff after each command), from 7.2 on, and in Valkey, only what this connection
// has written. So a barrier begins with something that is replicated, a PUBLISH, there: for
// reads, and for writes too, which may have changed nothing and only tell what another
// connection wrote (SADD of what is there already, SET NX). A WAIT on another connection
// would be unsound in one of the two.
//
// One barrier at a time is on its way; what comes meanwhile goes out together behind
// it, with one barrier for all of it: group commit.
//
// In every mode, a PING as a barrier tells that a master that was paused goes on.
type barrier struct {
	wire    []byte
	frames  int
	waits   bool  // it is a WAIT: its answer is how many replicas have it
	refused error // why it was not passed, as far as its frames have come
}

// Barriers' commands in steadis' own spelling (see IsOurs).
const (
	sayWait    = "WaIT"
	sayPublish = "PuBLISH"
)

// BarrierChannel is where the PUBLISH in front of a WAIT goes. Nobody listens there.
const BarrierChannel = "__steadis:barrier"

// newBarrier makes a WAIT, or in a connection that is not durable a PING.
func (c *Conn) newBarrier() *barrier {
	d := c.durable
	if d == nil {
		return &barrier{wire: Ping, frames: 1}
	}
	b := &barrier{frames: 1, waits: true}
	if c.publish {
		b.frames = 2
		b.wire = resp.AppendCommand(nil, sayPublish, BarrierChannel, "")
	}
	b.wire = resp.AppendCommand(b.wire, sayWait, strconv.Itoa(d.Replicas), d.Timeout)
	return b
}

// AppendWire implements Call.
func (b *barrier) AppendWire(dst []byte) []byte { return append(dst, b.wire...) }

// Frames implements Call.
func (b *barrier) Frames() int { return b.frames }

// ErrorEnds implements Call.
func (b *barrier) ErrorEnds() bool { return false }

// Trusted implements Call.
func (b *barrier) Trusted() bool { return true }

// Stake implements Call.
func (b *barrier) Stake() Stake { return 0 }

// Reply implements Call. The connection itself takes a barrier's replies (passed).
func (b *barrier) Reply([]byte, bool) Owner { return nil }

// Lost implements Call: what was withheld gets its fate from the connection's end.
func (b *barrier) Lost(Fate) Owner { return nil }

// trust is how long after it was paused a connection's replies are believed: between
// Sentinel's first word of a failover and the promotion of a replica there are at
// least two ticks of 104 ms in all (sentinel.c sentinelFailoverStateMachine). A write
// that is answered later may have run on a master that no replica follows any more.
const trust = 100 * time.Millisecond

// doubtfulLocked says whether what the connection brings now may not survive.
func (c *Conn) doubtfulLocked() bool {
	return (c.state == paused || c.state == draining) && !c.suspect.IsZero() && time.Since(c.suspect) > trust
}

// withholdsLocked says whether a frame of call must wait for a barrier.
func (c *Conn) withholdsLocked(call Call, frame []byte) bool {
	if len(c.withheld) > 0 {
		return true
	}
	if c.durable == nil && c.suspect.IsZero() {
		return false
	}
	stake := call.Stake().after(frame)
	return c.durable.worth(stake) != 0 || stake&(Reads|Writes) != 0 && c.doubtfulLocked()
}

// withheldFrame is a frame that has come and was not handed on.
type withheldFrame struct {
	call  Call // nil: it answers none
	frame []byte
	last  bool
}

// coverLocked puts a barrier behind what is pending, if it needs one and may have one
// here.
func (c *Conn) coverLocked() {
	if c.uncovered != 0 && !c.multi {
		c.addBarrierLocked()
	}
}

// owesBarrierLocked says whether a barrier is to be sent even if nothing else is: behind a
// stream. While the connection is paused it waits.
func (c *Conn) owesBarrierLocked() bool { return c.uncovered != 0 && !c.multi && c.state == open }

// addBarrierLocked puts a barrier behind what is pending.
func (c *Conn) addBarrierLocked() {
	b := c.newBarrier()
	c.pending = b.AppendWire(c.pending)
	c.inflight.Push(entry{call: b, left: int32(b.frames), size: int32(len(b.wire))})
	c.unsent++
	c.newBarriers++
	c.uncovered = 0
}

// noteStakeLocked keeps account of what call, about to be queued, puts at stake.
func (c *Conn) noteStakeLocked(call Call) {
	stake := call.Stake()
	if stake&Opens != 0 {
		c.coverLocked() // within MULTI there can be none
		c.multi = true
	}
	if stake&Closes != 0 {
		c.multi = false
	}
	c.uncovered |= c.durable.worth(stake)
}

// recallLocked asks, when the connection goes on after a pause, for the word that lets go what
// was withheld meanwhile. False: in the midst of a MULTI nothing can be asked; the
// connection must be given up.
func (c *Conn) recallLocked() bool {
	if len(c.withheld) == 0 || c.barriers > 0 {
		return true
	}
	if c.multi {
		return false
	}
	c.addBarrierLocked()
	return true
}

// passed takes a frame of a barrier's reply.
func (c *Conn) passed(b *barrier, frame []byte, last bool, dirty []Owner) ([]Owner, error) {
	if frame[0] == '-' && b.refused == nil {
		b.refused = fmt.Errorf("the master answered %s", bytes.TrimSpace(frame[1:]))
	}
	if !last {
		return dirty, nil
	}
	enough := !b.waits
	if b.refused == nil && b.waits {
		n, _ := strconv.Atoi(string(bytes.TrimSpace(frame[1:])))
		if enough = n >= c.durable.Replicas; !enough {
			b.refused = fmt.Errorf("%d of %d replicas had it after %s ms", n, c.durable.Replicas, c.durable.Timeout)
		}
	}
	if b.waits && bytes.HasPrefix(frame, []byte("-ERR WAIT cannot be used with replica")) {
		return dirty, errDemoted
	}
	c.mu.Lock()
	c.barriers--
	wake := c.barriers == 0 && c.parked && !c.partial
	if wake {
		c.parked = false
	}
	var free []withheldFrame
	if !c.doubtfulLocked() { // else Resume asks anew
		free, c.withheld = c.withheld, nil
	}
	c.mu.Unlock()
	if wake {
		c.wake <- struct{}{}
	}
	if b.waits && c.confirmed != nil {
		c.confirmed(b.refused)
	}
	for len(free) > 0 {
		n := ofOne(free)
		// Without enough replicas what has run is not confirmed; what Redis refused is refused.
		certain := enough || free[n-1].last && free[n-1].frame[0] == '-'
		for _, w := range free[:n] {
			if o := c.handOn(w, certain); o != nil {
				dirty = append(dirty, o)
			}
		}
		free = free[n:]
	}
	return dirty, nil
}

// ofOne returns how many of the frames belong to the first one's call, with what stands
// between them.
func ofOne(frames []withheldFrame) int {
	if frames[0].call == nil {
		return 1
	}
	for i, w := range frames {
		if w.last {
			return i + 1
		}
	}
	return len(frames)
}

// handOn gives the frame to its call, if it is certain or nothing is at stake.
func (c *Conn) handOn(w withheldFrame, certain bool) Owner {
	switch {
	case w.call == nil:
		return c.push(w.frame)
	case certain || c.durable.worth(w.call.Stake().after(w.frame)) == 0:
		return w.call.Reply(w.frame, w.last)
	case w.last:
		return w.call.Lost(Unconfirmed)
	}
	return nil
}
