package upstream

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"sync"

	"steadis/proxy/resp"
	"steadis/proxy/sysio"
)

// readLoop hands each reply frame to its call and, at the connection's end,
// gives the calls that are left their fate.
func (c *Conn) readLoop(wg *sync.WaitGroup, size int) {
	defer wg.Done()
	err := c.readFrames(size)
	c.Close()
	close(c.done)
	c.haltStream()
	<-c.wrote // only now it is certain what was handed to the network
	c.end(err)
}

func (c *Conn) readFrames(size int) error {
	var (
		socket               = sysio.NewReader(c.nc)
		scanner              resp.Scanner
		buf                  = make([]byte, size)
		start, scanned, fill int // buf[start:scanned] is the frame so far, buf[:fill] was read
		dirty                []Owner
		partial              bool // what setPartial was told
		large                parts
		answers              run
	)
	for {
		n, err := socket.Read(buf[fill:])
		if err != nil {
			return err
		}
		c.progress.Add(1)
		fill += n
		for scanned < fill && err == nil {
			k, whole, serr := scanner.Scan(buf[scanned:fill])
			if serr != nil {
				err = fmt.Errorf("upstream: reply that is not RESP: %w", serr)
				break
			}
			scanned += k
			if !whole && !large.decided && scanned-start >= LargeReply {
				if dirty, err = c.deliverRun(&answers, dirty); err != nil {
					break
				}
				large = c.decide(buf[start])
			}
			switch {
			case large.treatment != Keep:
				dirty, err = c.take(large, buf[start:scanned], whole, dirty)
				start = scanned
			case whole && c.inRun(&answers, buf[start:scanned]):
				answers.frames = append(answers.frames, buf[start:scanned])
				start = scanned
			case whole:
				dirty, err = c.deliverAll(&answers, buf[start:scanned], dirty)
				start = scanned
			}
			if whole {
				large = parts{}
			}
		}
		var failed error
		dirty, failed = c.deliverRun(&answers, dirty)
		err = cmp.Or(failed, err)
		dirty = settleAll(dirty)
		if err != nil {
			return err
		}
		if partial != (start < fill) {
			partial = !partial
			var head byte
			if partial {
				head = buf[start]
			}
			if !c.setPartial(partial, head) {
				return errUnasked
			}
		}
		switch {
		case start == fill:
			start, scanned, fill = 0, 0, 0
			switch {
			case large.treatment != Keep && len(buf) != partSize:
				buf = make([]byte, partSize)
			case large.treatment == Keep && len(buf) > 16*size:
				buf = make([]byte, size)
			}
		case fill == len(buf) && start > len(buf)/2:
			fill = copy(buf, buf[start:fill])
			scanned -= start
			start = 0
		case fill == len(buf):
			bigger := make([]byte, 2*len(buf))
			fill = copy(bigger, buf[start:fill])
			scanned -= start
			start, buf = 0, bigger
		}
	}
}

// setPartial says whether a reply has begun and not ended. While it has, nothing more
// is sent: if its end never comes, because a module has announced more elements than
// it gave, what other clients were answered would be taken for a part of it. Their
// commands would have to wait for its end anyway. False: nobody has asked for what has
// begun with the byte head.
func (c *Conn) setPartial(yes bool, head byte) bool {
	c.mu.Lock()
	if yes && c.inflight.Len() == c.unsent && !c.mayBeUnasked(head) {
		c.mu.Unlock()
		return false
	}
	c.partial = yes
	wake := !yes && c.parked && c.barriers == 0
	if wake {
		c.parked = false
	}
	c.mu.Unlock()
	if wake {
		c.wake <- struct{}{}
	}
	return true
}

// mayBeUnasked says whether a frame that begins with the byte head may come without a
// command that it answers.
func (c *Conn) mayBeUnasked(head byte) bool {
	return c.subscribed.Load() || c.monitoring.Load() || c.resp3.Load() && head == '>'
}

var (
	errPush    = errors.New("upstream: a push on a connection of RESP2")
	errUnasked = errors.New("upstream: a reply that answers no command")
	errDemoted = errors.New("upstream: the node is not a master any more")
	errDrained = errors.New("upstream: the node answered that it cannot serve now")

	queued    = []byte("+QUEUED\r\n")
	execAbort = []byte("-EXECABORT ")
)

