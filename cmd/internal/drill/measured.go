package drill

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"steadis/test/workload"
)

// measured is everything that was seen of one round. report makes a Round of it.
type measured struct {
	number      int
	kind        Kind
	problem     string
	interrupted bool

	oldMaster, newMaster        string
	triggeredBy                 string
	triggered, switched, thawed time.Time // zero: never
	load                        loaded
	audit                       *workload.Audit // nil: could not be read back
	events                      []happening
	phases                      []phase
	countsBefore, countsAfter   counts
	counted                     bool
	whole                       bool
	wholeAfter                  time.Duration
	missing                     []string
}

// report is pure.
func (m *measured) report() Round {
	record := m.load.record
	since := func(t time.Time) time.Duration { return t.Sub(record.Began) }
	length := since(record.Ended)
	zero, trigger := time.Duration(0), length
	r := Round{
		Number: m.number, Kind: m.kind, Problem: m.problem, Interrupted: m.interrupted,
		OldMaster: m.oldMaster, NewMaster: m.newMaster, BeganAt: record.Began, TriggeredBy: m.triggeredBy,
		Whole: m.whole, WholeAfterMS: millis(m.wholeAfter), Missing: listed(m.missing),
	}
	if !m.triggered.IsZero() {
		at := m.triggered
		r.TriggeredAt, zero, trigger = &at, since(at), since(at)
	}
	r.BeginMS, r.EndMS = millis(-zero), millis(length-zero)
	moment := func(t time.Time) *float64 {
		if t.IsZero() {
			return nil
		}
		ms := millis(since(t) - zero)
		return &ms
	}
	r.SwitchedMS, r.ThawedMS = moment(m.switched), moment(m.thawed)

	quiet := silence(acknowledgements(record), trigger, length)
	var switched time.Duration
	if !m.switched.IsZero() {
		switched = since(m.switched)
	}
	parts := cut(length, trigger, switched, quiet)
	if r.TriggeredAt != nil && quiet.to < length {
		r.BackMS = moment(record.Began.Add(quiet.to))
	}
	writes, reads := m.operations()
	r.Writes, r.Reads = parts.latencies(writes, zero), parts.latencies(reads, zero)
	r.Buckets = bucketsOf(writes, reads, length, zero)
	r.Figures = m.figures(quiet)
	m.explain(&r)
	m.story(&r, zero)
	return r
}

func (m *measured) operations() (writes, reads [][]workload.Op) {
	for _, w := range m.load.record.Writers {
		writes = append(writes, w.Ops)
	}
	for _, r := range m.load.reads {
		reads = append(reads, r.Ops)
	}
	return writes, reads
}

// figures counts. Without an audit nothing can be said about what is there.
func (m *measured) figures(quiet span) Figures {
	a := m.audit
	if a == nil {
		a = m.load.record.Judge(nil)
		a.Lost, a.UnknownPresent, a.UnknownAbsent = 0, 0, a.UnknownPresent+a.UnknownAbsent
	}
	f := Figures{
		Sent: a.Sent, Acknowledged: a.Acknowledged, Lost: a.Lost, Duplicated: a.Doubled, Reordered: a.Reordered,
		Foreign: a.Alien, RefusedPresent: a.RefusedPresent,
		InDoubt: a.UnknownPresent + a.UnknownAbsent, InDoubtPresent: a.UnknownPresent,
		ErrorsByClass: map[string]int{}, Dropped: a.Dropped, Pings: len(m.load.pings),
		LongestSilenceMS: millis(quiet.length()),
	}
	maps.Copy(f.ErrorsByClass, a.Errors)
	for _, r := range m.load.reads {
		f.Reads += r.Answered
		f.StaleReads += r.Stale
		f.Dropped += r.Dropped
		for class, n := range r.Errors {
			f.ErrorsByClass[class] += n
		}
	}
	for class, n := range f.ErrorsByClass {
		if class != classInDoubt {
			f.ErrorReplies += n
		}
	}
	for _, p := range m.load.pings {
		if p.Reply != "PONG" {
			f.FailedPings++
		}
	}
	for _, w := range m.load.record.Writers {
		for _, op := range w.Ops {
			f.LongestWaitMS = max(f.LongestWaitMS, millis(op.Wait))
		}
	}
	return f
}

// classInDoubt is the class of steadis' error that says that nobody can know.
const classInDoubt = "INDOUBT"

