package drill

import (
	"context"
	"slices"
	"time"
)

// watch is what goes on around the load, over the whole drill. It and what it has
// shown belong to the goroutine of Run.
type watch struct {
	show   *Progress
	events *events
	phases *phases

	eventsShown, phasesShown int
	zero                     time.Time // what shown times are relative to
	phase                    string
	acknowledged             int64 // when the state was last shown
	counted                  time.Time
}

func (d *Drill) startWatch(ctx context.Context) *watch {
	return &watch{show: d.show, events: d.o.recordEvents(ctx), phases: d.o.recordPhases(ctx)}
}

func (w *watch) close() {
	w.events.close()
	w.phases.close()
}

// begin makes zero the moment that times are relative to, and now the moment from
// which a rate is counted.
func (w *watch) begin(zero time.Time) {
	w.zero, w.acknowledged, w.counted = zero, 0, time.Now()
}

// toldEvents are the events of Sentinel that tell the story; the others repeat it and
// are in the report.
var toldEvents = []string{
	"+sdown", "+odown", "+try-failover", "+elected-leader", "+selected-slave", "+promoted-slave", "+switch-master",
	"+convert-to-slave", "-failover-abort-not-elected", "-failover-abort-no-good-slave", "-failover-abort-slave-timeout",
}

// print shows what is new.
func (w *watch) print() {
	type line struct {
		at                time.Time
		colour, who, what string
	}
	var lines []line
	for _, e := range w.events.since(w.eventsShown) {
		w.eventsShown++
		if slices.Contains(toldEvents, e.name) {
			lines = append(lines, line{e.at, colourSentinel, e.who, e.name + " " + e.text})
		}
	}
	for _, p := range w.phases.since(w.phasesShown) {
		w.phasesShown++
		w.phase = p.name
		what := p.name
		if p.name == "serving" {
			what += " commands from " + p.master
		} else if p.reason != "" {
			what += ": " + p.reason
		}
		lines = append(lines, line{p.at, colourSteadis, "steadis", what})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	for _, l := range lines {
		w.show.event(l.at.Sub(w.zero), l.colour, l.who, l.what)
	}
}

// state shows the load's state, if it is time to.
func (w *watch) state(l *load) {
	now := time.Now()
	if !w.show.due(now) {
		return
	}
	live := l.writers.Live()
	s := state{at: now.Sub(w.zero), acknowledged: live.Acknowledged, inDoubt: live.InDoubt, refused: live.Refused,
		dropped: live.Dropped, waiting: live.Waiting, phase: w.phase}
	if passed := now.Sub(w.counted).Seconds(); passed > 0 {
		s.perSecond = int64(float64(live.Acknowledged-w.acknowledged) / passed)
	}
	w.acknowledged, w.counted = live.Acknowledged, now
	w.show.show(s)
}
