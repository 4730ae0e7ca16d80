package faults

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"steadis/test/failover/results"
)

// tally sums up the rounds of one fault in one mode.
type tally struct {
	Fault, Mode                                                  string
	Rounds, Failed, Acked, Lost, Doubled, Doubt, Errors, Dropped int
	Ordered, OrderAsked                                          int
	Longest, Served                                              time.Duration
	Judged                                                       bool
}

func (s *tally) add(o *outcome, failed bool) {
	s.Rounds++
	if failed {
		s.Failed++
	}
	if o.audit == nil {
		return
	}
	a := o.audit
	s.Acked, s.Lost, s.Doubled = s.Acked+a.Acknowledged, s.Lost+a.Lost, s.Doubled+a.Doubled
	s.Doubt, s.Dropped = s.Doubt+a.UnknownPresent+a.UnknownAbsent, s.Dropped+a.Dropped
	for prefix, n := range a.Errors {
		if prefix != prefixInDoubt && prefix != prefixUnconfirmed && prefix != noReply {
			s.Errors += n
		}
	}
	s.Longest, s.Served = max(s.Longest, a.LongestWait), max(s.Served, o.served)
	if o.order != "" {
		s.OrderAsked++
		if o.order == porcupine.Ok {
			s.Ordered++
		}
	}
}

var columns = []string{"fault", "mode", "rounds", "acknowledged", "lost", "doubled", "in doubt", "errors", "dropped",
	"longest wait", "full service after", "linearizable", "as promised"}

func (s *tally) cells() []string {
	verdict := "-"
	switch {
	case s.Judged:
		verdict = fmt.Sprintf("%d of %d", s.Rounds-s.Failed, s.Rounds)
	case s.Failed > 0:
		verdict = fmt.Sprintf("(%d came to nothing)", s.Failed)
	}
	order := "-"
	if s.OrderAsked > 0 {
		order = fmt.Sprintf("%d of %d", s.Ordered, s.OrderAsked)
	}
	served := "-"
	if s.Served >= 0 {
		served = s.Served.Round(time.Millisecond).String()
	}
	row := []string{s.Fault, s.Mode}
	for _, n := range []int{s.Rounds, s.Acked, s.Lost, s.Doubled, s.Doubt, s.Errors, s.Dropped} {
		row = append(row, fmt.Sprint(n))
	}
	return append(row, s.Longest.Round(time.Millisecond).String(), served, order, verdict)
}

// merge adds what another lane counted.
func (s *tally) merge(o *tally) {
	s.Rounds, s.Failed, s.Acked = s.Rounds+o.Rounds, s.Failed+o.Failed, s.Acked+o.Acked
	s.Lost, s.Doubled, s.Doubt = s.Lost+o.Lost, s.Doubled+o.Doubled, s.Doubt+o.Doubt
	s.Errors, s.Dropped = s.Errors+o.Errors, s.Dropped+o.Dropped
	s.Ordered, s.OrderAsked = s.Ordered+o.Ordered, s.OrderAsked+o.OrderAsked
	s.Longest, s.Served = max(s.Longest, o.Longest), max(s.Served, o.Served)
}

// ledger collects the tallies of a run, or of one lane of it.
type ledger struct {
	mu      sync.Mutex // guards the fields below
	Rows    []*tally
	Network string
	Seed    int
	Lanes   int
}

var figures ledger

// of gives the tally of a fault in a mode.
func (l *ledger) of(f fault, m mode) *tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.row(f.name, m.name); s != nil {
		return s
	}
	s := &tally{Fault: f.name, Mode: m.name, Judged: m.judged, Served: -1}
	l.Rows = append(l.Rows, s)
	return s
}

// row gives the tally of a fault in a mode, nil if there is none. l.mu is held.
func (l *ledger) row(fault, mode string) *tally {
	for _, s := range l.Rows {
		if s.Fault == fault && s.Mode == mode {
			return s
		}
	}
	return nil
}

// merge adds the ledger of a lane.
func (l *ledger) merge(lane *ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Network, l.Seed, l.Lanes = lane.Network, lane.Seed, l.Lanes+1
	for _, o := range lane.Rows {
		if s := l.row(o.Fault, o.Mode); s != nil {
			s.merge(o)
		} else {
			l.Rows = append(l.Rows, o)
		}
	}
}

// write puts the section into the document that TEST_RESULTS names.
func (l *ledger) write() error {
	path := os.Getenv("TEST_RESULTS")
	l.mu.Lock()
	defer l.mu.Unlock()
	if path == "" || len(l.Rows) == 0 {
		return nil
	}
	section := results.Section{Title: "Faults", Header: columns, Intro: strings.Join([]string{
		"`make faults`. " + results.Origin(),
		fmt.Sprintf("A master, 2 replicas, 3 Sentinels (down-after 1 s, failover-timeout 4 s) and steadis, each on a host of its own: %s. Seed %d, %d at a time.", l.Network, l.Seed, max(l.Lanes, 1)),
		"Lost: acknowledged and absent in the end. In doubt: answered with INDOUBT or UNCONFIRMED, or not at all. Errors: other error replies. " +
			"Full service after: from a majority announcing a master (or from the end of a fault that keeps the master) until every writer is served, " +
			"and the longest wait from then on; the slowest round. As promised: rounds in which everything was as test/failover/faults expects.",
	}, "\n\n")}
	for _, f := range faults() {
		for _, m := range modes() {
			if s := l.row(f.name, m.name); s != nil {
				section.Rows = append(section.Rows, s.cells())
			}
		}
	}
	return section.Write(path)
}