// explain copies the examples.
func (m *measured) explain(r *Round) {
	r.Examples, r.DropCauses, r.ErrorTexts = []string{}, []string{}, map[string]string{}
	if m.audit != nil {
		r.Examples = listed(m.audit.Examples)
	}
	for _, w := range m.load.record.Writers {
		maps.Copy(r.ErrorTexts, w.Texts)
		for _, cause := range w.DropCauses {
			if !slices.Contains(r.DropCauses, cause) && len(r.DropCauses) < 10 {
				r.DropCauses = append(r.DropCauses, cause)
			}
		}
	}
	for _, p := range m.load.pings {
		if p.Reply != "PONG" {
			r.ErrorTexts["health check"] = p.Reply
		}
	}
}

// story puts in what others did during the load.
func (m *measured) story(r *Round, zero time.Duration) {
	record := m.load.record
	at := func(t time.Time) float64 { return millis(t.Sub(record.Began) - zero) }
	r.Events, r.Phases = []Event{}, []PhaseSpan{}
	for _, e := range m.events {
		if !e.at.Before(record.Began) && !e.at.After(record.Ended) {
			r.Events = append(r.Events, Event{AtMS: at(e.at), Sentinel: e.who, Name: e.name, Text: e.text})
		}
	}
	list := between(m.phases, record.Began, record.Ended)
	for i, p := range list {
		to := record.Ended
		if i+1 < len(list) {
			to = list[i+1].at
		}
		r.Phases = append(r.Phases, PhaseSpan{FromMS: at(p.at), ToMS: at(to), Phase: p.name, Master: p.master, Reason: p.reason})
	}
	if m.counted {
		d := m.countsAfter.minus(m.countsBefore)
		r.Steadis = &HeldFigures{Held: d.Held, Released: d.Released, Refused: d.Refused, Dropped: d.Dropped}
	}
}

// listed makes an empty JSON list of nil.
func listed(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}

// flaws says what an application would have noticed of the failover besides a wait,
// and what is wrong with the data. It is pure. Empty: nothing.
func (f *Figures) flaws() []string {
	var found []string
	for _, flaw := range []struct {
		n         int
		one, many string
	}{
		{f.Lost, "acknowledged write was lost", "acknowledged writes were lost"},
		{f.Duplicated, "write was executed twice", "writes were executed twice"},
		{f.Reordered, "write was executed out of order", "writes were executed out of order"},
		{f.Foreign, "element is there that nobody sent", "elements are there that nobody sent"},
		{f.RefusedPresent, "write was refused and is there", "writes were refused and are there"},
		{f.Dropped, "client connection was dropped", "client connections were dropped"},
		{f.ErrorReplies, "error reply (other than INDOUBT)", "error replies (other than INDOUBT)"},
		{f.StaleReads, "read missed acknowledged writes", "reads missed acknowledged writes"},
	} {
		switch flaw.n {
		case 0:
		case 1:
			found = append(found, "1 "+flaw.one)
		default:
			found = append(found, grouped(flaw.n)+" "+flaw.many)
		}
	}
	if failed := f.FailedPings; failed > 0 {
		found = append(found, fmt.Sprintf("%s of %s health checks failed", grouped(failed), grouped(f.Pings)))
	}
	return found
}

// add sums up two rounds.
func (f *Figures) add(g Figures) {
	for _, pair := range []struct {
		to *int
		n  int
	}{
		{&f.Sent, g.Sent}, {&f.Acknowledged, g.Acknowledged}, {&f.Lost, g.Lost}, {&f.Duplicated, g.Duplicated},
		{&f.Reordered, g.Reordered}, {&f.Foreign, g.Foreign}, {&f.RefusedPresent, g.RefusedPresent},
		{&f.InDoubt, g.InDoubt}, {&f.InDoubtPresent, g.InDoubtPresent}, {&f.ErrorReplies, g.ErrorReplies},
		{&f.Dropped, g.Dropped}, {&f.Reads, g.Reads}, {&f.StaleReads, g.StaleReads},
		{&f.Pings, g.Pings}, {&f.FailedPings, g.FailedPings},
	} {
		*pair.to += pair.n
	}
	for class, n := range g.ErrorsByClass {
		f.ErrorsByClass[class] += n
	}
	f.LongestWaitMS = max(f.LongestWaitMS, g.LongestWaitMS)
	f.LongestSilenceMS = max(f.LongestSilenceMS, g.LongestSilenceMS)
}

// grouped writes a number with blanks between thousands: 1 234 567.
func grouped(n int) string {
	text := fmt.Sprint(n)
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 && text[i-1] != '-' {
			b.WriteByte(' ')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
