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
	fault, mode                                                  string
	rounds, failed, acked, lost, doubled, doubt, errors, dropped int
	ordered, orderAsked                                          int
	longest, served                                              time.Duration
	judged                                                       bool
}

func (s *tally) add(o *outcome, failed bool) {
	s.rounds++
	if failed {
		s.failed++
	}
	if o.audit == nil {
		return
	}
	a := o.audit
	s.acked, s.lost, s.doubled = s.acked+a.Acknowledged, s.lost+a.Lost, s.doubled+a.Doubled
	s.doubt, s.dropped = s.doubt+a.UnknownPresent+a.UnknownAbsent, s.dropped+a.Dropped
	for prefix, n := range a.Errors {
		if prefix != prefixInDoubt && prefix != prefixUnconfirmed && prefix != noReply {
			s.errors += n
		}
	}
	s.longest, s.served = max(s.longest, a.LongestWait), max(s.served, o.served)
	if o.order != "" {
		s.orderAsked++
		if o.order == porcupine.Ok {
			s.ordered++
		}
	}
}

var columns = []string{"fault", "mode", "rounds", "acknowledged", "lost", "doubled", "in doubt", "errors", "dropped",
	"longest wait", "full service after", "linearizable", "as promised"}

func (s *tally) row() []string {
	verdict := "-"
	switch {
	case s.judged:
		verdict = fmt.Sprintf("%d of %d", s.rounds-s.failed, s.rounds)
	case s.failed > 0:
		verdict = fmt.Sprintf("(%d came to nothing)", s.failed)
	}
	order := "-"
	if s.orderAsked > 0 {
		order = fmt.Sprintf("%d of %d", s.ordered, s.orderAsked)
	}
	served := "-"
	if s.served >= 0 {
		served = s.served.Round(time.Millisecond).String()
	}
	row := []string{s.fault, s.mode}
	for _, n := range []int{s.rounds, s.acked, s.lost, s.doubled, s.doubt, s.errors, s.dropped} {
		row = append(row, fmt.Sprint(n))
	}
	return append(row, s.longest.Round(time.Millisecond).String(), served, order, verdict)
}

// ledger collects the tallies of a run.
type ledger struct {
	mu      sync.Mutex // guards the fields below
	rows    []*tally
	network string
	seed    int
}

var figures ledger

// of gives the tally of a fault in a mode.
func (l *ledger) of(f fault, m mode) *tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.rows {
		if s.fault == f.name && s.mode == m.name {
			return s
		}
	}
	s := &tally{fault: f.name, mode: m.name, judged: m.judged, served: -1}
	l.rows = append(l.rows, s)
	return s
}

// write puts the section into the document that STEADIS_RESULTS names.
func (l *ledger) write() error {
	path := os.Getenv("STEADIS_RESULTS")
	l.mu.Lock()
	defer l.mu.Unlock()
	if path == "" || len(l.rows) == 0 {
		return nil
	}
	section := results.Section{Title: "Faults", Header: columns, Intro: strings.Join([]string{
		"`make faults`. " + results.Origin(),
		fmt.Sprintf("A master, 2 replicas, 3 Sentinels (down-after 1 s, failover-timeout 4 s) and steadis, each on a host of its own: %s. Seed %d.", l.network, l.seed),
		"Lost: acknowledged and absent in the end. In doubt: answered with INDOUBT or UNCONFIRMED, or not at all. Errors: other error replies. " +
			"Full service after: from a majority announcing a master (or from the end of a fault that keeps the master) until every writer is served, " +
			"and the longest wait from then on; the slowest round. As promised: rounds in which everything was as test/failover/faults expects.",
	}, "\n\n")}
	for _, f := range faults() {
		for _, m := range modes() {
			for _, s := range l.rows {
				if s.fault == f.name && s.mode == m.name {
					section.Rows = append(section.Rows, s.row())
				}
			}
		}
	}
	return section.Write(path)
}
