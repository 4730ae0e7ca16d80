package upstream

// Runner is a Call that takes its reply together with those of the calls behind it, as far
// as they have the same Owner: a client that pipelines is locked once for all of them.
type Runner interface {
	Call
	// ReplyRun hands over the only frame of each of the first n calls, as so many times Reply
	// would, and returns n, at least 1. calls[0] is the Runner.
	ReplyRun(calls []Call, frames [][]byte) (n int, owner Owner)
}

// run is reply frames that came together, each the whole answer of one call, and of which
// none says anything of the node or the connection: they are matched under one lock.
type run struct {
	frames [][]byte
	calls  []Call
}

// maxRun bounds a run, and so the memory that its connection keeps for the next one.
const maxRun = 512

// inRun says whether frame may wait for the end of the run r. That it is not asked for, ends a
// transaction's call or is withheld is only seen in deliverRun.
func (c *Conn) inRun(r *run, frame []byte) bool {
	switch frame[0] {
	case '-', '>':
		return false
	}
	return len(r.frames) < maxRun && !c.private && c.durable == nil && !c.subscribed.Load() && !c.monitoring.Load() && !c.loose.Load()
}

// deliverRun hands a run on and empties it. An error ends the connection.
func (c *Conn) deliverRun(r *run, dirty []Owner) ([]Owner, error) {
	var err error
	for at := 0; at < len(r.frames) && err == nil; {
		c.matchRun(r, at)
		if len(r.calls) == 0 {
			dirty, err = c.deliver(r.frames[at], dirty)
			at++
			continue
		}
		dirty = replyRun(r.calls, r.frames[at:at+len(r.calls)], dirty)
		at += len(r.calls)
	}
	clear(r.calls)
	clear(r.frames)
	r.calls, r.frames = r.calls[:0], r.frames[:0]
	return dirty, err
}

// deliverAll is deliverRun, and deliver for a frame that came behind the run.
func (c *Conn) deliverAll(r *run, frame []byte, dirty []Owner) ([]Owner, error) {
	dirty, err := c.deliverRun(r, dirty)
	if err != nil {
		return dirty, err
	}
	return c.deliver(frame, dirty)
}

// matchRun finds the calls of r.frames[at:], as far as each has one frame and nothing is to be
// thought about. What it leaves is for deliver.
func (c *Conn) matchRun(r *run, at int) {
	clear(r.calls)
	r.calls = r.calls[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open && c.state != paused || c.bad || len(c.withheld) > 0 || !c.suspect.IsZero() {
		return
	}
	for range r.frames[at:] {
		if c.inflight.Len() <= c.unsent {
			return
		}
		e := c.inflight.At(0)
		if e.left != 1 {
			return
		}
		if _, ours := e.call.(Runner); !ours {
			return
		}
		r.calls = append(r.calls, e.call)
		c.inflight.Pop()
	}
}

// replyRun gives each call its frame.
func replyRun(calls []Call, frames [][]byte, dirty []Owner) []Owner {
	for len(calls) > 0 {
		n, o := calls[0].(Runner).ReplyRun(calls, frames)
		if o != nil {
			dirty = append(dirty, o)
		}
		calls, frames = calls[n:], frames[n:]
	}
	return dirty
}