// deliver hands one frame to the call that it answers. An error ends the
// connection.
func (c *Conn) deliver(frame []byte, dirty []Owner) ([]Owner, error) {
	if frame[0] == '>' && !c.resp3.Load() && !c.subscribed.Load() {
		return dirty, errPush
	}
	if c.unasked(frame) {
		if o := c.pushInTurn(frame); o != nil {
			dirty = append(dirty, o)
		}
		return dirty, nil
	}
	a, back, err := c.match(frame)
	if a.call == nil {
		return dirty, err
	}
	if b, ok := a.call.(*barrier); ok {
		dirty, failed := c.passed(b, frame, a.last, dirty)
		return dirty, cmp.Or(err, failed)
	}
	var o Owner
	switch {
	case a.withheld:
	case !a.bad:
		o = a.call.Reply(frame, a.last)
	case a.last && a.mixed:
		o = a.call.Lost(InDoubt)
	case a.last:
		o = a.call.Lost(NotExecuted)
	}
	if o != nil {
		dirty = append(dirty, o)
	}
	loseAll(back, NotSent)
	return dirty, err
}

// unasked says whether a frame answers no call.
func (c *Conn) unasked(frame []byte) bool {
	switch frame[0] {
	case '>':
		return !c.takesPush(frame)
	case '*':
		if c.subscribed.Load() && IsMessage(frame, true) {
			return true
		}
	case '+':
		if c.monitoring.Load() && isMonitored(frame) {
			return true
		}
	}
	return c.loose.Load() && !c.owes()
}

// pushInTurn hands on a frame that answers no call. A message that makes a cached value
// void must not overtake the value.
func (c *Conn) pushInTurn(frame []byte) Owner {
	c.mu.Lock()
	wait := len(c.withheld) > 0
	if wait {
		c.withheld = append(c.withheld, withheldFrame{frame: bytes.Clone(frame)})
	}
	c.mu.Unlock()
	if wait {
		return nil
	}
	return c.push(frame)
}

// owes says whether a call waits for a reply.
func (c *Conn) owes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inflight.Len() > c.unsent
}

// takesPush says whether the first call in flight waits for this push.
func (c *Conn) takesPush(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inflight.Len() <= c.unsent {
		return false
	}
	taker, ok := c.inflight.At(0).call.(PushTaker)
	return ok && taker.TakesPush(frame)
}

// answer is what a frame means to the call that it belongs to.
type answer struct {
	call  Call
	last  bool // it ends the call
	bad   bool // a frame of the call said "not executed"
	mixed bool // and a later one spoke as if something had run

	withheld bool // it waits for a barrier
}

// match finds the call that frame answers and, where it says something of the
// node itself, acts on it: back are the calls that must not be sent to that node
// any more. An answer with a call and an error: deal with it, then end.
func (c *Conn) match(frame []byte) (answer, []Call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inflight.Len() <= c.unsent {
		return answer{}, nil, errUnasked
	}
	e := c.inflight.At(0)
	var back []Call
	switch v := c.verdictOn(e.call, frame); {
	case v == demotes:
		c.demoted = true
		return answer{}, nil, errDemoted
	case v == refuses:
		c.bad = true
		if c.state == open || c.state == paused {
			c.state = draining
			back = c.takeUnsentLocked()
		}
	case c.bad && !bytes.HasPrefix(frame, queued) && !bytes.HasPrefix(frame, execAbort):
		c.mixed = true
	}
	if c.multi && frame[0] == '-' && int(e.left) == e.call.Frames() && e.call.Stake()&Opens != 0 {
		c.multi, c.multiWas = false, false // nothing is behind a MULTI before it is taken
	}
	e.left--
	if c.subscribed.Load() {
		// A client of RESP2 can hear itself only by an EXEC that subscribes it, one of
		// RESP3 also by one in which HELLO has led there.
		e.left += messagesIn(frame, c.loose.Load() && !c.resp3.Load())
	}
	if (frame[0] == '-' || isNull(frame)) && e.call.ErrorEnds() {
		e.left = 0
	}
	a := answer{call: e.call, last: e.left == 0, bad: c.bad, mixed: c.mixed}
	if _, ours := e.call.(*barrier); !ours && !a.bad && c.withholdsLocked(e.call, frame) {
		a.withheld = true
		c.withheld = append(c.withheld, withheldFrame{e.call, bytes.Clone(frame), a.last})
	}
	if a.last {
		c.inflight.Pop()
		c.bad, c.mixed = false, false
		if c.state == draining && c.inflight.Len() == 0 {
			return a, back, errDrained
		}
	}
	return a, back, nil
}
