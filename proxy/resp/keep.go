package resp

// This is the half of query that keeps what the other half has read.

// size returns how many bytes of the command under way are kept.
func (q *query) size() int64 {
	if q.large.underWay() {
		return int64(len(q.large.raw))
	}
	return q.out.held - q.ready
}

// put keeps bytes of the command under way.
func (q *query) put(b []byte) *ProtocolError {
	size := q.size() + int64(len(b))
	if size > q.limits.MaxBuffered {
		return errCommandTooBig(q.limits.MaxBuffered)
	}
	if size > q.limits.MaxInPlace {
		if fault := q.spill(); fault != nil {
			return fault
		}
	}
	if !q.large.underWay() {
		if !q.out.append(b) {
			return errBudget
		}
		return nil
	}
	if !q.large.room(int64(len(b)), q.toCome()) {
		return errBudget
	}
	q.large.raw = append(q.large.raw, b...)
	return nil
}

// spill makes the command under way a large one, if it is not yet.
func (q *query) spill() *ProtocolError {
	if q.large.underWay() {
		return nil
	}
	size, most := q.size(), q.toCome()
	if most > 0 {
		most += size
	}
	if !q.large.room(max(1, size), most) {
		return errBudget
	}
	q.large.raw = q.out.cut(q.ready, q.large.raw)
	return nil
}

// toCome returns how many bytes of the command under way are still to come, at
// most, where its last argument tells, else 0.
func (q *query) toCome() int64 {
	if q.args != 1 || q.phase != inBody && q.phase != endBody {
		return 0
	}
	return int64(len(q.header)) + 2 + q.body + 2 // its header may be on its way here
}

// space returns memory for what comes next of an argument, to be told to wrote. It
// is nil if the budget allows no more.
func (q *query) space() []byte {
	if !q.large.underWay() {
		return q.out.space()
	}
	if !q.large.room(1, q.toCome()) {
		return nil
	}
	return q.large.raw[len(q.large.raw):cap(q.large.raw)]
}

// wrote says that n bytes of space are filled.
func (q *query) wrote(n int) {
	if q.large.underWay() {
		q.large.raw = q.large.raw[:len(q.large.raw)+n]
	} else {
		q.out.wrote(n)
	}
	q.gotBody(n)
}

// take moves whole commands to p.
func (q *query) take(p []byte) int {
	n := q.out.take(p, q.ready)
	q.ready -= int64(n)
	return n
}

// end makes the command under way a whole one: ready to be handed out, or to be
// taken when its placeholder is.
func (q *query) end() (event, *ProtocolError) {
	if q.single && q.size() == int64(len(placeholder)) {
		if fault := q.spill(); fault != nil {
			return gotFault, fault
		}
	}
	if q.large.underWay() {
		if !q.out.append([]byte(placeholder)) {
			return gotFault, errBudget
		}
		q.large.end()
	}
	q.ready = q.out.held
	return gotWhole, nil
}
