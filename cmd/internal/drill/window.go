package drill

import (
	"slices"
	"time"

	"steadis/test/workload"
)

// span is a stretch of time since the load began: from is in it, to is not.
type span struct{ from, to time.Duration }

func (s span) length() time.Duration { return s.to - s.from }

// silence gives the longest stretch in [from, to) in which no write was
// acknowledged: what the failover cost everybody together. acks are the moments of
// acknowledgements in order. A stretch that began before from counts whole. It is pure.
func silence(acks []time.Duration, from, to time.Duration) span {
	longest := span{from, from}
	last := time.Duration(0)
	for _, at := range append(slices.Clone(acks), to) {
		if at > to {
			at = to
		}
		if at > from && at-last > longest.length() {
			longest = span{last, at}
		}
		last = at
	}
	return longest
}

// windows are the three parts of a round.
type windows struct{ before, during, after span }

// of gives the part to which what was under way from sent to done belongs: during, if
// it was under way at any time of it, else that in which it was sent.
func (w windows) of(sent, done time.Duration) span {
	switch {
	case sent >= w.during.to && w.during.to > 0:
		return w.after
	case done <= w.during.from:
		return w.before
	}
	return w.during
}

// cut divides a load of some length. during begins at the trigger and ends when
// service was back: the end of the silence or, if that was earlier, the moment when
// another master was announced. A switch that never came leaves no after. It is pure.
func cut(length, trigger, switched time.Duration, quiet span) windows {
	back := max(trigger, quiet.to, switched)
	if switched == 0 || back > length {
		back = length
	}
	return windows{before: span{0, trigger}, during: span{trigger, back}, after: span{back, length}}
}

// acknowledgements gives the moments of all acknowledged writes, in order.
func acknowledgements(r *workload.Record) []time.Duration {
	var acks []time.Duration
	for _, w := range r.Writers {
		for _, op := range w.Ops {
			if op.Outcome == workload.Acknowledged {
				acks = append(acks, op.Sent+op.Wait)
			}
		}
	}
	slices.Sort(acks)
	return acks
}
