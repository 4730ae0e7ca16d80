package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"steadis/test/topology"
	"steadis/test/workload"
)

// judge holds a round against what steadis promises for the fault.
func (st *stage) judge(t *testing.T, f fault, o *outcome) {
	t.Helper()
	a := o.audit
	if a.Doubled+a.Reordered+a.Alien+a.RefusedPresent > 0 {
		t.Errorf("%d doubled, %d reordered, %d never sent, %d refused and present", a.Doubled, a.Reordered, a.Alien, a.RefusedPresent)
	}
	if o.lostLate > 0 {
		t.Errorf("%d of the %d lost writes must not be lost", o.lostLate, a.Lost)
	}
	if a.Dropped > 0 && !f.drops {
		t.Errorf("%d connections dropped", a.Dropped)
	}
	for prefix, n := range a.Errors {
		if f.clean || !st.allowed(prefix) {
			t.Errorf("%d x %s", n, a.Texts[prefix])
		}
	}
	if o.order != "" && o.order != porcupine.Ok && st.mustBeOrdered(f) {
		t.Errorf("porcupine, %d commands on shared lists: %s", len(o.checked), o.order)
	}
	st.judgeTimes(t, f, o)
	if t.Failed() {
		t.Logf("%v\n%v\n%s", a, a.Examples, a.ErrorsText())
	}
}

// allowed says whether clients may see an error of the class where a fault hits
// commands under way.
func (st *stage) allowed(prefix string) bool {
	return prefix == prefixInDoubt || st.mode.durable && prefix == prefixUnconfirmed
}

func (st *stage) judgeTimes(t *testing.T, f fault, o *outcome) {
	t.Helper()
	longest := o.audit.LongestWait
	switch f.service {
	case throughout:
		if longest > full+o.control {
			t.Errorf("longest wait %v, want at most %v: nothing is wrong with the master, which answers PING in %v", longest, full, o.control)
		}
	case switched, restored:
		bound := full
		if f.underWay {
			bound += f.lasts
		}
		if o.served < 0 || o.served > bound {
			t.Errorf("full service %v after a master was there, want at most %v", o.served, bound)
		}
		if o.fresh > full {
			t.Errorf("a new client was served %v after a master was there, want at most %v", o.fresh, full)
		}
	}
	if longest > hold+time.Second {
		t.Errorf("longest wait %v, the hold time is %v", longest, hold)
	}
}

// checkHoldCounters checks that what entered the hold is accounted for, once
// nothing is on its way.
func (st *stage) checkHoldCounters(ctx context.Context, t *testing.T) {
	t.Helper()
	err := st.await(ctx, "the hold's counters to add up", func(ctx context.Context) error {
		m, err := st.steadis.Metrics(ctx)
		if err != nil {
			return err
		}
		entered, released, dropped := m["steadis_hold_commands_total"], m["steadis_hold_released_total"], m["steadis_hold_dropped_total"]
		refused, waiting := topology.Sum(m, "steadis_hold_refused_total"), m["steadis_hold_waiting"]
		if waiting != 0 || entered != released+refused+dropped {
			return fmt.Errorf("entered %v, released %v + refused %v + dropped %v + waiting %v", entered, released, refused, dropped, waiting)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The helpers of the verdict, on a record of which everything is known.
func TestVerdictHelpers(t *testing.T) {
	began := time.Now()
	at := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
	acked := func(sent, wait int) workload.Op {
		return workload.Op{Sent: at(sent), Wait: at(wait), Outcome: workload.Acknowledged}
	}
	record := &workload.Record{Began: began, Writers: []workload.WriterRecord{
		{Key: "a", Ops: []workload.Op{acked(0, 1), acked(10, 500), acked(520, 5)}},
		{Key: "b", Ops: []workload.Op{acked(0, 1), {Sent: at(10), Wait: at(30), Outcome: workload.InDoubt}, acked(50, 400), acked(460, 90)}},
	}}
	lost := lostWrites(record, map[string][]string{"a": {"1", "3"}, "b": {"1"}})
	if len(lost) != 3 {
		t.Fatalf("lost: %v", lost)
	}
	if n := sentAfter(lost, record, began.Add(at(40))); n != 2 {
		t.Errorf("%d lost after 40 ms, want 2", n)
	}
	for _, tc := range []struct {
		from int
		want time.Duration
		all  bool
	}{{300, at(210), true}, {440, at(90), true}, {460, at(90), true}, {540, 0, false}} {
		if got, all := fullService(record, began.Add(at(tc.from))); got != tc.want || all != tc.all {
			t.Errorf("full service from %d ms: %v %v, want %v %v", tc.from, got, all, tc.want, tc.all)
		}
	}
}
