package sentinel

import "time"

// Holds that nobody's failover is the reason for: a change of master that is wanted, and the
// loss of the majority.

// plan is a change of master that is wanted and that Sentinel has not begun. While it stands
// commands are held, so that the replicas can catch up.
type plan struct {
	until         time.Time // a plan that is forgotten must not hold for good
	cause, reason string    // of the hold
}

// minorityFor is how long the majority must have been out of reach before commands are
// held for that (Options.HoldWithoutMajority). A Sentinel that does not answer is known
// only after Options.Timeout, and that one restarts is no reason.
const minorityFor = 250 * time.Millisecond

// onPlanned begins a plan, unless commands are held already. Of a master that has lost its data such
// a hold may be what is left of the plan before: while it is stopped it does not tell the ROLE
// that would end that. Then only a failover that somebody claims is a reason not to plan another one.
func (s *state) onPlanned(in planned) {
	if s.generation != in.generation {
		return
	}
	if s.hold == nil || in.cause == causeEmptied && len(s.claimants()) == 0 {
		s.plan = &in.plan
	}
}

// updatePlan ends a plan whose time is over, or that a Sentinel has taken over: from
// then on its claim is what counts.
func (s *state) updatePlan(now time.Time) {
	if s.plan != nil && (!now.Before(s.plan.until) || len(s.claimants()) > 0) {
		s.plan = nil
	}
}

// updateMinority notes since when fewer than a majority of the configured Sentinels
// answers.
func (s *state) updateMinority(now time.Time) {
	up := 0
	for _, m := range s.configured() {
		if m.up {
			up++
		}
	}
	switch {
	case up >= majority(len(s.configured())):
		s.minoritySince = time.Time{}
	case s.minoritySince.IsZero():
		s.minoritySince = now
	}
}

// outvoted says whether commands are to be held for want of a majority.
func (s *state) outvoted(now time.Time) bool {
	return s.minorityHolds && !s.minoritySince.IsZero() && now.Sub(s.minoritySince) >= minorityFor
}
