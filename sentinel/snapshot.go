package sentinel

import (
	"slices"
	"time"

	"steadis/sentinel/topology"
)

// snapshot is a Status with the times from which ages are counted. Immutable.
type snapshot struct {
	status   Status
	answered []time.Time // by index of status.Sentinels; zero: never
}

// shoot replaces the snapshot by one of the present state.
func (w *Watcher) shoot() {
	snap := w.state.snapshot(time.Now())
	w.snapshot.Store(&snap)
}

// Status gives what is known now. It may be called concurrently and never blocks.
func (w *Watcher) Status() Status {
	snap := w.snapshot.Load()
	st := snap.status
	st.Sentinels = slices.Clone(st.Sentinels)
	st.Switches = slices.Clone(st.Switches)
	st.Replicas = slices.Clone(st.Replicas)
	for i, at := range snap.answered {
		st.Sentinels[i].LastAnswerAgeMS = -1
		if !at.IsZero() {
			st.Sentinels[i].LastAnswerAgeMS = time.Since(at).Milliseconds()
		}
	}
	return st
}

// snapshot makes a Status of the state.
func (s *state) snapshot(now time.Time) snapshot {
	snap := snapshot{status: Status{
		MasterName: s.master,
		View:       viewStatus(s.view),
		Configured: len(s.configured()),
		Majority:   majority(len(s.electors())),
		Holds:      s.holds,
		Switches:   slices.Clone(s.switches),
	}}
	if snap.status.Switches == nil {
		snap.status.Switches = []Switch{}
	}
	snap.status.Replicas = s.replicaRows()
	for _, a := range s.order {
		m := s.members[a]
		row := SentinelStatus{Address: m.addr, RunID: m.runid, Learned: m.learned, Connected: m.up,
			Subscribed: m.subscribed, Master: m.answer.addr, Epoch: m.answer.epoch, Flags: m.answer.raw,
			Quorum: m.answer.quorum, OtherSentinels: m.answer.others, Distrusted: m.distrusted(now), Error: m.why}
		if row.Claim = m.claim.what; row.Error == "" {
			row.Error = m.refused
		}
		snap.status.Sentinels = append(snap.status.Sentinels, row)
		snap.answered = append(snap.answered, m.at)
	}
	return snap
}

func viewStatus(v topology.View) ViewStatus {
	return ViewStatus{Master: v.Master, Epoch: v.Epoch, Generation: v.Generation,
		Phase: v.Phase.String(), Since: v.Since, Reason: v.Reason}
}
