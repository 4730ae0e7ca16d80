package sentinel

import (
	"fmt"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/topology"
)

// What to show, what to complain about, and how often to ask.

const (
	oddAfterEvent = 3 * time.Second
	oddAfterDoubt = 5 * time.Second
	oddAtStart    = 30 * time.Second
	// complainAfter is how long a complaint must stand to be logged, so that the
	// few milliseconds between first answers make no lines.
	complainAfter = time.Second
	// A Sentinel that cannot be subscribed to shows a failover in its flags only.
	// The time between +try-failover and SLAVEOF NO ONE is 131 to 296 ms, so
	// polling every 200 ms catches about half of the forced failovers in time,
	// at 5 questions a second; asking every 50 ms for good would catch nearly
	// all, at a price that thousands of sidecars cannot ask of a Sentinel. An
	// automatic failover is announced by s_down long before, and then 50 ms is used.
	pollUnsubscribed    = 200 * time.Millisecond
	pollUnsubscribedOdd = 50 * time.Millisecond
	// unknownShare divides Poll while no master is known: service is to resume
	// within a second of one being announced.
	unknownShare = 2
	// oddFlags is how long flags such as s_down are a reason to ask more often: a
	// failover follows them within seconds, an isolated Sentinel shows them for hours.
	oddFlags = 30 * time.Second
)

// mood is what makes the core ask more often, and what it last complained of.
type mood struct {
	began    time.Time
	oddUntil time.Time

	complaint string // as it stands
	since     time.Time
	logged    string // as last logged
}

func (m *mood) oddFor(now time.Time, d time.Duration) {
	if until := now.Add(d); until.After(m.oddUntil) {
		m.oddUntil = until
	}
}

const reasonNobodyYet = "no Sentinel has answered yet"

// show publishes the view if anything in it has changed.
func (s *state) show(now time.Time) {
	v := topology.View{Master: s.followed.addr, Epoch: s.followed.epoch, Generation: s.generation}
	switch {
	case s.generation == 0:
		v.Phase, v.Reason = topology.Unknown, s.unknown()
	case s.hold != nil:
		v.Phase, v.Reason, v.Planned = topology.Holding, s.hold.reason, s.plan != nil
	default:
		v.Phase, v.Reason = topology.Serving, s.serving
	}
	v.Since = s.view.Since
	if v.Phase != s.view.Phase || v.Generation != s.view.Generation {
		v.Since = now
	}
	if v != s.view {
		s.view = v
		s.emit(publish{v})
	}
}

// unknown says why there is no master.
func (s *state) unknown() string {
	if c := s.disagreement(); c != "" {
		return c
	}
	if s.asking != nil && s.asking.last != roleUnasked {
		return fmt.Sprintf("%s is announced as the master, but its ROLE is: %s", s.asking.addr, s.asking.last)
	}
	if s.asking != nil {
		return "asking " + s.asking.addr + " for its ROLE"
	}
	return reasonNobodyYet
}

// disagreement says why no announcement has a quorum, empty if one has or if
// nobody has been asked yet.
func (s *state) disagreement() string {
	tried, up, known := 0, 0, 0
	for _, m := range s.configured() {
		if m.tried {
			tried++
		}
		if m.up {
			up++
			if m.answer.known {
				known++
			}
		}
	}
	n := len(s.configured())
	switch {
	case tried == 0 || s.count().ok:
		return ""
	case up == 0:
		return fmt.Sprintf("none of the %d configured Sentinels is reachable", n)
	case known == 0:
		return fmt.Sprintf("no Sentinel monitors a master named '%s' (asked %d)", s.master, up)
	case known < majority(len(s.electors())):
		return fmt.Sprintf("no majority: %d of %d configured Sentinels answer for '%s', %d must agree", known, n, s.master, majority(len(s.electors())))
	default:
		return fmt.Sprintf("no majority: the Sentinels disagree on who is the master of '%s'", s.master)
	}
}

// updateMood logs a complaint that stands and sets every Sentinel's pace.
func (s *state) updateMood(now time.Time) {
	complaint := s.disagreement()
	if s.generation == 0 && complaint == "" && s.asking != nil {
		complaint = s.unknown()
	}
	md := &s.mood
	if complaint != md.complaint {
		md.complaint, md.since = complaint, now
	}
	if md.complaint != md.logged && (md.complaint == "" || now.Sub(md.since) >= complainAfter) {
		md.logged = md.complaint
		if md.complaint == "" {
			s.log(zapcore.InfoLevel, "sentinels agree", zap.String("master", s.count().addr), zap.Uint64("epoch", s.count().epoch))
		} else {
			s.log(zapcore.WarnLevel, "sentinels do not agree", zap.String("why", md.complaint),
				zap.Stringer("phase", s.view.Phase), zap.String("master", s.followed.addr))
		}
	}
	odd := s.odd(now)
	for _, a := range s.order {
		m := s.members[a]
		if every := s.pace(m, odd); every != m.pace {
			m.pace = every
			s.emit(setPace{addr: a, every: every})
		}
	}
}

// odd says whether the Sentinels are to be asked more often than usual.
func (s *state) odd(now time.Time) bool {
	if s.hold != nil || now.Before(s.mood.oddUntil) {
		return true
	}
	if s.generation == 0 && now.Sub(s.mood.began) < oddAtStart {
		return true
	}
	for _, m := range s.members {
		if m.up && !m.flagged.IsZero() && now.Sub(m.flagged) < oddFlags {
			return true
		}
	}
	return false
}

// pace is the time between two questions to m.
func (s *state) pace(m *member, odd bool) time.Duration {
	every := s.poll
	if s.generation == 0 {
		every /= unknownShare
	}
	if !m.subscribed {
		every = min(every, pollUnsubscribed)
	}
	if odd {
		every = min(every, s.pollHolding)
		if !m.subscribed {
			every = min(every, pollUnsubscribedOdd)
		}
	}
	return every
}

// deadline is when step wants a ticked input if nothing else happens before;
// zero means never.
func (s *state) deadline(now time.Time) time.Time {
	var first time.Time
	at := func(t time.Time) {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if a := s.asking; a != nil && !a.inFlight {
		at(a.next)
	}
	if !s.backwardSince.IsZero() {
		at(s.backwardSince.Add(backwardFor))
	}
	if s.mood.complaint != s.mood.logged {
		at(s.mood.since.Add(complainAfter))
	}
	at(s.mood.oddUntil)
	if s.generation == 0 {
		at(s.mood.began.Add(oddAtStart))
	}
	if s.plan != nil {
		at(s.plan.until)
	}
	if s.wanted != nil {
		at(s.wantedSince.Add(joinFor))
	}
	if s.minorityHolds && !s.minoritySince.IsZero() {
		at(s.minoritySince.Add(minorityFor))
	}
	for _, m := range s.members {
		if !m.flagged.IsZero() {
			at(m.flagged.Add(oddFlags))
		}
		if m.chatter.left > 0 {
			at(m.chatter.since.Add(chatterWindow))
		}
		if m.claim.what != "" {
			at(s.due(m))
			at(m.claim.since.Add(lostClaimFor))
			at(m.downSince.Add(lostClaimFor))
		}
		if s.hold != nil {
			at(m.downSince.Add(lostClaimFor))
		}
	}
	return first
}
