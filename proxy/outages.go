package proxy

import (
	"slices"
	"sync"
	"time"

	"steadis/proxy/hold"
	"steadis/proxy/upstream"
	"steadis/sentinel/topology"
)

const (
	maxOutages = 50
	// maxSteps bounds the steps of an outage, maxReasons those of them that say only that
	// there was one more reason to hold.
	maxSteps   = 32
	maxReasons = 8
	// doubtsFor is how long before an outage and after its end writes may be found in doubt
	// because of it.
	doubtsFor = 2 * time.Second
)

// outages remembers the last times in which commands were held. The conductor writes it,
// beat settles it, whoever asks for the status reads it.
type outages struct {
	mu      sync.Mutex // guards all below; nothing is called under it
	list    []topology.Outage
	reasons int    // of the last one: steps that only give a reason
	reason  string // the last of them
	base    uint64 // writes that were in doubt before it
	settled bool   // no more doubts are counted
	// recent are the numbers of writes in doubt at the last beats, oldest first: those of
	// an outage are found when connections end, which may be before it is noticed.
	recent [3]uint64
}

// begin notes a new outage. from is the gate as it was open last.
func (o *outages) begin(now time.Time, reason string, from *upstream.Gate, doubts uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.list); n > 0 && !o.settled {
		o.list[n-1].Commands.InDoubt = doubts - o.base
		o.base = doubts
	} else {
		o.base = o.recent[0]
	}
	o.settled, o.reasons, o.reason = false, 0, reason
	if len(o.list) == maxOutages {
		o.list = slices.Delete(o.list, 0, 1)
	}
	o.list = append(o.list, topology.Outage{
		Began: now, Reason: reason, From: from.Addr, To: from.Addr, Epoch: from.Epoch,
		FromGeneration: from.Generation, ToGeneration: from.Generation,
		Steps: []topology.Step{{At: now, Name: "commands are held", By: reason}},
	})
}

// because notes one more reason to hold.
func (o *outages) because(now time.Time, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if reason == o.reason || o.reasons == maxReasons {
		return
	}
	o.reasons++
	o.reason = reason
	o.stepLocked(now, "still held", reason)
}

// step notes what was done in the outage that goes on, if one does.
func (o *outages) step(now time.Time, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stepLocked(now, name, "")
}

func (o *outages) stepLocked(now time.Time, name, by string) {
	n := len(o.list)
	if n == 0 || !o.list[n-1].Resumed.IsZero() || len(o.list[n-1].Steps) == maxSteps {
		return
	}
	o.list[n-1].Steps = append(o.list[n-1].Steps, topology.Step{At: now, Name: name, By: by})
}

// resumed notes the end of the holding, with the view that serves.
func (o *outages) resumed(now time.Time, v *topology.View) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.list)
	if n == 0 || !o.list[n-1].Resumed.IsZero() {
		return
	}
	o.stepLocked(now, "commands go to "+v.Master, "")
	last := &o.list[n-1]
	last.Resumed, last.To, last.ToGeneration, last.Epoch = now, v.Master, v.Generation, v.Epoch
}

// settle is beat's: it ends the counting of doubts some time after an outage.
func (o *outages) settle(now time.Time, doubts uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.list); n > 0 && !o.settled && !o.list[n-1].Resumed.IsZero() && now.Sub(o.list[n-1].Resumed) > doubtsFor {
		o.list[n-1].Commands.InDoubt = doubts - o.base
		o.settled = true
	}
	copy(o.recent[:], o.recent[1:])
	o.recent[len(o.recent)-1] = doubts
}

// fill puts the buffer's figures into the outages that they are of.
func (o *outages) fill(tallies ...hold.Tally) {
	for i := range o.list {
		for _, t := range tallies {
			if out := &o.list[i]; out.Began.Equal(t.Began) {
				out.Drained = t.Drained
				out.Commands.Held, out.Commands.Released, out.Commands.Refused, out.Commands.Dropped = t.Held, t.Released, t.Refused, t.Dropped
				out.Commands.Most, out.Commands.MostBytes = t.Most, t.MostBytes
				out.Commands.LongestWaitMS = t.LongestWait.Milliseconds()
			}
		}
	}
}

// Outages returns the last times in which commands were held, at most 50, oldest first.
// It may be called concurrently.
func (s *Server) Outages() []topology.Outage {
	last, former := s.hold.Tallies()
	doubts := s.doubts.Load()
	o := &s.outages
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fill(former, last)
	if n := len(o.list); n > 0 && !o.settled {
		o.list[n-1].Commands.InDoubt = doubts - o.base
	}
	all := slices.Clone(o.list)
	for i := range all {
		all[i].Steps = slices.Clone(all[i].Steps)
		if d := all[i].Drained; !d.IsZero() && !all[i].Resumed.IsZero() && all[i].Commands.Held > 0 {
			all[i].Steps = append(all[i].Steps, topology.Step{At: d, Name: "nothing waits any more"})
		}
	}
	return all
}
