package upstream

import (
	"fmt"
	"net"
)

// partSize is how much of a large reply is handed on at once.
const partSize = 64 << 10

// errLeft is why a shared connection ends that was left to what was in flight: a reply
// that was too large, or some that did not come. It was given up on purpose, so it is no trouble
// of the master's.
var errLeft = fmt.Errorf("upstream: the connection was left to what was in flight: %w", net.ErrClosed)

// parts is what readFrames does with the frame under way.
type parts struct {
	decided   bool
	treatment Treatment
	call      Call
}

// decide asks what is to become of the frame that has begun with head and is large.
func (c *Conn) decide(head byte) parts {
	p := parts{decided: true}
	c.mu.Lock()
	if head != '-' && head != '!' && head != '>' && c.inflight.Len() > c.unsent && !c.bad && !c.loose.Load() {
		if e := c.inflight.At(0); e.left == 1 && !c.withholdsLocked(e.call, []byte{head}) {
			p.call = e.call
		}
	}
	c.mu.Unlock()
	taker, ok := p.call.(PartTaker)
	if !ok {
		return p
	}
	p.treatment = taker.Large(c.private)
	if p.treatment == Drop {
		c.mu.Lock()
		var back []Call
		if c.state == open || c.state == paused {
			c.state, c.cause = draining, errLeft
			back = c.takeUnsentLocked()
		}
		c.mu.Unlock()
		if c.onLeave != nil {
			c.onLeave(c)
		}
		loseAll(back, NotSent)
	}
	return p
}

// take deals with a piece of the frame; last says that it ends there.
func (c *Conn) take(p parts, piece []byte, last bool, dirty []Owner) ([]Owner, error) {
	var err error
	if last {
		c.mu.Lock()
		c.inflight.Pop()
		if c.state == draining && c.inflight.Len() == 0 {
			err = errDrained
		}
		c.mu.Unlock()
	}
	var o Owner
	switch {
	case p.treatment == HandOn:
		o = p.call.(PartTaker).Part(piece, last)
	case last:
		o = p.call.Lost(NotSent)
	}
	if o != nil {
		dirty = append(dirty, o)
	}
	return dirty, err
}
